package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/producer/flowpb"
)

// pathMTU is that of the way from the exporters of the corpus: longer datagrams
// come in fragments, and so through the stack.
const pathMTU = 1280

// captured is a capture of the corpus.
type captured struct {
	name      string
	file      string
	datagrams []capture.Datagram
	sources   map[netip.Addr]bool
}

// corpus reads the captures of the corpus, or skips the test. IPFIX over TCP is
// none of weir's.
func corpus(t *testing.T) []captured {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	files, err := filepath.Glob(filepath.Join(dir, "pcap", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Skipf("no corpus of captures in %s (set WEIR_CORPUS to its folder)", dir)
	}
	var all []captured
	for _, file := range files {
		list, stats, err := capture.Load(file)
		var damaged *capture.DamagedError // what comes before the damage is good
		if err != nil && !errors.As(err, &damaged) {
			t.Fatal(err)
		}
		if len(list) == 0 && stats.TCP > 0 {
			continue
		}
		if slices.ContainsFunc(list, func(d capture.Datagram) bool { return d.Src.Addr() == netip.IPv6Loopback() }) {
			continue // the stack throws away what comes from there, and the program leaves it to the stack
		}
		if len(list) > 1000 && (raceDetector() || testing.Short()) {
			continue // long, and of one kind
		}
		c := captured{name: strings.TrimSuffix(filepath.Base(file), ".pcap"), file: file, datagrams: list, sources: map[netip.Addr]bool{}}
		for _, d := range list {
			c.sources[d.Src.Addr()] = true
		}
		all = append(all, c)
	}
	return all
}

// groupSize is how many captures are played to one weir at most.
const groupSize = 8

// apart puts captures into groups in which no two have a source in common: what
// one announces means nothing to another.
func apart(all []captured) [][]captured {
	var groups [][]captured
	var sources []map[netip.Addr]bool
next:
	for _, c := range all {
		for i, seen := range sources {
			if len(groups[i]) < groupSize && !common(seen, c.sources) {
				groups[i] = append(groups[i], c)
				for a := range c.sources {
					seen[a] = true
				}
				continue next
			}
		}
		groups = append(groups, []captured{c})
		seen := map[netip.Addr]bool{}
		for a := range c.sources {
			seen[a] = true
		}
		sources = append(sources, seen)
	}
	return groups
}

func common(a, b map[netip.Addr]bool) bool {
	for addr := range b {
		if a[addr] {
			return true
		}
	}
	return false
}

// TestXDPCorpus: what weir makes of each capture of the corpus, sent as frames
// from its own sources, is what weir decode makes of it. Datagrams longer than the
// path's MTU, and from loopback addresses, take the other path in the same run. No data is held for its template:
// weir decode holds it by the clock of the capture, which here goes faster, and a
// capture of the corpus has data whose template never comes.
func TestXDPCorpus(t *testing.T) {
	t.Parallel()
	needXDP(t)
	var captures atomic.Int64
	var sum pathSums
	t.Run("play", func(t *testing.T) {
		for i, group := range apart(corpus(t)) {
			kind := xdpKinds[i%len(xdpKinds)]
			t.Run(fmt.Sprintf("group %d, %s", i+1, kind.name), func(t *testing.T) {
				t.Parallel()
				l := newXDPLab(t, kind.queues)
				w := startXDP(l, append(delimited, "-xdp.mode", kind.mode, "-xdp.workers", "2", "-templates.pending", "0")...)
				run := &corpusRun{t: t, lab: l, weir: w}
				for _, c := range group {
					run.play(&c)
					captures.Add(1)
				}
				sum.xdp.Add(int64(run.last.path("xdp")))
				sum.udp.Add(int64(run.last.path("udp")))
				w.stop()
			})
		}
	})
	t.Logf("%d captures, %d datagrams by AF_XDP, %d over the stack", captures.Load(), sum.xdp.Load(), sum.udp.Load())
	if captures.Load() > 0 && (sum.xdp.Load() == 0 || sum.udp.Load() == 0) {
		t.Error("one of the paths was not used")
	}
}

// pathSums counts the datagrams of all groups by path.
type pathSums struct{ xdp, udp atomic.Int64 }

// corpusRun is one weir that captures are played to, one after the other.
type corpusRun struct {
	t      *testing.T
	lab    *xdpLab
	weir   *weir
	last   metrics
	length int // of the output before the capture
}

// play sends a capture and compares what is written.
func (r *corpusRun) play(c *captured) {
	r.t.Helper()
	if r.last == nil {
		r.last = r.weir.scrape()
	}
	before := r.last
	sent, overStack := 0, 0
	onStack := false // where the datagrams before went
	sync := func() {
		r.weir.waitMetric(before.count("datagrams_received_total")+sent, "datagrams_received_total")
	}
	for i, d := range c.datagrams {
		frames := r.lab.fragments(d.Src, d.Payload, pathMTU)
		// What was captured on a loopback interface has a source that no wire has.
		stack := len(frames) > 1 || d.Src.Addr().IsLoopback()
		if stack != onStack || i%(window/2) == 0 {
			sync() // neither path may overtake the other
			onStack = stack
		}
		if stack {
			overStack++
		}
		r.lab.send(frames...)
		sent++
	}
	sync()
	m := r.weir.settleBoth(before.count("datagrams_received_total") + sent)
	r.last = m
	if n := m.path("udp") - before.path("udp"); n != overStack {
		r.t.Errorf("%s: %d datagrams over the stack, want %d", c.name, n, overStack)
	}
	if n := m.path("xdp") - before.path("xdp"); n != sent-overStack {
		r.t.Errorf("%s: %d datagrams by AF_XDP, want %d", c.name, n, sent-overStack)
	}
	r.compare(c, before, m)
}

// decodeStats is what is used of weir decode -stats.
type decodeStats struct {
	Decoded  int            `json:"datagrams_decoded"`
	Failed   map[string]int `json:"datagrams_failed"`
	Produced int            `json:"records_produced"`
	Options  int            `json:"options_records"`
	Missing  int            `json:"sets_without_template"`
	Faults   map[string]int `json:"faults"`
}

// compare compares with weir decode of the same capture.
func (r *corpusRun) compare(c *captured, before, after metrics) {
	t := r.t
	t.Helper()
	data, err := os.ReadFile(r.weir.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // no flow yet, no file
		t.Fatal(err)
	}
	got := data[r.length:]
	r.length = len(data)
	want, stats := decodeFile(t, r.lab.collector, c.file)

	delta := func(name string, labels ...string) int {
		return after.count(name, labels...) - before.count(name, labels...)
	}
	failed, faults := 0, 0
	for _, n := range stats.Failed {
		failed += n
	}
	for _, n := range stats.Faults {
		faults += n
	}
	for _, n := range []struct {
		what      string
		got, want int
	}{
		{"records produced", delta("records_produced_total"), stats.Produced},
		{"datagrams decoded", delta("datagrams_total", `outcome="decoded"`), stats.Decoded},
		{"datagrams failed", delta("datagrams_total", `outcome="failed"`), failed},
		{"options records", delta("options_records_total"), stats.Options},
		{"sets without template", delta("sets_without_template_total"), stats.Missing},
		{"faults", delta("decode_faults_total"), faults},
	} {
		if n.got != n.want {
			t.Errorf("%s: %s: %d, decode says %d", c.name, n.what, n.got, n.want)
		}
	}
	a, b := sortedMessages(t, got), sortedMessages(t, want)
	if len(a) != len(b) {
		t.Errorf("%s: %d messages, decode writes %d", c.name, len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			t.Errorf("%s: message %d of %d:\n%v\ndecode:\n%v", c.name, i, len(a), printed(t, a[i]), printed(t, b[i]))
			return
		}
	}
}

func printed(t *testing.T, b []byte) *flowpb.FlowMessage {
	t.Helper()
	m := new(flowpb.FlowMessage)
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// decodeFile runs weir decode on a capture.
func decodeFile(t *testing.T, host *testnet.Host, file string) ([]byte, *decodeStats) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "stats.json")
	code, stdout, stderr := runWeir(t, weirCommand(host, "decode", "-format", "bin", "-transport.file.sep", "", "-stats", name, file))
	if code != 0 {
		t.Fatalf("weir decode %s: exit %d: %s", file, code, stderr)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	stats := new(decodeStats)
	if err := json.Unmarshal(text, stats); err != nil {
		t.Fatal(err)
	}
	return []byte(stdout), stats
}

// sortBytes sorts a list of byte strings in place and returns it.
func sortBytes(list [][]byte) [][]byte {
	slices.SortFunc(list, bytes.Compare)
	return list
}
