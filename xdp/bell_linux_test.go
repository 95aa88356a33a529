package xdp

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// TestBell: frames that come while a worker sleeps wake it up when they are as many as
// it has said, and are in its ring then, or a moment later.
func TestBell(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t, 1, 0)
			var program *bpf.Program
			c := l.open(Config{Mode: mode, Workers: 1, Load: loader(t, &program)})
			r := c.Worker(0)
			switch err := program.NoBells(); {
			case errors.Is(err, bpf.ErrNoBells):
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			}
			fds := []unix.PollFd{{Fd: int32(r.BellFd()), Events: unix.POLLIN}}
			poll := func(limit time.Duration) bool {
				fds[0].Revents = 0
				if _, err := unix.Poll(fds, int(limit/time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				return fds[0].Revents != 0
			}
			for round := range 5 {
				const n = 100
				r.SetBell(n)
				sent := 0
				for ; sent < n-1; sent++ {
					l.send(l.from(sent, round, 100))
				}
				waitRing(t, c, n-1)
				if poll(0) {
					t.Fatalf("round %d: rung after %d of %d frames", round, sent, n)
				}
				if got := r.Waiting(); got != n-1 {
					t.Errorf("round %d: %d wait, want %d", round, got, n-1)
				}
				l.send(l.from(sent, round, 100))
				if !poll(20 * time.Second) {
					t.Fatalf("round %d: not rung after %d frames", round, n)
				}
				waitRing(t, c, n)
				gather(t, r, n, func(Frame) {})
				r.SetBell(0)
				if poll(0) {
					t.Errorf("round %d: still ringing", round)
				}
			}
			l.send(l.from(0, 9, 100))
			gather(t, r, 1, func(Frame) {})
			if poll(0) {
				t.Error("rung though it was not set")
			}
		})
	}
}
