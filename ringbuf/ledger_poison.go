//go:build weirpoison

package ringbuf

import (
	"fmt"
	"sync/atomic"
)

// Poisoned says whether returned frames are mangled.
const Poisoned = true

// poison is what a frame is filled with when it is returned.
const poison = 0xdb

// Ledger knows of every frame of a UMEM whether it belongs to this side or to
// the kernel. It panics where a frame is given away by someone who does not own
// it, and where the kernel hands out one that was not given to it. Any number of
// goroutines may call it.
type Ledger struct {
	mem   []byte
	chunk uint64
	ours  []atomic.Bool // by frame; at first all are
	out   atomic.Int64
}

// NewLedger returns the ledger of a UMEM cut into chunks of the given number of
// bytes, all of them this side's.
func NewLedger(mem []byte, chunk int) *Ledger {
	l := &Ledger{mem: mem, chunk: uint64(chunk), ours: make([]atomic.Bool, len(mem)/chunk)}
	for i := range l.ours {
		l.ours[i].Store(true)
	}
	l.out.Store(int64(len(l.ours)))
	return l
}

// Take notes that the kernel handed over the frame in which addr lies.
func (l *Ledger) Take(addr uint64) {
	if l.ours[addr/l.chunk].Swap(true) {
		panic(fmt.Sprintf("ringbuf: frame %d came from the kernel, which did not own it", addr/l.chunk))
	}
	l.out.Add(1)
}

// Return mangles the frame in which addr lies and notes that it is the kernel's
// now. Call it before the frame is pushed.
func (l *Ledger) Return(addr uint64) {
	i := addr / l.chunk
	if !l.ours[i].Load() {
		panic(fmt.Sprintf("ringbuf: frame %d returned twice", i))
	}
	frame := l.mem[i*l.chunk:][:l.chunk]
	for i := range frame {
		frame[i] = poison
	}
	if !l.ours[i].Swap(false) {
		panic(fmt.Sprintf("ringbuf: frame %d returned by two at once", i))
	}
	l.out.Add(-1)
}

// Out returns how many frames belong to this side.
func (l *Ledger) Out() int { return int(l.out.Load()) }
