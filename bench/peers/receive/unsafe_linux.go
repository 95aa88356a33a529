package main

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// state is shared with the programs of a generator: one value of a map, mapped.
// Between runs we write all of it.
type state struct {
	// Written by the generator's program while it runs.
	next  atomic.Uint64 // when the next group is due, CLOCK_MONOTONIC ns
	sent  atomic.Uint64 // frames
	group atomic.Uint64 // frames left of the group
	idle  atomic.Uint64 // frames dropped, as there was nothing to send or no room
	first atomic.Uint64 // when it was run first and last
	last  atomic.Uint64
	// Read by it.
	interval atomic.Uint64 // ns between groups
	size     atomic.Uint64 // of a group, less one
	window   atomic.Uint64 // a group begins if fewer frames than that are on their way

	_ [64]byte
	// received is written by the receiver, or the program that drops.
	received atomic.Uint64
	_        [120]byte
}

// Where the fields are, for the programs.
const (
	atNext     = int16(unsafe.Offsetof(state{}.next))
	atSent     = int16(unsafe.Offsetof(state{}.sent))
	atGroup    = int16(unsafe.Offsetof(state{}.group))
	atIdle     = int16(unsafe.Offsetof(state{}.idle))
	atFirst    = int16(unsafe.Offsetof(state{}.first))
	atLast     = int16(unsafe.Offsetof(state{}.last))
	atInterval = int16(unsafe.Offsetof(state{}.interval))
	atSize     = int16(unsafe.Offsetof(state{}.size))
	atWindow   = int16(unsafe.Offsetof(state{}.window))
	atReceived = int16(unsafe.Offsetof(state{}.received))
	stateSize  = int(unsafe.Sizeof(state{}))
)

// stateIn returns the state in mapped memory of at least stateSize bytes.
func stateIn(mapping []byte) *state {
	_ = mapping[stateSize-1]
	return (*state)(unsafe.Pointer(unsafe.SliceData(mapping)))
}

// ethtoolSet runs an ethtool command that takes one value (struct ethtool_value of
// linux/ethtool.h).
func ethtoolSet(fd int, name string, command, value uint32) error {
	data := struct{ command, value uint32 }{command, value}
	var request struct { // struct ifreq of linux/if.h
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the union is larger than a pointer
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&data)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&data)
	if errno != 0 {
		return errno
	}
	return nil
}

// napFor sleeps for d; a signal makes it shorter. It is a raw system call, as the collector's
// is: of another one the scheduler's monitor would take the receiver's place away each time,
// and the receiver would have to wake a thread to get it back.
func napFor(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// ready reports whether poll finds something to read, without waiting.
func ready(fd int) bool {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	var none unix.Timespec
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&set[0])), 1, uintptr(unsafe.Pointer(&none)), 0, 0, 0)
	return errno == 0 && n > 0
}
