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

// Owners of a frame.
const (
	held   uint32 = iota // a reader, or nobody yet: at first all are
	spare                // nobody: it may be put into the fill ring
	kernel               // the kernel, from the fill ring on
)

// Ledger knows the owner of every frame of a UMEM: its reader, nobody or the
// kernel. It panics where a frame is given away by someone who does not own it, and
// where the kernel hands out one that was not given to it. Any number of goroutines
// may call it.
type Ledger struct {
	mem    []byte
	chunk  uint64
	owners []atomic.Uint32 // by frame
	out    atomic.Int64    // frames that are held
}

// NewLedger returns the ledger of a UMEM cut into chunks of the given number of
// bytes, all of them held.
func NewLedger(mem []byte, chunk int) *Ledger {
	l := &Ledger{mem: mem, chunk: uint64(chunk), owners: make([]atomic.Uint32, len(mem)/chunk)}
	l.out.Store(int64(len(l.owners)))
	return l
}

// Take notes that the kernel handed over the frame in which addr lies.
func (l *Ledger) Take(addr uint64) {
	if i := addr / l.chunk; !l.owners[i].CompareAndSwap(kernel, held) {
		panic(fmt.Sprintf("ringbuf: frame %d came from the kernel, which did not own it", i))
	}
	l.out.Add(1)
}

// Return mangles the frame in which addr lies and notes that its reader is done
// with it.
func (l *Ledger) Return(addr uint64) {
	i := addr / l.chunk
	if l.owners[i].Load() != held {
		panic(fmt.Sprintf("ringbuf: frame %d returned twice", i))
	}
	frame := l.mem[i*l.chunk:][:l.chunk]
	for i := range frame {
		frame[i] = poison
	}
	if !l.owners[i].CompareAndSwap(held, spare) {
		panic(fmt.Sprintf("ringbuf: frame %d returned by two at once", i))
	}
	l.out.Add(-1)
}

// Submit notes that the frame in which addr lies, which was returned, is the
// kernel's now. Call it before the frame is pushed.
func (l *Ledger) Submit(addr uint64) {
	if i := addr / l.chunk; !l.owners[i].CompareAndSwap(spare, kernel) {
		panic(fmt.Sprintf("ringbuf: frame %d given to the kernel, but it was not free", i))
	}
}

// Out returns how many frames are held.
func (l *Ledger) Out() int { return int(l.out.Load()) }
