// Package weirtest reads what the real weir writes, for tests that run the binary: its
// output while it runs, and its page of metrics.
package weirtest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Output is what a program writes while it runs. The zero value is empty. Any goroutine
// may use it.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns everything so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// ParseMetrics reads a page in the text format of Prometheus: the value of each series, by
// its name with labels as exported.
func ParseMetrics(page string) (map[string]float64, error) {
	series := map[string]float64{}
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %q: %w", line, err)
		}
		series[line[:at]] = value
	}
	return series, nil
}

// Sum adds up all series of a metric of weir, named without weir_, that have these
// labels, each written as exported: reason="none".
func Sum(series map[string]float64, name string, labels ...string) float64 {
	total := 0.0
next:
	for s, value := range series {
		family, rest, _ := strings.Cut(s, "{")
		if family != "weir_"+name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue next
			}
		}
		total += value
	}
	return total
}

// Mode returns the capture mode in force on an interface, "" if the page states none or
// several.
func Mode(series map[string]float64, name string) string {
	mode := ""
	for s, value := range series {
		rest, ok := strings.CutPrefix(s, `weir_capture_mode{interface="`+name+`",mode="`)
		if !ok || value != 1 {
			continue
		}
		if mode != "" {
			return ""
		}
		mode = strings.TrimSuffix(rest, `"}`)
	}
	return mode
}
