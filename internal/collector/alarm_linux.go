package collector

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm lets a goroutine sleep in Go's network poller until a timer of the kernel's
// (timerfd) goes off, or a bell is rung: one of the descriptors that it is given is ready.
//
// While it sleeps it has no place in the scheduler, whose monitor has nothing to do
// then and rests, too. And as it is the poller that wakes it up, and not a timer of
// Go's, the thread that was waiting there goes on with it and wakes no other up.
// At 3,000 datagrams a second the monitor's requests to yield, and the threads that
// take part in that, cost a fifth of everything.
//
// One goroutine at a time may use it.
type alarm struct {
	timer int      // descriptor
	nest  bool     // file is not the timer
	file  *os.File // of the timer; with bells an epoll descriptor, which is ready when one of all is
	conn  syscall.RawConn
	arm   func() (enough bool)  // called when all is set up to be woken
	wait  func(fd uintptr) bool // made once: it would be allocated each time
	left  time.Duration         // to sleep for, from when wait is called first
	set   bool                  // it was
	err   error
}

// newAlarm returns an alarm that calls arm before it sleeps, and does not if arm
// reports that there is enough to do. The bells stay open until it is closed.
func newAlarm(arm func() (enough bool), bells []unix.PollFd) (*alarm, error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	a := &alarm{timer: timer, arm: arm}
	if len(bells) == 0 { // a nest is a little dearer
		a.file = os.NewFile(uintptr(timer), "timer")
	} else if a.nest, err = true, a.makeNest(bells); err != nil {
		a.close()
		return nil, err
	}
	if a.conn, err = a.file.SyscallConn(); err != nil {
		a.close()
		return nil, fmt.Errorf("use timer: %w", err)
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

// makeNest makes an epoll descriptor of the timer and the bells. All are
// edge-triggered: nothing need be read.
func (a *alarm) makeNest(bells []unix.PollFd) error {
	nest, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if err := unix.SetNonblock(nest, true); err != nil { // only then can NewFile wait for it
		unix.Close(nest)
		return fmt.Errorf("make epoll nonblocking: %w", err)
	}
	a.file = os.NewFile(uintptr(nest), "alarm")
	fds := []int{a.timer}
	for _, b := range bells {
		fds = append(fds, int(b.Fd))
	}
	for _, fd := range fds {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&(1<<32-1), Fd: int32(fd)}
		if err := unix.EpollCtl(nest, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// sleep sleeps for d, or less: an alarm of before may still be on its way. It reports
// false if it cannot.
func (a *alarm) sleep(d time.Duration) bool {
	a.left, a.set, a.err = max(d, 1), false, nil
	return a.conn.Read(a.wait) == nil && a.err == nil
}

func (a *alarm) close() {
	if a.file != nil {
		_ = a.file.Close()
	}
	if a.nest {
		unix.Close(a.timer)
	}
}
