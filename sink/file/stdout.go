//go:build unix

package file

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// pipeChunk is the number of bytes that a pipe takes without blocking if poll reports it
// writable: POSIX has PIPE_BUF at least 512.
const pipeChunk = 512

// openStdout returns standard output as a target whose writes never block, so that
// a stop finds out how much a reader that went to sleep has taken.
//
// O_NONBLOCK is a flag of the open file description, which other processes share.
// A pipe or a terminal is therefore opened once more, by its descriptor. Where that
// is not possible little is written at a time.
func openStdout(stdout int) (target, error) {
	fd, err := unix.FcntlInt(uintptr(stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return target{}, err
	}
	t, err := inspect(fd)
	if err != nil {
		unix.Close(fd)
		return target{}, err
	}
	if t.kind != unix.S_IFIFO && t.kind != unix.S_IFCHR {
		return t, nil
	}
	var again int
	err = restart(func() (err error) {
		again, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.careful = t.kind == unix.S_IFIFO
		return t, nil
	}
	unix.Close(fd)
	t.fd = again
	return t, nil
}

// write writes some of p without blocking, where the kind of the output allows it.
// EAGAIN says that it takes nothing at the moment.
func (t *target) write(p []byte) (int, error) {
	switch {
	case t.kind == unix.S_IFSOCK:
		return unix.SendmsgN(t.fd, p, nil, nil, unix.MSG_DONTWAIT)
	case t.careful:
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLOUT}}
		if n, err := unix.Poll(fds, 0); err != nil || n == 0 {
			if err == nil {
				err = unix.EAGAIN
			}
			return 0, err
		}
		return unix.Write(t.fd, p[:min(len(p), pipeChunk)])
	}
	return unix.Write(t.fd, p)
}
