package xdp

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// openLocked opens a capture without CAP_IPC_LOCK and with a limit of locked memory in
// bytes.
func openLocked(t *testing.T, l *lab, limit uint64, cfg Config) (c *Capture, err error) {
	t.Helper()
	l.open(Config{}).Close() // or skip
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before)
	cfg.Interface, cfg.Workers, cfg.Load = "veth0", 1, loader(t, nil)
	err = l.collector.Do(func() (err error) { // on a thread that ends
		if err := dropCaps(unix.CAP_IPC_LOCK); err != nil {
			return err
		}
		c, err = Open(cfg)
		return err
	})
	return c, err
}

func TestLockedMemory(t *testing.T) {
	l := newLab(t, 1, 0)
	c, err := openLocked(t, l, 64<<10, Config{})
	l.wantRefusal(c, err, stepUMEM, unix.ENOBUFS, "RLIMIT_MEMLOCK", "CAP_IPC_LOCK")
	if id := l.programOn(); id != 0 {
		t.Errorf("program %d is left on the interface", id)
	}
}

// Zero-copy has frames of 4 KiB. Where these are too much to lock it is not tried, and
// the capture has the smaller ones; where it must be, the capture is refused.
func TestZeroCopyMemory(t *testing.T) {
	const ring = 256
	l := newLab(t, 1, 0)
	between := uint64(chunksFor(1, ring) * (smallChunk + zeroCopyChunk) / 2)
	for _, choice := range []ZeroCopy{ZeroCopyAuto, ZeroCopyOff} {
		c, err := openLocked(t, l, between, Config{RingSize: ring, ZeroCopy: choice})
		if err != nil {
			t.Fatalf("zero-copy %v: %v", choice, err)
		}
		if _, zeroCopy := c.Mode(); zeroCopy || c.chunk != smallChunk {
			t.Errorf("zero-copy %v: it is %v, in frames of %d bytes", choice, zeroCopy, c.chunk)
		}
		why := c.PassedOver()
		if (choice == ZeroCopyAuto) != errors.Is(why, unix.ENOBUFS) {
			t.Errorf("zero-copy %v: passed over because of %v", choice, why)
		}
		wantSize(t, l, c, 0, 1, 1472)
		c.Close()
	}
	c, err := openLocked(t, l, between, Config{RingSize: ring, ZeroCopy: ZeroCopyOn})
	l.wantRefusal(c, err, stepUMEM, unix.ENOBUFS, "RLIMIT_MEMLOCK")
}

// A driver without zero-copy has the frames that it would have had without a try.
func TestWithoutZeroCopy(t *testing.T) {
	l := newLab(t, 2, 0)
	c := l.open(Config{Workers: 2})
	if _, zeroCopy := c.Mode(); zeroCopy || c.chunk != smallChunk || c.PassedOver() != nil {
		t.Errorf("zero-copy %v, frames of %d bytes, passed over because of %v", zeroCopy, c.chunk, c.PassedOver())
	}
	if len(c.queues) != 2 {
		t.Errorf("%d queues", len(c.queues))
	}
}
