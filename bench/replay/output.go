package main

import (
	"context"
	"time"
)

// output is where datagrams go: sockets, or frames on an interface. One goroutine
// uses it.
type output interface {
	// put takes over datagram i of the workload for sending, in the given pass over
	// the files.
	put(i, pass int, now time.Time, c *counters)
	// flush sends what put took.
	flush(c *counters)
	// finish waits, within reason, until all is on its way, and counts what was
	// found out late.
	finish(c *counters)
	// sleep waits for d, or less if ctx ends.
	sleep(ctx context.Context, d time.Duration)
	close()
}

// socketOutput sends from UDP sockets.
type socketOutput struct {
	load        *workload
	rewriteTime bool
	sockets     []*socket // one for each of load.sources
	batch       *batch    // memory of a system call, shared by the sockets
	queues      [][][]byte
	active      []int // sources with something in queues
	pass        int   // of what has numbers in queues
	timer       *time.Timer
}

func newSocketOutput(load *workload, rewriteTime bool) *socketOutput {
	return &socketOutput{
		load:        load,
		rewriteTime: rewriteTime,
		batch:       newBatch(window),
		queues:      make([][][]byte, len(load.sources)),
		timer:       time.NewTimer(0),
	}
}

func (s *socketOutput) put(i, pass int, now time.Time, c *counters) {
	d := &s.load.datagrams[i]
	if len(d.numbers) > 0 && pass != s.pass {
		s.flush(c) // what has the numbers of the pass before
		s.pass = pass
	}
	setNumbers(d.payload, d.numbers, pass)
	if s.rewriteTime {
		rewriteTime(d.payload, now)
	}
	if len(s.queues[d.source]) == 0 {
		s.active = append(s.active, d.source)
	}
	s.queues[d.source] = append(s.queues[d.source], d.payload)
}

func (s *socketOutput) flush(c *counters) {
	for _, at := range s.active {
		s.sockets[at].send(s.batch, s.queues[at], c)
		s.queues[at] = s.queues[at][:0]
	}
	s.active = s.active[:0]
}

func (s *socketOutput) finish(c *counters) {
	for _, one := range s.sockets {
		one.checkPending(c)
	}
}

func (s *socketOutput) sleep(ctx context.Context, d time.Duration) {
	s.timer.Reset(d)
	select {
	case <-ctx.Done():
	case <-s.timer.C:
	}
}

func (s *socketOutput) close() {
	s.timer.Stop()
	for _, one := range s.sockets {
		one.close()
	}
}
