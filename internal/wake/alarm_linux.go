package wake

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Alarm lets a goroutine sleep in Go's network poller until a timer of the kernel's
// (timerfd) goes off, or one of the descriptors that it is given is ready.
//
// While it sleeps it has no place in the scheduler, whose monitor has nothing to do
// then and rests, too. At 3,000 datagrams a second the monitor's requests to yield, and the
// threads that take part in that, cost a worker a fifth of everything.
//
// One goroutine at a time may use it.
type Alarm struct {
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

// NewAlarm returns an alarm that one of the bells, descriptors, can end before its time; they stay
// open until it is closed. It calls arm, unless that is nil, when all is set up to
// be woken, and does not sleep if arm reports that there is enough to do.
func NewAlarm(arm func() (enough bool), bells []int) (*Alarm, error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	a := &Alarm{timer: timer, arm: arm}
	if len(bells) == 0 { // a nest costs a little more
		a.file = os.NewFile(uintptr(timer), "timer")
	} else if a.nest, err = true, a.makeNest(bells); err != nil {
		a.Close()
		return nil, err
	}
	if a.conn, err = a.file.SyscallConn(); err != nil {
		a.Close()
		return nil, fmt.Errorf("use timer: %w", err)
	}
	a.wait = func(uintptr) bool {
		if a.set {
			return true // something has happened
		}
		a.set = true
		a.err = setTimer(a.timer, a.left)
		return a.err != nil || a.arm != nil && a.arm()
	}
	return a, nil
}

// makeNest makes an epoll descriptor of the timer and the bells. All are
// edge-triggered: nothing need be read.
func (a *Alarm) makeNest(bells []int) error {
	nest, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if err := unix.SetNonblock(nest, true); err != nil { // only then can NewFile wait for it
		unix.Close(nest)
		return fmt.Errorf("make epoll nonblocking: %w", err)
	}
	a.file = os.NewFile(uintptr(nest), "alarm")
	for _, fd := range append([]int{a.timer}, bells...) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&(1<<32-1), Fd: int32(fd)}
		if err := unix.EpollCtl(nest, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// Sleep sleeps for d, at least 1 ns, or less: an alarm of before may still be on its way. It reports
// false if it cannot.
func (a *Alarm) Sleep(d time.Duration) bool {
	a.left, a.set, a.err = max(d, 1), false, nil
	return a.conn.Read(a.wait) == nil && a.err == nil
}

// Close releases the descriptors of the alarm's own. Whoever sleeps is woken up, and can no more.
func (a *Alarm) Close() {
	if a.file != nil {
		_ = a.file.Close()
	}
	if a.nest {
		unix.Close(a.timer)
	}
}
