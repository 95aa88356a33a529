package bpf

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// rung reports whether a bell was rung, without waiting.
func rung(t *testing.T, b *Bell) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(b.Fd()), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil {
		t.Fatal(err)
	}
	return fds[0].Revents&unix.POLLIN != 0
}

// mustHaveBells fails the test where bells were refused, and skips it only where the
// program for old kernels has none.
func mustHaveBells(t *testing.T, p *Program) {
	t.Helper()
	switch err := p.NoBells(); {
	case errors.Is(err, ErrNoBells):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// TestNoBells: what kept bells from being made can be told from a kernel that is too
// old for them, and a program without bells is a good one.
func TestNoBells(t *testing.T) {
	p := load(t, Config{}, listens())
	mustHaveBells(t, p)
	p.takeBellsDown()
	if err := p.all.Maps[weirMapBells].Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.hangBells(p.all); err == nil || errors.Is(err, ErrNoBells) {
		t.Errorf("refused bells: %v", err)
	}
	p.takeBellsDown()

	old := loaded(t, func() (*Program, error) {
		return loadEntry(Config{Workers: 1, Queues: 1}, listens(), weirProgWeirBefore518)
	})
	if err := old.NoBells(); !errors.Is(err, ErrNoBells) {
		t.Errorf("bells of the program for old kernels: %v", err)
	}
	for _, p := range []*Program{p, old} {
		if p.Bell(0) != nil {
			t.Error("a bell where there are none")
		}
		run(t, p, v4(datagram{}), nil)
	}
}

// TestBell: a bell rings with the last frame of as many as it was set to, that go to
// its worker, and once.
func TestBell(t *testing.T) {
	const workers = 3
	p := load(t, Config{Workers: workers}, listens())
	mustHaveBells(t, p)
	if p.Bell(workers) != nil {
		t.Error("a bell of no worker")
	}
	own := Worker(exporter4, workers)
	bell := p.Bell(own)
	frame := v4(datagram{})
	for w := range uint32(workers) {
		p.Bell(w).Set(2)
	}
	run(t, p, frame, nil) // without a socket it does not count
	run(t, p, frame, nil)
	if rung(t, bell) {
		t.Error("rung for frames that went to the stack")
	}
	fillSlots(t, p)
	for round := range 300 { // more than the ring has room for
		n := 1 + round%3
		bell.Set(n)
		if rung(t, bell) {
			t.Fatalf("round %d: rung when set", round)
		}
		for i := range n {
			run(t, p, frame, nil)
			if got, want := rung(t, bell), i == n-1; got != want {
				t.Fatalf("round %d: after %d of %d: %v", round, i+1, n, got)
			}
		}
	}
	for w := range uint32(workers) {
		if w != own && rung(t, p.Bell(w)) {
			t.Errorf("the bell of worker %d was rung for worker %d", w, own)
		}
	}
	bell.Set(0)
	for range 10 {
		run(t, p, frame, nil)
	}
	if rung(t, bell) {
		t.Error("rung though it was not set")
	}
}

// TestBellOfQueues: each queue counts for itself.
func TestBellOfQueues(t *testing.T) {
	const queues = 4
	p := load(t, Config{Queues: queues}, listens())
	mustHaveBells(t, p)
	bell := p.Bell(0)
	bell.Set(7)
	for q := range queues {
		if got := bell.left[q].Load(); got != 7 {
			t.Errorf("queue %d: %d", q, got)
		}
	}
	fillSlots(t, p)
	run(t, p, v4(datagram{}), nil)
	for q := range queues {
		want := uint32(7)
		if q == 0 {
			want = 6
		}
		if got := bell.left[q].Load(); got != want {
			t.Errorf("queue %d: %d after a frame of queue 0, want %d", q, got, want)
		}
	}
}
