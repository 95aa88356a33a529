package live

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// A hostileCase floods weir while four honest exporters send data, all of which
// must be in the output.
type hostileCase struct {
	name string
	// n is how many datagrams there are, full how many in a full run (WEIR_HOSTILE=full).
	n, full int
	args    []string
	// datagram returns the i-th, and the source that it comes from.
	datagram func(i int) (netip.AddrPort, []byte)
	// check looks at the metrics of the end.
	check func(t *testing.T, n int, m metrics)
}

// spoofed is the i-th of sixteen million sources.
func spoofed(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 2055)
}

// wideTemplate is a template of so many fields, four bytes each.
func wideTemplate(id uint16, fields int) []byte {
	b := words(id, uint16(fields))
	for i := range fields {
		b = append(b, words(uint16(1+i%400), 4)...)
	}
	return b
}

// twentyFields is a template as routers have them.
func twentyFields(id uint16) []byte {
	return words(id, 20, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 5, 1, 10, 4, 14, 4, 1, 8, 2, 8, 16, 4, 17, 4, 9, 1, 13, 1, 15, 4, 21, 4, 22, 4, 61, 1, 89, 1)
}

var hostileCases = []hostileCase{
	{
		name: "forged exporters with a template each", n: 20_000, full: 1_000_000,
		datagram: func(i int) (netip.AddrPort, []byte) {
			return spoofed(i), ipfix(1, set(setIPFIXTemplate, twentyFields(256)))
		},
		check: func(t *testing.T, n int, m metrics) {
			if limit := 100_000; n > limit && (m.count("templates_domains") > limit || m.count("templates_evicted_total", "domains") < n-limit) {
				t.Errorf("%d domains, %d evicted", m.count("templates_domains"), m.count("templates_evicted_total", "domains"))
			}
		},
	},
	{
		name: "forged exporters with data, table of 1,000", n: 20_000, full: 200_000, args: []string{"-templates.max-domains", "1000"},
		datagram: func(i int) (netip.AddrPort, []byte) {
			return spoofed(i), ipfix(1, set(setIPFIXTemplate, flowTemplate(256)), set(256, flowRecord(1<<40)))
		},
		check: func(t *testing.T, n int, m metrics) {
			if m.count("templates_domains") != 1000 || m.count("templates_evicted_total", "domains") < n-1000 {
				t.Errorf("%d domains, %d evicted", m.count("templates_domains"), m.count("templates_evicted_total", "domains"))
			}
		},
	},
	{
		name: "data without template of forged exporters", n: 20_000, full: 1_000_000, args: []string{"-templates.pending", "4MiB,2s"},
		datagram: func(i int) (netip.AddrPort, []byte) {
			return spoofed(i), ipfix(1, set(300, make([]byte, 1200)))
		},
		check: func(t *testing.T, n int, m metrics) {
			if m.count("sets_held_total", "overflow") == 0 || m.count("sets_held_bytes") > 4<<20 {
				t.Errorf("%v, %d bytes", seriesOf(m, "sets_held_total"), m.count("sets_held_bytes"))
			}
		},
	},
	{
		name: "all template ids of one exporter", n: 65_280, full: 65_280,
		datagram: func(i int) (netip.AddrPort, []byte) {
			return spoofed(1), ipfix(1, set(setIPFIXTemplate, twentyFields(uint16(256+i))))
		},
		check: func(t *testing.T, n int, m metrics) {
			// Those of which no data came make room for new ones.
			if kept := m.count("templates"); kept > 4096+honest {
				t.Errorf("%d templates kept of %d", kept, n)
			}
		},
	},
	{
		name: "a template redefined in every datagram", n: 20_000, full: 1_000_000,
		datagram: func(i int) (netip.AddrPort, []byte) {
			return spoofed(1), ipfix(1, set(setIPFIXTemplate, append(twentyFields(256), words(257, 1, uint16(1+i%30000), 4)...)))
		},
		check: func(t *testing.T, n int, m metrics) {
			if m.count("templates_announced_total", "replaced") < n-2 {
				t.Errorf("%d replaced of %d", m.count("templates_announced_total", "replaced"), n)
			}
		},
	},
	{
		name: "a template of 16,000 fields, and one that claims 65,535", n: 2_000, full: 20_000,
		datagram: func(i int) (netip.AddrPort, []byte) {
			if i%2 == 0 {
				return spoofed(i), ipfix(1, set(setIPFIXTemplate, words(256, 65535), make([]byte, 1200)))
			}
			return spoofed(i), ipfix(1, set(setIPFIXTemplate, wideTemplate(256, 360))) // what fits into a frame
		},
		check: func(t *testing.T, n int, m metrics) {
			if m.count("decode_faults_total", "template_truncated") != n/2 {
				t.Errorf("%d cut short of %d", m.count("decode_faults_total", "template_truncated"), n/2)
			}
		},
	},
	{
		name: "20,000 exporters with ten templates each", n: 2_000, full: 20_000,
		datagram: func(i int) (netip.AddrPort, []byte) {
			var all []byte
			for id := range uint16(10) {
				all = append(all, twentyFields(256+id)...)
			}
			return spoofed(i), ipfix(1, set(setIPFIXTemplate, all))
		},
		check: func(t *testing.T, n int, m metrics) {
			if got := m.count("templates"); got != 10*n+honest {
				t.Errorf("%d templates are known, want %d", got, 10*n+honest)
			}
		},
	},
}

// TestHostile floods weir in each way; see hostileCases. With WEIR_HOSTILE=full
// it says what each cost, for bench/results.
func TestHostile(t *testing.T) {
	full := os.Getenv("WEIR_HOSTILE") == "full"
	for _, tc := range hostileCases {
		t.Run(tc.name, func(t *testing.T) {
			n := tc.n
			if full {
				n = tc.full
			} else {
				t.Parallel()
			}
			runHostile(t, &tc, n)
		})
	}
}

const honest = 4

func runHostile(t *testing.T, tc *hostileCase, n int) {
	l := newXDPLab(t, 1)
	w := startWeir(t, l.collector, append([]string{"-templates.json.path", t.TempDir() + "/templates.json"}, tc.args...)...)
	sent, records := 0, 0
	honestly := func() { // each sends a record that no other has
		for i := range honest {
			l.send(l.frame(source(i), ipfix(1, set(256, flowRecord(records)))))
			records++
			sent++
		}
	}
	for i := range honest {
		l.send(l.frame(source(i), ipfix(1, set(setIPFIXTemplate, flowTemplate(256)))))
		sent++
	}
	honestly()
	w.waitMetric(sent, "datagrams_received_total")
	began := time.Now()
	for i := range n {
		from, payload := tc.datagram(i)
		l.send(l.frame(from, payload))
		sent++
		if i%50 == 0 {
			honestly()
		}
		if i%4096 == 4095 {
			w.waitSeldom(sent-1024, "datagrams_received_total")
		}
	}
	w.waitSeldom(sent, "datagrams_received_total")
	took := time.Since(began)
	eventually(t, "nothing waits any more", func() bool { return w.scrape().count("sets_held") == 0 })
	m := w.settle(sent)
	m.lossless(t)
	rss := w.memory("VmRSS")
	if tc.check != nil {
		tc.check(t, n, m)
	}
	t.Logf("| %s | %d | %d | %d | %.1f | %.1f | %d |", tc.name, n, rss>>10, w.memory("VmHWM")>>10,
		m["process_cpu_seconds_total"], m["process_cpu_seconds_total"]*1e6/float64(sent), int(float64(sent)/took.Seconds()))
	const limit = 512<<10 + 64<<10
	if used := w.memory("VmHWM"); !raceDetector() && used > limit {
		t.Errorf("resident memory was %d KiB, above %d", used, limit)
	}
	// The race detector takes several times as much for itself: of a process that has
	// it, this is what Go took for weir.
	if held := int(m["go_memstats_sys_bytes"]-m["go_memstats_heap_released_bytes"]) >> 10; held <= 0 || held > limit {
		t.Errorf("Go's runtime holds %d KiB, want up to %d", held, limit)
	}
	w.stop()
	var numbers []int
	for _, r := range readLines(t, w.file) {
		if !strings.HasPrefix(r.Sampler, "11.") {
			numbers = append(numbers, int(r.Bytes))
		}
	}
	eachOnce(t, numbers, records)
}

// waitSeldom is like waitMetric, and asks four times a second: a page on full tables
// costs weir as much as thousands of datagrams, which are what is measured.
func (w *weir) waitSeldom(n int, name string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); w.scrape().count(name) < n; time.Sleep(250 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s is not %d after %v", name, n, patience)
		}
	}
}

// memory returns a line of the process's status, in KiB.
func (w *weir) memory(name string) int {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.pid()))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, name+": %d kB", &kib); err == nil {
			return kib
		}
	}
	w.t.Fatalf("no %s in the status", name)
	return 0
}
