package app

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// tryPin binds a thread that ends to a CPU, as a worker's would be: it may be one
// that the process does not run on now.
func tryPin(cpu int) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var set unix.CPUSet
		set.Set(cpu)
		result <- unix.SchedSetaffinity(0, &set)
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("set cpu affinity: %w", err)
	}
	return nil
}
