package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ErrNoBells says that the program for kernels before Linux 5.18 has no bells.
var ErrNoBells = errors.New("bells need Linux 5.18")

// A Bell wakes a worker that sleeps once so many frames have come for it, on
// whichever queue. The worker alone may use it, until the program is closed.
type Bell struct {
	ring *ebpf.Map
	// The pages of the ring where both sides note how far they are.
	consumerPage, producerPage []byte
	consumer, producer         *atomic.Uintptr
	left                       []*atomic.Uint32 // of struct countdown, by queue
}

// Fd returns what to poll: it is readable (POLLIN) from when the bell was rung to the
// next Set.
func (b *Bell) Fd() int { return b.ring.FD() }

// Set silences the bell, and has the program ring it when n frames more have come on
// a queue; with 0 it does not. It may ring early, for what was set before.
func (b *Bell) Set(n int) {
	b.consumer.Store(b.producer.Load())
	for _, left := range b.left {
		left.Store(uint32(n))
	}
}

// newBell makes a worker's bell. countdowns is the mapping of the map.
func newBell(cfg Config, worker uint32, countdowns []byte) (*Bell, error) {
	ring, err := ebpf.NewMap(&ebpf.MapSpec{Name: "bell", Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		return nil, fmt.Errorf("make bell: %w", err)
	}
	b := &Bell{ring: ring}
	// Only the consumer's page may be mapped to be written.
	page := os.Getpagesize()
	if b.consumerPage, err = unix.Mmap(ring.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		b.producerPage, err = unix.Mmap(ring.FD(), int64(page), page, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("map bell: %w", err)
	}
	b.consumer, b.producer = position(b.consumerPage), position(b.producerPage)
	for queue := range cfg.Queues {
		b.left = append(b.left, countdownAt(countdowns, int(queue*cfg.Workers+worker)))
	}
	return b, nil
}

func (b *Bell) close() {
	for _, page := range [][]byte{b.consumerPage, b.producerPage} {
		if page != nil {
			_ = unix.Munmap(page)
		}
	}
	b.ring.Close()
}

// hangBells makes a bell for each worker. all has the maps. It returns ErrNoBells or
// what the kernel refused.
func (p *Program) hangBells(all *ebpf.Collection) error {
	countdowns, bells := all.Maps[weirMapCountdowns], all.Maps[weirMapBells]
	if countdowns == nil || bells == nil {
		return ErrNoBells
	}
	var err error
	size := int(p.cfg.Queues*p.cfg.Workers) * countdownSize
	if p.countdowns, err = unix.Mmap(countdowns.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map countdowns: %w", err)
	}
	for worker := range p.cfg.Workers {
		b, err := newBell(p.cfg, worker, p.countdowns)
		if err != nil {
			return err
		}
		p.bells = append(p.bells, b)
		if err := bells.Put(worker, b.ring); err != nil {
			return fmt.Errorf("hang bell of worker %d: %w", worker, err)
		}
	}
	return nil
}

func (p *Program) takeBellsDown() {
	for _, b := range p.bells {
		b.close()
	}
	if p.countdowns != nil {
		_ = unix.Munmap(p.countdowns)
	}
	p.bells, p.countdowns = nil, nil
}

// NoBells returns why there are no bells, nil if there are: ErrNoBells, or what was
// refused.
func (p *Program) NoBells() error { return p.noBells }

// Bell returns the bell of a worker, nil if there are none.
func (p *Program) Bell(worker uint32) *Bell {
	if int(worker) >= len(p.bells) {
		return nil
	}
	return p.bells[worker]
}
