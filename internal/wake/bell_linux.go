package wake

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Bell wakes up the one goroutine that waits for it. Anyone may ring it at any time.
type Bell struct {
	rung atomic.Bool // since the last wait
	file *os.File    // eventfd; nil where there is none
	conn syscall.RawConn
	send func(fd uintptr)      // made once: it would be allocated each time
	came func(fd uintptr) bool // likewise
	slot chan struct{}         // instead of the file
}

// NewBell returns a bell. Where no descriptor is to be had it is a channel, which works as
// well, at a higher price.
func NewBell() *Bell {
	b := &Bell{slot: make(chan struct{}, 1)}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return b
	}
	file := os.NewFile(uintptr(fd), "bell")
	conn, err := file.SyscallConn()
	if err != nil || file.SetDeadline(time.Time{}) != nil { // the poller does not have it
		_ = file.Close()
		return b
	}
	b.file, b.conn = file, conn
	b.send = func(fd uintptr) { signal(int(fd)) }
	b.came = func(uintptr) bool { return b.rung.Swap(false) }
	return b
}

// Ring ends the wait, or the next one. It never blocks.
func (b *Bell) Ring() {
	if b.rung.Swap(true) {
		return // whoever waits will look
	}
	// The descriptor is edge-triggered and never read: each write tells the poller.
	if b.file != nil && b.conn.Control(b.send) == nil {
		return
	}
	select {
	case b.slot <- struct{}{}:
	default:
	}
}

// Wait returns when the bell has been rung since the last Wait began to return. After
// Close it may do so without.
func (b *Bell) Wait() {
	if b.file != nil && b.conn.Read(b.came) == nil {
		return
	}
	for !b.rung.Swap(false) {
		<-b.slot
	}
}

// Close releases the descriptor. Nobody waits any more; ringing does no harm.
func (b *Bell) Close() {
	if b.file != nil {
		_ = b.file.Close()
	}
}
