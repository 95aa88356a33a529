package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// maxCPU is the highest CPU number that the kernel's fixed-size CPU set can
// hold (CPU_SETSIZE in sched_setaffinity(2) is 1024).
const maxCPU = 1023

// parseCPUs reads a list of CPU numbers and ranges, "2-5,7", in the order
// given. No CPU may appear twice.
func parseCPUs(s string) ([]int, error) {
	const allowed = "CPU numbers from 0 to 1023 and ranges of them, such as 2-5,7"
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var cpus []int
	for i, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		bad := func(text string) error {
			return &option.Problem{Part: option.Show(part), Index: i, Text: text, Allowed: allowed}
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		lo, errLo := strconv.ParseUint(strings.TrimSpace(first), 10, 32)
		hi, errHi := strconv.ParseUint(strings.TrimSpace(last), 10, 32)
		switch {
		case errLo != nil || errHi != nil:
			return nil, bad("not a CPU number or range")
		case lo > maxCPU || hi > maxCPU:
			return nil, bad("CPU number too large")
		case lo > hi:
			return nil, bad("range runs backwards")
		}
		for cpu := int(lo); cpu <= int(hi); cpu++ {
			if slices.Contains(cpus, cpu) {
				return nil, bad(fmt.Sprintf("CPU %d is listed twice", cpu))
			}
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// formatCPUs prints CPU numbers so that parseCPUs gives the same list back;
// neighbours in ascending order become a range.
func formatCPUs(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(cpus[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", cpus[i], cpus[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
