package collector

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// pinThread binds the calling thread to one CPU.
func pinThread(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("set cpu affinity: %w", err)
	}
	return nil
}
