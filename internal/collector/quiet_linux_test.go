package collector

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/xdp"
)

// feed has a supervisor take observations that are made by step, one a second, until it acts
// or n were made.
func feed(s *supervisor, o *observation, at *time.Time, n int, cfg *CaptureConfig, mode string, step func(o *observation)) *act {
	for range n {
		step(o)
		*at = at.Add(time.Second)
		if a := s.look(*o, *at, cfg, mode); a != nil {
			return a
		}
	}
	return nil
}

func TestJudge(t *testing.T) {
	const looks = 3 * window
	for _, test := range []struct {
		name     string
		zeroCopy bool
		step     func(o *observation)
		want     finding
	}{
		{"nothing comes", false, func(*observation) {}, fine},
		{"all is seen", true, func(o *observation) { o.frames += 100; o.whole += 100; o.seen += 100; o.received += 90 }, fine},
		{"nothing is for us", true, func(o *observation) { o.frames += 100; o.whole += 100; o.seen += 100 }, fine},
		{"counted late", true, func(o *observation) {
			if o.seen += 100; o.seen%500 == 0 {
				o.frames, o.whole = o.seen, o.seen
			}
		}, fine},
		{"the program does not run", false, func(o *observation) { o.frames += 100 }, silent},
		{"it does not run, and little comes", false, func(o *observation) { o.frames++ }, silent},
		{"no buffers are left", false, func(o *observation) { o.missed += 5 }, silent},
		{"a queue is not seen", false, func(o *observation) { o.frames += 100; o.seen += 50 }, partly},
		{"hardly any is seen", false, func(o *observation) { o.frames += 100; o.seen++ }, partly},
		{"some are not seen", false, func(o *observation) { o.frames += 100; o.seen += 80 }, fine},
		{"large frames are lost", true, func(o *observation) { o.whole += 100; o.frames += 60; o.seen += 60 }, lossy},
		{"large frames are lost, the card does not say", true, func(o *observation) { o.frames += 100; o.seen += 60 }, lossy},
		{"large frames are cut", true, func(o *observation) { o.whole += 100; o.frames += 200; o.seen += 200; o.bad += 100 }, lossy},
		{"malformed frames come", true, func(o *observation) { o.whole += 100; o.frames += 100; o.seen += 100; o.bad += 100 }, fine},
		{"the card counts late", true, func(o *observation) {
			if o.seen += 100; o.seen%1000 == 0 {
				o.whole = o.seen
			}
		}, fine},
		{"copied", false, func(o *observation) { o.whole += 100; o.frames += 90; o.seen += 90 }, fine},
		{"overload", true, func(o *observation) { o.whole += 100; o.frames += 60; o.missed += 40; o.seen += 60 }, fine},
		{"a few are for the card", true, func(o *observation) { o.whole += 1000; o.frames += 999; o.seen += 999 }, fine},
		{"no chunks", false, func(o *observation) { o.frames += 9; o.seen += 9; o.dropped += 9 }, starved},
		{"no chunks, but workers receive", false, func(o *observation) { o.frames += 9; o.seen += 9; o.dropped += 9; o.received++ }, fine},
		{"no chunks, but workers have frames", false, func(o *observation) { o.frames += 9; o.seen += 9; o.dropped += 9; o.waiting = 5 }, fine},
	} {
		j, o, got := judge{zeroCopy: test.zeroCopy, native: true}, observation{}, fine
		for range looks {
			test.step(&o)
			if got = j.look(o); got != fine {
				break
			}
		}
		if got != test.want {
			t.Errorf("%s: %d after %d looks, want %d", test.name, got, j.looks, test.want)
		}
	}
}

// TestJudgeAfterReset: counters that start from zero again are no loss.
func TestJudgeAfterReset(t *testing.T) {
	j := judge{zeroCopy: true}
	o := observation{frames: 1000, whole: 1000, seen: 1000}
	for range 5 {
		o.frames, o.whole, o.seen = o.frames+100, o.whole+100, o.seen+100
		j.look(o)
	}
	o.frames, o.whole = 0, 0
	for range 5 {
		if got := j.look(o); got != fine {
			t.Fatalf("finding %d", got)
		}
		o.frames, o.whole, o.seen = o.frames+100, o.whole+100, o.seen+100
	}
}

// TestTrial: with zero-copy the first looks are close together.
func TestTrial(t *testing.T) {
	j := judge{zeroCopy: true}
	if got := j.every(); got != trialEvery {
		t.Errorf("at first every %v", got)
	}
	for range trialLooks {
		j.look(observation{})
	}
	if got := j.every(); got != healthEvery {
		t.Errorf("later every %v", got)
	}
	if got := (&judge{}).every(); got != healthEvery {
		t.Errorf("without zero-copy every %v", got)
	}
}

// TestLossyLadder: zero-copy that loses frames is given up, where that may be; else it is
// said that it cannot be. Each is said once.
func TestLossyLadder(t *testing.T) {
	lose := func(o *observation) { o.whole += 100; o.frames += 60; o.seen += 60 }
	for zeroCopy, want := range map[string]string{"auto": "zero-copy is not used", "on": "auto would do without"} {
		cfg := &CaptureConfig{Mode: "auto", ZeroCopy: zeroCopy}
		var s supervisor
		at, o := time.Unix(1, 0), observation{}
		s.opened(ModeNativeZeroCopy)
		a := feed(&s, &o, &at, 100, cfg, ModeNativeZeroCopy, lose)
		if a == nil || !strings.HasSuffix(a.what, want) || a.more || a.keep != (zeroCopy == "on") || s.remedy.copying == a.keep {
			t.Fatalf("-xdp.zerocopy %s: %+v, remedy %+v, want %q", zeroCopy, a, s.remedy, want)
		}
		if s.deaf {
			t.Error("it receives, and is called deaf")
		}
		if !a.keep {
			continue
		}
		if a := feed(&s, &o, &at, 2*window, cfg, ModeNativeZeroCopy, lose); a != nil {
			t.Errorf("-xdp.zerocopy %s: %+v, want nothing more", zeroCopy, a)
		}
	}
}

// TestSilentLadder: a program that does not run is attached again, then in generic mode where
// that may be, and then ever more seldom.
func TestSilentLadder(t *testing.T) {
	hush := func(o *observation) { o.frames += 10 }
	for _, mode := range []string{"auto", "native"} {
		cfg := &CaptureConfig{Mode: mode, ZeroCopy: "auto"}
		var s supervisor
		at, now := time.Unix(1, 0), ModeNative
		var said []string
		var tries []time.Time
		for range 20 {
			s.opened(now)
			a := feed(&s, &observation{}, &at, 2*int(quietMax/time.Second), cfg, now, hush)
			if a == nil {
				t.Fatalf("-xdp.mode %s: given up", mode)
			}
			if !s.deaf {
				t.Fatal("it is not called deaf")
			}
			if s.remedy.generic {
				now = ModeGeneric
			}
			if !a.more {
				said = append(said, a.what)
			}
			tries = append(tries, at)
		}
		want := map[string]int{"auto": 2, "native": 1}[mode]
		if len(said) != want || strings.Contains(said[len(said)-1], "generic mode") != (mode == "auto") {
			t.Errorf("-xdp.mode %s: said %q", mode, said)
		}
		if last := tries[19].Sub(tries[18]); last < quietMax || last > quietMax+10*time.Second {
			t.Errorf("-xdp.mode %s: %v between the last attachments", mode, last)
		}
		// Something comes: all is well at once, and later as if nothing had been.
		s.opened(now)
		o := observation{}
		feed(&s, &o, &at, 1, cfg, now, func(o *observation) { o.frames++; o.seen++ })
		if s.deaf {
			t.Error("it is called deaf, and receives")
		}
		feed(&s, &o, &at, wellLooks, cfg, now, func(o *observation) { o.frames++; o.seen++ })
		if a := feed(&s, &o, &at, 2*int(quietMax/time.Second), cfg, now, hush); a == nil || a.more {
			t.Errorf("silent again after it was well: %+v", a)
		}
	}
}

// TestPartlyOnce: what may be a counter of something else has a capture opened again once.
func TestPartlyOnce(t *testing.T) {
	cfg := &CaptureConfig{Mode: "auto", ZeroCopy: "auto"}
	var s supervisor
	at := time.Unix(1, 0)
	half := func(o *observation) { o.frames += 100; o.seen += 50 }
	s.opened(ModeNative)
	if a := feed(&s, &observation{}, &at, 100, cfg, ModeNative, half); a == nil || a.more || s.deaf {
		t.Fatalf("%+v, deaf %v", a, s.deaf)
	}
	s.opened(ModeNative)
	if a := feed(&s, &observation{}, &at, 2*window, cfg, ModeNative, half); a != nil {
		t.Errorf("again: %+v", a)
	}
	s.opened(ModeGeneric)
	if a := feed(&s, &observation{}, &at, 2*window, cfg, ModeGeneric, half); a != nil {
		t.Errorf("in generic mode, after GRO: %+v", a)
	}
}

// TestSilentAgainAfterHelp: where to attach again helps, as with a driver that forgets the
// program whenever its MTU changes, generic mode is not taken.
func TestSilentAgainAfterHelp(t *testing.T) {
	cfg := &CaptureConfig{Mode: "auto", ZeroCopy: "auto"}
	var s supervisor
	at := time.Unix(1, 0)
	for range 10 {
		s.opened(ModeNative)
		o := observation{}
		feed(&s, &o, &at, 5, cfg, ModeNative, func(o *observation) { o.frames += 5; o.seen += 5 })
		if s.deaf {
			t.Fatal("it is called deaf, and receives")
		}
		a := feed(&s, &o, &at, 2*int(quietMax/time.Second), cfg, ModeNative, func(o *observation) { o.frames += 5 })
		if a == nil || s.remedy.generic {
			t.Fatalf("%+v, remedy %+v", a, s.remedy)
		}
	}
}

// TestStarvedIsDeafUntilReceived: that the program sees frames is not enough.
func TestStarvedIsDeafUntilReceived(t *testing.T) {
	cfg := &CaptureConfig{Mode: "auto", ZeroCopy: "auto"}
	var s supervisor
	s.opened(ModeNative)
	o, at := observation{}, time.Unix(1, 0)
	if a := feed(&s, &o, &at, 20, cfg, ModeNative, func(o *observation) { o.seen++; o.dropped++ }); a == nil || !strings.Contains(a.what, "fill ring") || !s.deaf {
		t.Fatalf("%+v, deaf %v", a, s.deaf)
	}
	s.opened(ModeNative)
	o = observation{}
	feed(&s, &o, &at, 2, cfg, ModeNative, func(o *observation) { o.seen++ })
	if !s.deaf {
		t.Error("not deaf, though nothing was received")
	}
	feed(&s, &o, &at, 1, cfg, ModeNative, func(o *observation) { o.seen++; o.received++ })
	if s.deaf {
		t.Error("deaf, though something was received")
	}
}

// lines counts what is logged, by message.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// TestQuietCapture: a driver that counts frames of which the program sees none, in native mode,
// has the capture opened again, then in generic mode; the mode is that of the sockets while
// nothing is received; each is said once. Frames come through all of it.
func TestQuietCapture(t *testing.T) {
	l := newCaptureLab(t, 1, 1)
	var log lines
	var frames atomic.Uint64
	var quiet atomic.Pointer[Captures] // set when the driver becomes so
	var modes []string                 // at each look at the second capture; by one goroutine
	c := l.captureIn(CaptureConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, system{
		open: func(cfg xdp.Config) (open *xdp.Capture, err error) {
			err = l.receiver.Do(func() error { // a later one is opened by another thread
				open, err = xdp.Open(cfg)
				return err
			})
			return open, err
		},
		observe: func(open *xdp.Capture, program *bpf.Program) (observation, error) {
			c := quiet.Load()
			if c == nil || modeOf(open) != ModeNative {
				return observe(open, program)
			}
			if s := c.Stats()[0]; s.Opened == 2 {
				modes = append(modes, s.Mode)
			}
			return observation{frames: frames.Add(100)}, nil
		},
	})
	defer c.Stop()
	mode := func() string { return c.Stats()[0].Mode }
	if got := mode(); got != ModeNative {
		t.Fatalf("mode %s at first", got)
	}
	quiet.Store(c)
	eventually(t, "it is in generic mode", func() bool { return log.count("mode=generic") > 0 })
	for i := range 100 {
		l.send(i, netip.MustParseAddrPort("10.9.0.1:7"), v5(1))
	}
	eventually(t, "frames come", func() bool { return l.received() > 0 })
	eventually(t, "the mode is what it is", func() bool { return mode() == ModeGeneric })
	for text, want := range map[string]int{"the program is attached again": 1, "generic mode is used": 1} {
		if got := log.count(text); got != want {
			t.Errorf("%q is logged %d times, want %d", text, got, want)
		}
	}
	c.Stop()
	if opened := c.Stats()[0].Opened; opened != 3 {
		t.Errorf("opened %d times, want 3", opened)
	}
	if len(modes) == 0 || slices.ContainsFunc(modes, func(m string) bool { return m != ModeUDP }) {
		t.Errorf("modes %q of the second capture, which receives nothing; want %s", modes, ModeUDP)
	}
}

// TestJudgeCounters: counters that start from zero, and one that is unknown for some
// looks, prove nothing.
func TestJudgeCounters(t *testing.T) {
	tests := map[string]func(o *observation){ // nil: whole is unknown for two looks
		"missed starts again":   func(o *observation) { o.missed = 0 },
		"frames starts again":   func(o *observation) { o.frames = 0 },
		"whole starts again":    func(o *observation) { o.whole = 1 },
		"the program's as well": func(o *observation) { o.seen, o.bad = 0, 0 },
		"whole is unknown":      nil,
	}
	for name, upset := range tests {
		for _, zeroCopy := range []bool{true, false} {
			for from := range 20 {
				j := judge{zeroCopy: zeroCopy, native: true}
				o := observation{frames: 990_000, whole: 1_000_000, missed: 500}
				for i := range 40 {
					o.frames, o.whole, o.seen = o.frames+100, o.whole+100, o.seen+100
					if i == from && upset != nil {
						upset(&o)
					}
					now := o
					if upset == nil && (i == from || i == from+1) {
						now.whole = 0
					}
					if f := j.look(now); f != fine {
						t.Fatalf("%s from look %d on, zero-copy %v: finding %d at look %d", name, from, zeroCopy, f, i)
					}
				}
			}
		}
	}
	// And a loss is found after that.
	j := judge{zeroCopy: true, native: true}
	o, found := observation{frames: 990_000, whole: 1_000_000}, false
	for i := range 40 {
		o.frames, o.whole, o.seen = o.frames+100, o.whole+100, o.seen+50
		now := o
		if i == 8 {
			now.whole = 0
		}
		found = j.look(now) == lossy || found
	}
	if !found {
		t.Error("a loss is not found")
	}
}
