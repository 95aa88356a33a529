package sink_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
	"github.com/weirflow/weir/sink/spool"
)

func openSpool(t *testing.T, cfg spool.Config) *spool.Log {
	t.Helper()
	cfg.Reserve = -1
	l, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// patience is how long anything that must happen may take on a busy machine.
const patience = time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timeout: %s", what)
		}
	}
}

func TestFlakyConforms(t *testing.T) {
	sinktest.RunAsync(t, func(t *testing.T) (sink.AsyncSink, func() [][][]byte) {
		f := sinktest.NewFlaky(1, 6, 4, nil, nil)
		return f, f.Delivered
	})
}

// modes are the ways to run an AsyncHub.
var modes = []struct {
	name   string
	spool  bool
	always bool
}{{"memory", false, false}, {"outage", true, false}, {"always", true, true}}

// TestAsyncFaults has a sink fail at random and checks that every record is
// delivered once and in order, or refused, and that the sums hold at any time.
func TestAsyncFaults(t *testing.T) {
	for _, mode := range modes {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", mode.name, seed), func(t *testing.T) {
				t.Parallel()
				const nlanes, ldepth = 3, 4
				f := sinktest.NewFlaky(seed, 3+int(seed), 5, nil, nil)
				f.Set(sinktest.Faults{Fail: 0.01, Refuse: 0.0005, Away: 0.002, Idle: 0.05})
				cfg := sink.AsyncConfig{Always: mode.always, Grace: 5 * time.Millisecond, Stall: 20 * time.Millisecond, Window: 5}
				if mode.spool {
					cfg.Spool = openSpool(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 256 << 10})
				}
				lanes := sinktest.Lanes(nlanes, ldepth)
				hub := sink.NewAsyncHub(f, lanes, cfg)
				hub.SetBackoff(time.Millisecond)
				ran := make(chan error, 1)
				go func() { ran <- hub.Run(context.Background()) }()
				end := make(chan struct{})
				var watched atomic.Uint64
				go func() {
					defer close(end)
					for sinceAcked := uint64(0); ; watched.Add(1) {
						l := hub.Counters().Ledger()
						if l.Acked < sinceAcked || int64(l.Spooled) < 0 || l.Recovered != 0 {
							t.Errorf("ledger %+v after %d acknowledged", l, sinceAcked)
							return
						}
						sinceAcked = l.Acked
						select {
						case <-ran:
							return
						case <-time.After(100 * time.Microsecond):
						}
					}
				}()
				sent := sinktest.Work(hub, lanes, 60)
				f.Set(sinktest.Faults{})
				f.SetAway(false)
				total := sinktest.Sum(sent)
				c := hub.Counters()
				eventually(t, "everything to be delivered", func() bool { return c.Acked()+c.Dropped() == total })
				if err := hub.Stop(context.Background()); err != nil {
					t.Error(err)
				}
				<-end
				sinktest.BalanceAsync(t, c, sent)
				refused := uint64(f.Refused())
				got := sinktest.Sum(sinktest.ReadParts(t, f.Delivered(), nlanes, true))
				if got+refused != total || c.Acked() != got || c.DroppedBy(sink.ReasonRefused) != refused || c.Dropped() != refused {
					t.Errorf("%d sent, %d delivered, %d acknowledged, %d refused, %d dropped", total, got, c.Acked(), refused, c.Dropped())
				}
				if c.Batches() != nlanes*60 {
					t.Errorf("%d batches came to their end", c.Batches())
				}
				if watched.Load() == 0 {
					t.Error("nothing was watched")
				}
				for i, l := range lanes {
					if l.Empty.Len() != ldepth {
						t.Errorf("lane %d has %d batches at the end", i, l.Empty.Len())
					}
				}
			})
		}
	}
}

// TestAsyncOutage: while the sink is away, or stuck with all batches, the
// workers go on; what was spooled is delivered in order, over a restart too.
func TestAsyncOutage(t *testing.T) {
	for _, mode := range modes[1:] {
		for _, stuck := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stuck=%v", mode.name, stuck), func(t *testing.T) {
				dir := t.TempDir()
				f := sinktest.NewFlaky(1, 100, 5, nil, nil)
				lanes := sinktest.Lanes(2, 4)
				var log lockedBuffer
				cfg := sink.AsyncConfig{Always: mode.always, Spool: openSpool(t, spool.Config{Dir: dir}),
					Logger: slog.New(slog.NewTextHandler(&log, nil))}
				hub := sink.NewAsyncHub(f, lanes, cfg)
				go hub.Run(context.Background())
				first := sinktest.Work(hub, lanes, 10)
				if stuck {
					f.SetStuck(true)
				} else {
					f.SetAway(true)
				}
				second := sinktest.Work(hub, lanes, 40) // returns though nothing is delivered
				c := hub.Counters()
				total := sinktest.Sum(first) + sinktest.Sum(second)
				eventually(t, "the lanes to be empty", func() bool { return c.Ledger().InFlight(total) == 0 })
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				if err := hub.Stop(ctx); err != nil {
					t.Error(err)
				}
				l := c.Ledger()
				if l.InFlight(total) != 0 || l.Dropped != 0 || l.Spooled == 0 {
					t.Errorf("%d sent: %+v", total, l)
				}
				if n := strings.Count(log.String(), "output is too slow or away"); n != 1 {
					t.Errorf("spooling was logged %d times:\n%s", n, log.String())
				}

				// The next start delivers the rest, and new ones after it.
				f2 := sinktest.NewFlaky(2, 100, 5, nil, nil)
				cfg.Spool = openSpool(t, spool.Config{Dir: dir})
				hub2 := sink.NewAsyncHub(f2, lanes, cfg)
				go hub2.Run(context.Background())
				c2 := hub2.Counters()
				if c2.Recovered() != l.Spooled {
					t.Errorf("%d recovered, %d were spooled", c2.Recovered(), l.Spooled)
				}
				eventually(t, "the spool to be delivered", func() bool { return c2.Acked() == l.Spooled })
				eventually(t, "the spool to be empty", func() bool { return len(readDir(t, dir)) <= 2 || mode.always })
				if err := hub2.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				sinktest.BalanceAsync(t, c2, nil)
				if n := count(f.Delivered()) + count(f2.Delivered()); n != total {
					t.Errorf("%d records delivered, %d sent", n, total)
				}
			})
		}
	}
}

// TestAsyncIdle: a worker that keeps all empty batches for itself is no reason to
// spool; a sink that has nearly all of them is, before the last is gone.
func TestAsyncIdle(t *testing.T) {
	const depth = 16
	f := sinktest.NewFlaky(1, 100, 5, nil, nil)
	lanes := sinktest.Lanes(1, depth)
	hub := sink.NewAsyncHub(f, lanes, sink.AsyncConfig{Grace: time.Millisecond, Spool: openSpool(t, spool.Config{Dir: t.TempDir()})})
	now := time.Now()
	turn := func() {
		for range 5 {
			hub.Step(now)
			now = now.Add(10 * time.Millisecond)
			time.Sleep(time.Millisecond)
		}
	}
	var free []*producer.Batch
	for b, ok := lanes[0].Empty.Pop(); ok; b, ok = lanes[0].Empty.Pop() {
		free = append(free, b)
	}
	turn()
	f.SetStuck(true)
	give := func(n int) {
		for range n {
			b := free[len(free)-1]
			free = free[:len(free)-1]
			sinktest.Fill(b, 0, 10)
			lanes[0].Full.Push(b)
			turn()
		}
	}
	give(depth - depth/8 - 1)
	if n := hub.Counters().Spooled(); n != 0 || lanes[0].Empty.Len() != 0 {
		t.Errorf("%d records spooled, though the worker has batches", n)
	}
	give(1)
	if n := hub.Counters().Spooled(); n == 0 || lanes[0].Empty.Len() != depth-depth/8 {
		t.Errorf("%d records spooled, %d batches came back", n, lanes[0].Empty.Len())
	}
	f.SetStuck(false)
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func count(parts [][][]byte) (n uint64) {
	for _, p := range parts {
		n += uint64(len(p))
	}
	return n
}

func readDir(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestAsyncStopDeadline: without a spool, what the sink does not return in
// time is dropped by shutdown.
func TestAsyncStopDeadline(t *testing.T) {
	f := sinktest.NewFlaky(1, 3, 5, nil, nil)
	f.SetStuck(true)
	lanes := sinktest.Lanes(2, 4)
	hub := sink.NewAsyncHub(f, lanes, sink.AsyncConfig{})
	hub.SetGrace(20 * time.Millisecond)
	go hub.Run(context.Background())
	sent := sinktest.Work(hub, lanes, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := hub.Stop(ctx); err == nil {
		t.Error("no error from a stop that lost records")
	}
	sinktest.BalanceAsync(t, hub.Counters(), sent)
	if n := hub.Counters().DroppedBy(sink.ReasonShutdown); n != sinktest.Sum(sent) {
		t.Errorf("%d dropped by shutdown, %d sent", n, sinktest.Sum(sent))
	}
	if err := hub.Run(t.Context()); err == nil {
		t.Error("run after stop: no error")
	}
}

// TestAsyncStopAway: a hub whose sink is away, and keeps what it has, spools
// that and ends without waiting for the deadline.
func TestAsyncStopAway(t *testing.T) {
	f := sinktest.NewFlaky(1, 100, 5, nil, nil)
	lanes := sinktest.Lanes(2, 4)
	hub := sink.NewAsyncHub(f, lanes, sink.AsyncConfig{Spool: openSpool(t, spool.Config{Dir: t.TempDir()})})
	go hub.Run(context.Background())
	f.SetStuck(true)
	sent := sinktest.Work(hub, lanes, 3)
	eventually(t, "the sink to have all", func() bool { return uint64(f.InFlight()) == sinktest.Sum(sent) })
	f.SetSilent()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := hub.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stop took %v", took)
	}
	sinktest.BalanceAsync(t, hub.Counters(), sent)
	if l := hub.Counters().Ledger(); l.Spooled != sinktest.Sum(sent) {
		t.Errorf("%d sent: %+v", sinktest.Sum(sent), l)
	}
}

// brokenSpool refuses at will.
type brokenSpool struct {
	*spool.Log
	broken atomic.Bool
}

func (s *brokenSpool) Append(b *producer.Batch) (uint64, error) {
	if s.broken.Load() {
		return 0, fmt.Errorf("append: %w", sink.ErrDiskFull)
	}
	return s.Log.Append(b)
}

// TestAsyncSpoolFault: while sink and spool both refuse, records are dropped
// with the spool's reason; then all is well again.
func TestAsyncSpoolFault(t *testing.T) {
	for _, mode := range modes[1:] {
		t.Run(mode.name, func(t *testing.T) {
			f := sinktest.NewFlaky(1, 100, 5, nil, nil)
			s := &brokenSpool{Log: openSpool(t, spool.Config{Dir: t.TempDir()})}
			lanes := sinktest.Lanes(2, 4)
			var log lockedBuffer
			hub := sink.NewAsyncHub(f, lanes, sink.AsyncConfig{Always: mode.always, Spool: s,
				Logger: slog.New(slog.NewTextHandler(&log, nil))})
			hub.SetCalm(0)
			go hub.Run(context.Background())
			c := hub.Counters()
			s.broken.Store(true)
			a := sinktest.Sum(sinktest.Work(hub, lanes, 20)) // the sink works
			eventually(t, "delivery", func() bool { return c.Acked() == a })
			f.SetAway(true)
			b := sinktest.Sum(sinktest.Work(hub, lanes, 20))
			eventually(t, "the drops", func() bool { return c.DroppedBy(sink.ReasonDiskFull) == b })
			s.broken.Store(false)
			d := sinktest.Sum(sinktest.Work(hub, lanes, 20))
			eventually(t, "spooling", func() bool { return c.Spooled() == d })
			f.SetAway(false)
			eventually(t, "delivery", func() bool { return c.Acked() == a+d })
			if err := hub.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if l := c.Ledger(); l.InFlight(a+b+d) != 0 || l.Spooled != 0 || l.Dropped != b {
				t.Errorf("%+v", l)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 && n != 2 {
				t.Errorf("%d errors logged:\n%s", n, log.String())
			}
		})
	}
}

// TestAsyncEvict: a spool that overflows gives up the oldest, and the sums hold.
func TestAsyncEvict(t *testing.T) {
	f := sinktest.NewFlaky(1, 3, 5, nil, nil)
	lanes := sinktest.Lanes(2, 4)
	hub := sink.NewAsyncHub(f, lanes, sink.AsyncConfig{Grace: time.Millisecond, Stall: 5 * time.Millisecond,
		Spool: openSpool(t, spool.Config{Dir: t.TempDir(), MaxBytes: 1 << 20})})
	hub.SetBackoff(time.Millisecond)
	go hub.Run(context.Background())
	f.Set(sinktest.Faults{Fail: 0.02, Idle: 0.5, Away: 0.01})
	sent := sinktest.Work(hub, lanes, 150)
	f.Set(sinktest.Faults{})
	f.SetAway(false)
	c := hub.Counters()
	eventually(t, "the end", func() bool { return c.Acked()+c.Dropped() == sinktest.Sum(sent) })
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	sinktest.BalanceAsync(t, c, sent)
	got := sinktest.Sum(sinktest.ReadParts(t, f.Delivered(), 2, true))
	if got != c.Acked() || c.DroppedBy(sink.ReasonSpoolFull) == 0 || c.Dropped() != c.DroppedBy(sink.ReasonSpoolFull) {
		t.Errorf("%d delivered, %d acknowledged, %d dropped, %d of them by a full spool", got, c.Acked(), c.Dropped(), c.DroppedBy(sink.ReasonSpoolFull))
	}
}

func TestAsyncReasons(t *testing.T) {
	hub := sink.NewAsyncHub(sinktest.NewFlaky(1, 1, 1, nil, nil), nil, sink.AsyncConfig{})
	var names []string
	hub.Counters().EachDropped(func(reason string, _ uint64) { names = append(names, reason) })
	want := []string{"write_error", "disk_full", "closed", "shutdown", "refused", "spool_full", "spool_error", "spool_corrupt"}
	if !slices.Equal(names, want) {
		t.Errorf("reasons %v, want %v", names, want)
	}
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := hub.Reopen(t.Context()); err != nil || hub.Closed() != nil {
		t.Error("an asynchronous hub has nothing to reopen and is never closed")
	}
}
