package handover

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// asUser calls f on a thread that is another user, and ends with the goroutine. The
// kernel takes the user of a connection from the thread.
func asUser(uid int, f func() error) error {
	runtime.LockOSThread() // never unlocked
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
		return nil
	}
	return f()
}
