package live

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPmacctd: what pmacctd's NetFlow probe and its sFlow probe export of known
// traffic is what weir writes.
func TestPmacctd(t *testing.T) {
	t.Parallel()
	needProgram(t, "pmacctd", "pmacct")
	for _, tc := range []struct {
		name, typ string
		traffic   []conversation
		extra     int // bytes of a packet that count beyond the IP packet
		plugin    []string
	}{
		{"nfprobe-v5", "NETFLOW_V5", conversations4, 0, []string{"plugins: nfprobe", "nfprobe_version: 5"}},
		{"nfprobe-v9", "NETFLOW_V9", bothFamilies(), 0, []string{"plugins: nfprobe", "nfprobe_version: 9"}},
		{"nfprobe-ipfix", "IPFIX", bothFamilies(), 0, []string{"plugins: nfprobe", "nfprobe_version: 10"}},
		// Sampling one in one: each packet is a sample. sFlow gives the length
		// of the frame: 14 bytes before the IP packet and a checksum of 4.
		{"sfprobe", "SFLOW_5", bothFamilies(), 18, []string{"plugins: sfprobe", "sampling_rate: 1", "sfprobe_agentip: " + exporter4}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			w := startWeir(t, l.collector)
			p := startPmacctd(t, l, tc.plugin...)
			inject(t, l.outside, "mon0", frames(tc.traffic), l.exporter)
			fill := filler
			fill.packets = 0
			if tc.typ == "SFLOW_5" {
				// sfprobe may keep its last samples until others fill up
				// the datagram.
				fill.packets = 12
				inject(t, l.outside, "mon0", frames([]conversation{fill}), l.exporter)
			}
			// A plugin may miss that the first packets wait for it; the next one wakes it.
			nudge, nudged := filler, time.Now()
			nudge.packets = 1
			w.waitPacketsWith(packets(tc.traffic), func() {
				if time.Since(nudged) > 2*time.Second {
					inject(t, l.outside, "mon0", frames([]conversation{nudge}), l.exporter)
					fill.packets++
					nudged = time.Now()
				}
			})
			p.finish(packets(tc.traffic) + fill.packets)

			m := w.rest()
			w.stop()
			m.lossless(t)
			records := readLines(t, w.file)
			checkCommon(t, records, tc.typ, exporter4)
			want := sent(tc.traffic, tc.extra)
			if fill.packets = filledIn(records); fill.packets > 0 {
				maps.Copy(want, sent([]conversation{fill}, tc.extra))
			}
			sameFlows(t, byFlow(t, records), want)
		})
	}
}

// pmacctd is a running exporter.
type pmacctd struct{ *child }

func startPmacctd(t *testing.T, l *lab, lines ...string) *pmacctd {
	t.Helper()
	dir := t.TempDir()
	config := append([]string{
		"daemonize: false",
		"pidfile: " + filepath.Join(dir, "pid"),
		"pcap_interface: mon0",
		"pcap_filter: " + trafficFilter,
		"snaplen: 256",
		"aggregate: src_host, dst_host, src_port, dst_port, proto, tos",
		"nfprobe_timeouts: udp=1:tcp=1:icmp=1:general=1:expint=1",
		"nfprobe_receiver: " + hostPort(collector4, 2055),
		"sfprobe_receiver: " + hostPort(collector4, 2055),
	}, lines...)
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte(strings.Join(config, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := l.exporter.Command(context.Background(), "pmacctd", "-f", path)
	cmd.Env = environment()
	p := &pmacctd{startChild(t, cmd)}
	// Its two processes are ready.
	p.waitFor("link type is: 1")
	p.waitFor("Exporting flows to")
	return p
}

// finish ends pmacctd, which must have seen n packets and lost none. It is asked
// before the end: what it says at its end depends on which of its processes is
// first.
func (p *pmacctd) finish(n int) {
	p.t.Helper()
	p.signal(syscall.SIGUSR1)
	p.waitFor(fmt.Sprintf("received_packets=%d dropped_packets=0", n))
	p.signal(syscall.SIGINT)
	p.waitEnd()
}
