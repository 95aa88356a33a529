package wake

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// one is what is added to an eventfd.
var one uint64 = 1

// signal adds to a nonblocking eventfd. It never blocks, so that the scheduler is not told
// of it. Should the counter be full, then who waits has been told.
func signal(fd int) {
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// setTimer has a timerfd go off once, after d, which is more than 0. It never
// blocks, so that the scheduler is not told of it.
func setTimer(fd int, d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
