package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ErrMemlock says that the kernel counts maps and programs as locked memory, that
// RLIMIT_MEMLOCK was too low and could not be raised (CAP_SYS_RESOURCE).
var ErrMemlock = errors.New("locked memory is limited")

// memlockMost is a limit above which no map of the program is.
const memlockMost = 256 << 20

// memlockLimits tells whether this kernel limits maps by RLIMIT_MEMLOCK and then says
// EPERM, as kernels before 5.11 do: it makes a small map, and one that is over the limit.
// Later ones charge the memory cgroup.
func memlockLimits() bool {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur > memlockMost {
		return false
	}
	const entry = 8 // bytes
	return tryMap(1) == nil && errors.Is(tryMap(uint32(limit.Cur/entry)+uint32(os.Getpagesize())), unix.EPERM)
}

// tryMap makes a map of n entries and lets go of it.
func tryMap(n uint32) error {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: n})
	if err != nil {
		return err
	}
	return m.Close()
}

func raiseMemlock() error {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil {
		return fmt.Errorf("raise RLIMIT_MEMLOCK: %w", err)
	}
	return nil
}
