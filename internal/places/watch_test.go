package places

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/sink"
)

// lines collects what is logged, with the second in which it was.
type lines struct {
	began time.Time
	all   []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.all = append(l.all, fmt.Sprintf("%d %s", time.Since(l.began)/time.Second, p))
	return len(p), nil
}

func (l *lines) String() string { return strings.Join(l.all, "") }

// rig runs a watcher in the time of a synctest bubble.
type rig struct {
	mu     sync.Mutex // guards now while the watcher runs
	now    Reading
	log    lines
	status []string
	*Watcher
}

// run runs the watcher, and calls change after each second, whose number it gets.
func run(t *testing.T, duration time.Duration, change func(r *rig, second int)) *rig {
	t.Helper()
	r := &rig{log: lines{began: time.Now()}}
	r.Watcher = NewWatcher(slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "do" {
			return slog.Attr{}
		}
		return a
	}})))
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(done, func() *Reading {
			r.mu.Lock()
			defer r.mu.Unlock()
			now := r.now
			return &now
		}, func(line string) { r.status = append(r.status, line) })
	}()
	time.Sleep(every / 2)
	for second := 1; second <= int(duration/time.Second); second++ {
		r.mu.Lock()
		change(r, second)
		r.mu.Unlock()
		time.Sleep(every)
		synctest.Wait()
	}
	close(done)
	<-ended
	return r
}

// TestLines: one line when a loss begins, one a minute while it lasts, one when it ends.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, 5*time.Minute, func(r *rig, second int) {
			r.now.Received += 100
			if second >= 3 && second < 130 {
				r.now.Socket += 10
			}
			if second == 200 { // again, after the end
				r.now.Socket++
			}
		})
		want := `3 level=ERROR msg="the kernel drops datagrams because a socket's receive buffer is full" place=socket loss=begins datagrams=10
63 level=ERROR msg="the kernel drops datagrams because a socket's receive buffer is full" place=socket loss=lasts for=1m0s datagrams=600 all=610
123 level=ERROR msg="the kernel drops datagrams because a socket's receive buffer is full" place=socket loss=lasts for=2m0s datagrams=600 all=1210
183 level=ERROR msg="the kernel drops datagrams because a socket's receive buffer is full" place=socket loss=lasts for=3m0s datagrams=60 all=1270
243 level=ERROR msg="the kernel drops datagrams because a socket's receive buffer is full" place=socket loss=lasts for=4m0s datagrams=1 all=1271
`
		if got := r.log.String(); got != want {
			t.Errorf("logged:\n%swant:\n%s", got, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := run(t, 5*time.Minute, func(r *rig, second int) {
			if second == 3 || second == 70 || second == 200 {
				r.now.SetsWithoutTemplate += 2
			}
		})
		want := `3 level=WARN msg="data sets are lost because their template does not come" place=template_missing loss=begins sets=2
63 level=INFO msg="data sets are lost because their template does not come" place=template_missing loss=ended after=0s sets=2
123 level=WARN msg="data sets are lost because their template does not come" place=template_missing loss=begins sets=2
183 level=INFO msg="data sets are lost because their template does not come" place=template_missing loss=ended after=0s sets=2
243 level=WARN msg="data sets are lost because their template does not come" place=template_missing loss=begins sets=2
`
		if got := r.log.String(); got != want {
			t.Errorf("logged:\n%swant:\n%s", got, want)
		}
	})
}

// TestLineAMinute: whatever is lost whenever, no place has two lines in a minute, begins and
// ends alternate, and all that was lost is in the lines.
func TestLineAMinute(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := run(t, 30*time.Minute, func(r *rig, _ int) {
				chance := func() bool { return rnd.IntN(1<<(seed%8)) == 0 }
				if chance() {
					r.now.Socket += rnd.Uint64N(3)
				}
				if chance() {
					r.now.Limited++
				}
				if chance() {
					r.now.Exporters.Silent = rnd.IntN(3)
				}
				if chance() {
					r.now.Faults = append(r.now.Faults[:0:0], Count{"set_overrun", total(r.now.Faults) + 1})
				}
			})
			r.Finish(&r.now, time.Now())
			last, began, told := map[string]int{}, map[string]bool{}, map[string]uint64{}
			for _, line := range r.log.all {
				at, place := 0, field(line, "place")
				fmt.Sscan(line, &at)
				before, any := last[place]
				switch loss := field(line, "loss"); loss {
				case "until the stop":
				default:
					if any && at-before < 60 {
						t.Fatalf("two lines of %s within %d s:\n%s", place, at-before, r.log.String())
					}
					if loss == "begins" == began[place] {
						t.Fatalf("%s %s:\n%s", place, loss, r.log.String())
					}
				}
				last[place], began[place] = at, field(line, "loss") != "ended"
				if field(line, "loss") != "ended" {
					for _, unit := range []string{"datagrams", "faults"} {
						n := uint64(0)
						fmt.Sscan(field(line, unit), &n)
						told[place] += n
					}
				}
			}
			for place, want := range map[string]uint64{"socket": r.now.Socket, "rate": r.now.Limited, "decode": total(r.now.Faults)} {
				if told[place] != want {
					t.Errorf("seed %d: %d lost at %s, the lines say %d:\n%s", seed, want, place, told[place], r.log.String())
				}
			}
		})
	}
}

// field returns the value of a field of a line of the log, "" if it has none.
func field(line, name string) string {
	_, rest, ok := strings.Cut(line, " "+name+"=")
	if !ok {
		return ""
	}
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		text, _, _ := strings.Cut(quoted, `"`)
		return text
	}
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return text
}

// TestEveryPlace: a loss at any place is a line with a number, the reason and what to do;
// and makes health say so.
func TestEveryPlace(t *testing.T) {
	full := errors.New("no space left")
	lose := map[string]func(r *Reading){
		"network":               func(r *Reading) { r.Lost[sequence.Network][sequence.Flows] = 3 },
		"socket":                func(r *Reading) { r.Socket = 3 },
		"ring":                  func(r *Reading) { r.Ring = []Count{{"rx_ring_full", 3}} },
		"rate":                  func(r *Reading) { r.Limited = 3 },
		"decode":                func(r *Reading) { r.Faults = []Count{{"set_overrun", 2}, {"trailing_zeros", 9}, {"short_header", 1}} },
		"template_missing":      func(r *Reading) { r.SetsWithoutTemplate = 3 },
		"template_contradicted": func(r *Reading) { r.Faults, r.Replaced = []Count{{"set_empty", 1}}, 2 },
		"sampling":              func(r *Reading) { r.SamplingUnknown = 3 },
		"queue":                 func(r *Reading) { r.Dropped = []Count{{collector.ReasonSinkBehind, 3}} },
		"output":                func(r *Reading) { r.Dropped = []Count{{sink.ReasonWriteError, 3}} },
		"spool":                 func(r *Reading) { r.Dropped = []Count{{sink.ReasonSpoolFull, 1}, {sink.ReasonSpoolError, 2}} },
		"disk": func(r *Reading) {
			r.Dropped, r.LastError = []Count{{sink.ReasonDiskFull, 3}}, func(reason string) error {
				if reason == sink.ReasonDiskFull {
					return full
				}
				return nil
			}
		},
		"exporter_silent": func(r *Reading) {
			r.Exporters = collector.Troubles{Announced: 4, Silent: 3, Lately: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		},
		"clock": func(r *Reading) {
			r.Exporters = collector.Troubles{Announced: 4, ClockOff: 3, Clocks: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		},
	}
	says := map[string]string{
		"network": `by="flows=3"`, "ring": `by="rx_ring_full=3"`, "decode": `by="set_overrun=2,short_header=1"`,
		"template_contradicted": `by="replaced=2,set_empty=1"`, "spool": `by="spool_error=2,spool_full=1"`,
		"disk": `error="no space left"`, "exporter_silent": "which=192.0.2.1", "clock": "which=192.0.2.1",
	}
	for i := range Table {
		p := &Table[i]
		change := lose[p.Name]
		if change == nil {
			t.Fatalf("no loss at %s", p.Name)
		}
		synctest.Test(t, func(t *testing.T) {
			r := run(t, 20*time.Second, func(r *rig, second int) {
				r.now.Received++
				if second == 12 {
					change(&r.now)
				}
			})
			if len(r.log.all) != 1 {
				t.Fatalf("%s: logged:\n%s", p.Name, r.log.String())
			}
			line := r.log.all[0]
			if field(line, "place") != p.Name || field(line, p.Unit) != "3" || field(line, "msg") != p.What || !strings.Contains(line, says[p.Name]) {
				t.Errorf("%s: logged: %s", p.Name, line)
			}
			for _, one := range r.Health(time.Now()).Places {
				want := OK
				if one.Place == p.Name {
					want = Degraded
					if p.side == writing { // nothing was written in 20 seconds
						want = Failing
					}
				}
				if one.Status != want || (want == OK) != (one.Reasons == nil) {
					t.Errorf("loss at %s: %+v, want %s", p.Name, one, want)
				}
			}
			if line := r.status[len(r.status)-1]; !strings.Contains(line, p.Name) || !strings.Contains(line, "3 ") {
				t.Errorf("status line: %s", line)
			}
		})
	}
}
