package collector

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxRawNap bounds the naps that the scheduler is not told of.
const maxRawNap = 5 * time.Millisecond

// nap sleeps for d; a signal only makes it shorter.
//
// A short nap is a raw system call. By the usual one the scheduler's monitor
// would take the worker's place away every time, look for another thread to run
// on it, and never go to rest itself: at 3,000 datagrams a second that cost
// more than everything else. While it naps, the worker holds up a garbage
// collection's stop no more than by running: the signal that asks it to yield
// ends the nap.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	if d > maxRawNap {
		_ = unix.Nanosleep(&t, nil)
		return
	}
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}
