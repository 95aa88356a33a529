package live

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestRestartGap starts weir again, with the exporter's numbers going on: what was lost
// while nobody had the port is reported as lost over the restart, and nothing where a
// manager kept the socket, after a stop or a kill.
func TestRestartGap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		keep, kill bool
		away       int // datagrams sent while no weir runs
		restart    uint64
	}{
		{"stopped and nobody keeps", false, false, 50, 50},
		{"stopped and nothing is sent", false, false, 0, 0},
		{"stopped and kept", true, false, 50, 0},
		{"killed and kept", true, true, 50, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host := newHost(t)
			m := newManager(t, host)
			dir := t.TempDir()
			file := filepath.Join(dir, "flows.json")
			begin := func() *weir {
				args := []string{"-templates.json.path", filepath.Join(dir, "templates.json")}
				if test.keep {
					return m.start(file, args...)
				}
				return startWeirTo(t, host, file, args...)
			}
			conn := dial(t, host)
			next := 0
			burst := func(n int) {
				for range n {
					// The port may be closed: that is the loss.
					_, _ = conn.Write(netflow5(next, 1))
					next++
				}
			}
			w := begin()
			burst(100)
			w.waitMetric(100, "datagrams_received_total")
			if test.kill {
				// The numbers are saved once a second: these are not yet.
				burst(30)
				w.waitMetric(130, "datagrams_received_total")
				w.signal(syscall.SIGKILL)
				w.waitEnd()
			} else {
				w.stop()
			}
			burst(test.away)
			w = begin()
			burst(100)
			want := 100
			if test.keep {
				want += test.away
			}
			// A gap of now: when that is reported, the one over the restart is too.
			const later = 7
			next += later
			burst(100)
			want += 100
			w.waitMetric(want, "datagrams_received_total")
			var e exporterEntry
			defer func() {
				if t.Failed() {
					t.Logf("%+v", e)
				}
			}()
			eventually(t, "the gap after the restart is reported", func() bool {
				p := w.exporters()
				if len(p.List) != 1 {
					return false
				}
				e = p.List[0]
				return e.Lost.Network["flows"]+e.Lost.Here.Restart["flows"] >= test.restart+later
			})
			lost := e.Lost.Here.Restart["flows"]
			if lost < test.restart || lost+e.Lost.Network["flows"] != test.restart+later || test.keep && lost != 0 {
				t.Errorf("lost %+v, want %d over the restart and %d later", e.Lost, test.restart, later)
			}
			if len(e.Lost.Here.Socket) != 0 || e.Restarts != 0 {
				t.Errorf("lost %+v, restarts %d", e.Lost, e.Restarts)
			}
			if len(e.Streams) != 1 || e.Streams[0].CountsBy == "unknown" {
				t.Errorf("streams %+v", e.Streams)
			}
			w.stop()
		})
	}
}
