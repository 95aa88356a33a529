package app

import "golang.org/x/sys/unix"

// allowedCPUs returns a function that tells the CPUs that this process may run
// on, or nil if they are unknown.
func allowedCPUs() func(cpu int) bool {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	return set.IsSet
}
