// Package figures has what all comparisons print by: medians of rounds, the CPU time of this
// process, the name of the CPU.
package figures

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Median returns the median of a list that is not empty.
func Median(list []float64) float64 {
	median, _, _ := Spread(list)
	return median
}

// Spread returns the median and the extremes of a list that is not empty.
func Spread(list []float64) (median, least, most float64) {
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2, s[0], s[len(s)-1]
}

// CPU returns the user and system time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // no argument of it can be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Model returns the name of the CPU.
func Model() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
