package collector

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm lets a goroutine sleep in Go's network poller until a timer of the kernel's
// (timerfd) goes off, or one of the descriptors that it watches is ready.
//
// While it sleeps it has no place in the scheduler, whose monitor has nothing to do
// then and rests, too. And as it is the poller that wakes it up, and not a timer of
// Go's, the thread that was waiting there goes on with it and wakes no other up.
// At 3,000 datagrams a second the monitor's requests to yield, and the threads that
// take part in that, cost a fifth of everything.
//
// One goroutine at a time may use it.
type alarm struct {
	file  *os.File // an epoll descriptor, which is ready when one of those in it is
	conn  syscall.RawConn
	timer int
	arm   func() (enough bool)  // called when all is set up to be woken
	wait  func(fd uintptr) bool // made once: it would be allocated each time
	left  time.Duration         // to sleep for, from when wait is called first
	set   bool                  // it was
	err   error
}

// newAlarm returns an alarm that calls arm before it sleeps, and does not if arm
// reports that there is enough to do.
func newAlarm(arm func() (enough bool)) (*alarm, error) {
	a := &alarm{timer: -1, arm: arm}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create alarm: %w", err)
	}
	if err = unix.SetNonblock(fd, true); err == nil { // NewFile asks for it
		a.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	}
	a.file = os.NewFile(uintptr(fd), "alarm")
	if err == nil {
		a.conn, err = a.file.SyscallConn()
	}
	if err == nil {
		err = a.control(unix.EPOLL_CTL_ADD, a.timer)
	}
	if err != nil {
		a.close()
		return nil, fmt.Errorf("set alarm up: %w", err)
	}
	a.wait = func(uintptr) bool {
		if a.set {
			return true // something has happened
		}
		a.set = true
		a.err = setTimer(a.timer, a.left)
		return a.err != nil || a.arm()
	}
	return a, nil
}

// control adds a descriptor or takes it away. Edge-triggered: nothing need be read.
func (a *alarm) control(op, fd int) (err error) {
	outer := a.conn.Control(func(epoll uintptr) {
		err = unix.EpollCtl(int(epoll), op, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&(1<<32-1), Fd: int32(fd)})
	})
	return errors.Join(outer, err)
}

// watch adds descriptors or takes them away, and reports whether it could.
func (a *alarm) watch(fds []unix.PollFd, op int) bool {
	ok := true
	for _, fd := range fds {
		ok = a.control(op, int(fd.Fd)) == nil && ok
	}
	return ok
}

// sleep sleeps for d, or less: an alarm of before may still be on its way. It reports
// false if it cannot.
func (a *alarm) sleep(d time.Duration) bool {
	a.left, a.set, a.err = max(d, 1), false, nil
	return a.conn.Read(a.wait) == nil && a.err == nil
}

func (a *alarm) close() {
	_ = a.file.Close()
	if a.timer >= 0 {
		unix.Close(a.timer)
	}
}
