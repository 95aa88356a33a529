package live

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// TestSoftflowd: what softflowd exports of known traffic is what weir writes, in
// each protocol and over each transport, and softflowd's own statistics say so.
func TestSoftflowd(t *testing.T) {
	t.Parallel()
	needProgram(t, "softflowd", "softflowd")
	for _, version := range []struct {
		flag, typ string
		traffic   []conversation
	}{
		{"5", "NETFLOW_V5", conversations4}, // v5 has no IPv6 flows
		{"9", "NETFLOW_V9", bothFamilies()},
		{"10", "IPFIX", bothFamilies()},
	} {
		for _, end := range []struct{ name, from, to string }{
			{"ipv4", exporter4, collector4},
			{"ipv6", exporter6, collector6},
		} {
			t.Run("v"+version.flag+"/"+end.name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				w := startWeir(t, l.collector)
				s := startSoftflowd(t, l, "-v", version.flag, "-n", hostPort(end.to, 2055))
				inject(t, l.outside, "mon0", frames(version.traffic), l.exporter)
				inject(t, l.outside, "mon0", frames([]conversation{filler}), l.exporter)
				sum := s.finish(packets(version.traffic))
				fill := filler
				fill.packets = sum.packets - packets(version.traffic)

				m := w.settle(sum.datagrams)
				w.stop()
				m.lossless(t)
				records := readLines(t, w.file)
				checkCommon(t, records, version.typ, end.from)
				sameFlows(t, byFlow(t, records), sent(append(slices.Clone(version.traffic), fill), 0))
				if len(records) != sum.records || m.count("records_produced_total") != sum.records {
					t.Errorf("%d lines, %d records produced, softflowd exported %d", len(records), m.count("records_produced_total"), sum.records)
				}
				if sum.failures != 0 || sum.lost != 0 {
					t.Errorf("softflowd lost %d packets and failed to send %d datagrams", sum.lost, sum.failures)
				}
			})
		}
	}
}

// TestSoftflowdBidirectional: with -b softflowd sends both directions of a flow in one
// record (RFC 5103). weir writes a message of each, and their packets and bytes are those
// that were sent, by flow and in sum.
func TestSoftflowdBidirectional(t *testing.T) {
	t.Parallel()
	needProgram(t, "softflowd", "softflowd")
	l := newLab(t)
	w := startWeir(t, l.collector)
	s := startSoftflowd(t, l, "-v", "10", "-b", "-n", hostPort(collector4, 2055))
	traffic := bothFamilies()
	inject(t, l.outside, "mon0", frames(traffic), l.exporter)
	inject(t, l.outside, "mon0", frames([]conversation{filler}), l.exporter)
	sum := s.finish(packets(traffic))
	fill := filler
	fill.packets = sum.packets - packets(traffic)

	m := w.settle(sum.datagrams)
	w.stop()
	m.lossless(t)
	records := readLines(t, w.file)
	checkCommon(t, records, "IPFIX", exporter4)
	want := sent(append(slices.Clone(traffic), fill), 0)
	sameFlows(t, byFlow(t, records), want)
	var got, all totals
	for _, r := range records {
		got.packets, got.bytes = got.packets+uint64(r.Packets), got.bytes+uint64(r.Bytes)
	}
	for _, f := range want {
		all.packets, all.bytes = all.packets+f.packets, all.bytes+f.bytes
	}
	if got != all {
		t.Errorf("%+v in all messages, sent %+v", got, all)
	}
	if n := len(records); n != len(want) || m.count("records_produced_total") != n {
		t.Errorf("%d lines, %d records produced, want %d", n, m.count("records_produced_total"), len(want))
	}
}

// softflowd is a running exporter.
type softflowd struct {
	*child
	control func(command string) string
}

// exported is what softflowd says about its work.
type exported struct{ packets, records, datagrams, failures, lost int }

// startSoftflowd starts softflowd on the exporter's mon0 and waits until it
// watches.
func startSoftflowd(t *testing.T, l *lab, args ...string) *softflowd {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "ctl")
	cmd := l.exporter.Command(context.Background(), "softflowd", append([]string{
		"-d", "-i", "mon0", "-C", "1600", "-p", filepath.Join(dir, "pid"), "-c", socket}, append(args, trafficFilter)...)...)
	cmd.Env = environment()
	s := &softflowd{child: startChild(t, cmd)}
	s.control = func(command string) string {
		t.Helper()
		return runOn(t, l.exporter, environment(), "softflowctl", "-c", socket, command)
	}
	s.waitFor("Exporting flows from mon0")
	return s
}

// finish waits until softflowd has seen n packets and what filler it got with
// them, has it export its flows and
// ends it.
func (s *softflowd) finish(n int) exported {
	s.t.Helper()
	var e exported
	eventually(s.t, "softflowd sees all packets", func() bool {
		before := e.packets
		e.packets = s.number(`Packets processed: (\d+)`)
		return e.packets >= n && e.packets == before
	})
	s.control("expire-all")
	eventually(s.t, "softflowd exports its flows", func() bool {
		e.records = s.number(`Flows exported: \d+ \((\d+) records\)`)
		return s.number(`Number of active flows: (\d+)`) == 0 && e.records > 0
	})
	if again := s.number(`Packets processed: (\d+)`); again != e.packets {
		s.t.Fatalf("softflowd processed %d packets after %d", again, e.packets)
	}
	e.datagrams = s.number(`Flows exported: .* in (\d+) packets`)
	e.failures = s.number(`\((\d+) failures\)`)
	e.lost = s.number(`Packets dropped by libpcap: (\d+)`) + s.number(`Packets dropped by interface: (\d+)`)
	s.control("shutdown")
	s.waitEnd()
	return e
}

// number finds a number in softflowd's statistics.
func (s *softflowd) number(pattern string) int {
	s.t.Helper()
	stats := s.control("statistics")
	m := regexp.MustCompile(pattern).FindStringSubmatch(stats)
	if m == nil {
		s.t.Fatalf("no %s in %s", pattern, stats)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
