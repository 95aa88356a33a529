package collector

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxRawNap bounds the naps that the scheduler is not told of.
const maxRawNap = 5 * time.Millisecond

// nap sleeps for d, where alarm cannot be used or would cost more; a signal only
// makes it shorter.
//
// A short nap is a raw system call. By the usual one the scheduler's monitor
// would take the worker's place away every time, look for another thread to run
// on it, and never go to rest itself. While it naps, the worker holds up a garbage
// collection's stop no more than by running: the signal that asks it to yield
// ends the nap.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(max(d, 0)))
	if d > maxRawNap {
		_ = unix.Nanosleep(&t, nil)
		return
	}
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// napOrPoll does the same but for that it ends when one of the descriptors is ready.
func napOrPoll(fds []unix.PollFd, d time.Duration) {
	t := unix.NsecToTimespec(int64(max(d, 0)))
	if d > maxRawNap {
		_, _ = unix.Ppoll(fds, &t, nil)
		return
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)),
		uintptr(unsafe.Pointer(&t)), 0, 0, 0)
}
