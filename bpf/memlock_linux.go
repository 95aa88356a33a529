package bpf

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrMemlock says that the kernel counts maps and programs as locked memory, that
// RLIMIT_MEMLOCK was too low and could not be raised (CAP_SYS_RESOURCE).
var ErrMemlock = errors.New("locked memory is limited")

// memlockLimits tells whether this kernel limits maps by RLIMIT_MEMLOCK and then
// says EPERM, as kernels before 5.11 do. Later ones charge the memory cgroup.
func memlockLimits() bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	return before511(unix.ByteSliceToString(name.Release[:]))
}

// before511 reads "5.10.0-28-amd64" and the like; what it cannot read is new.
func before511(release string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major < 5 || major == 5 && minor < 11
}

func raiseMemlock() error {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil {
		return fmt.Errorf("raise RLIMIT_MEMLOCK: %w", err)
	}
	return nil
}
