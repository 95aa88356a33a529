package live

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// both returns a datagram as a frame for AF_XDP and as fragments for the stack.
func (l *xdpLab) both(src netip.AddrPort, payload []byte) (whole, pieces [][]byte) {
	mtu := 576
	if src.Addr().Is6() {
		mtu = 600
	}
	return one(l.frame(src, payload)), l.fragments(src, payload, mtu)
}

// frameRecords is how many records of NetFlow v5 fit in a frame by IPv6 too, with
// extension headers.
const frameRecords = 27

// TestXDPAdmission: who may send is the same on both paths, and what is refused is
// counted on each; garbage ends in a counter too.
func TestXDPAdmission(t *testing.T) {
	t.Parallel()
	for _, kind := range []int{0, 3} {
		kind := xdpKinds[kind]
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			w := startXDP(l, "-xdp.mode", kind.mode, "-xdp.workers", "2",
				"-exporters.allow", "10.2.0.0/16,10.2.1.7,fd00:2::/64,fd00:2::107",
				"-exporters.deny", "10.2.1.0/24,10.2.2.2,fd00:2::100/120,10.2.3.0/24,10.2.3.0/24")
			const each = 5
			exporters, short := 0, 0          // of those that may
			good, garbage, refused := 0, 0, 0 // datagrams on each of the paths
			for _, exporter := range []struct {
				addr string
				may  bool
			}{
				{"10.2.0.1", true}, {"10.2.1.1", false}, {"10.2.1.7", true}, {"10.2.2.1", true}, {"10.2.2.2", false},
				{"10.2.3.255", false}, {"10.3.0.1", false}, {"192.0.2.1", false},
				{"fd00:2::1", true}, {"fd00:2::101", false}, {"fd00:2::107", true}, {"fd00:3::1", false},
			} {
				src := netip.AddrPortFrom(netip.MustParseAddr(exporter.addr), 5000)
				for range each {
					number := 2 * good * frameRecords
					if !exporter.may {
						number = 1 << 20
					}
					whole, _ := l.both(src, netflow5(number, frameRecords))
					_, pieces := l.both(src, netflow5(number+frameRecords, frameRecords))
					l.send(whole...)
					l.send(pieces...)
					if exporter.may {
						good++
					} else {
						refused++
					}
				}
				for _, junk := range [][]byte{
					bytes.Repeat([]byte{0xa5}, 1000), append([]byte{0, 9}, make([]byte, 800)...), append([]byte{0, 10, 255, 255}, make([]byte, 700)...),
				} {
					if exporter.may {
						whole, pieces := l.both(src, junk)
						l.send(whole...)
						l.send(pieces...)
						garbage++
					}
				}
				if exporter.may { // too short to be in fragments
					l.send(l.frame(src, nil), l.frame(src, []byte{0}), l.frame(src, []byte{0, 5, 0, 1}))
					short += 3
					exporters++
				}
			}
			w.waitMetric(refused, "xdp_verdicts_total", `"drop_denied"`)
			m := w.settleBoth(2*(good+garbage) + short + refused)
			m.lossless(t)
			for _, n := range []struct {
				what      string
				got, want int
			}{
				{"denied in the program", m.verdict("drop_denied"), refused},
				{"denied at the sockets", m.count("datagrams_total", `outcome="dropped"`, `reason="denied"`), refused},
				{"over the rate", m.count("datagrams_total", `reason="rate"`) + m.verdict("drop_rate"), 0},
				{"redirected", m.verdict("redirect"), good + garbage + short},
				{"over udp", m.path("udp"), good + garbage + refused},
				{"over xdp", m.path("xdp"), good + garbage + short},
				{"records", m.count("records_produced_total"), 2 * good * frameRecords},
				{"exporters", m.count("exporters"), exporters},
			} {
				if n.got != n.want {
					t.Errorf("%s: %d, want %d", n.what, n.got, n.want)
				}
			}
			if m.count("datagrams_total", `outcome="failed"`) == 0 {
				t.Error("no garbage has failed")
			}
			w.stop()
			eachOnce(t, numbersOf(readLines(t, w.file)), 2*good*frameRecords)
		})
	}
}

// TestXDPRate: each exporter gets its burst and its rate, and no more, on either
// path; one that keeps to it loses nothing.
func TestXDPRate(t *testing.T) {
	t.Parallel()
	for _, kind := range []int{1, 2} {
		kind := xdpKinds[kind]
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			const rate, minBurst, sent, modest = 50, 64, 300, 20
			w := startXDP(l, "-xdp.mode", kind.mode, "-xdp.workers", "2", "-exporters.rate", itoa(rate))
			fast, fastOnStack, slow := source(1), source(2), source(3)
			began := time.Now()
			for i := range sent {
				payload := netflow5(0, recordsPerDatagram)
				whole, _ := l.both(fast, payload)
				_, pieces := l.both(fastOnStack, payload)
				l.send(whole...)
				l.send(pieces...)
				if i < modest {
					whole, pieces = l.both(slow, payload)
					l.send(whole...)
					l.send(pieces...)
				}
			}
			w.waitMetric(sent+modest, "datagrams_received_total", `path="udp"`)
			eventually(t, "all frames have a verdict", func() bool {
				m := w.scrape()
				return m.verdict("redirect")+m.verdict("drop_rate") == sent+modest
			})
			most := minBurst + int(time.Since(began)*rate/time.Second) + 1
			m := w.settleBoth(w.received())

			byXDP := m.path("xdp") - modest
			if byXDP < minBurst || byXDP > most || m.verdict("drop_rate") != sent-byXDP {
				t.Errorf("by AF_XDP: %d received and %d dropped of %d, want %d to %d received", byXDP, m.verdict("drop_rate"), sent, minBurst, most)
			}
			dropped := m.count("datagrams_total", `outcome="dropped"`, `reason="rate"`)
			if got := sent - dropped; got < minBurst || got > most || m.path("udp") != sent+modest {
				t.Errorf("over the stack: %d taken of %d, want %d to %d; %d received", got, sent, minBurst, most, m.path("udp"))
			}
			for series, want := range map[string]int{
				`weir_xdp_exporter_limited_total{exporter="10.2.0.1"}`: sent - byXDP,
				`weir_xdp_exporter_limited_total{exporter="10.2.0.3"}`: 0,
				`weir_exporter_limited_total{exporter="10.2.0.2"}`:     dropped,
				`weir_exporter_limited_total{exporter="10.2.0.3"}`:     0,
				`weir_exporter_datagrams_total{exporter="10.2.0.3"}`:   2 * modest,
				`weir_exporter_datagrams_total{exporter="10.2.0.2"}`:   sent - dropped,
			} {
				if int(m[series]) != want {
					t.Errorf("%s %v, want %d", series, m[series], want)
				}
			}
			// goflow2's dashboards see the drops of both paths.
			for exporter, want := range map[string]int{"10.2.0.1": sent - byXDP, "10.2.0.2": dropped} {
				if got := m.goflow2Dropped(exporter); got != want {
					t.Errorf("goflow2_flow_dropped_packets_total of %s: %d, want %d", exporter, got, want)
				}
			}
			w.stop()
		})
	}
}

// goflow2Dropped returns goflow2's count of what was dropped of an exporter.
func (m metrics) goflow2Dropped(exporter string) int {
	sum := 0.0
	for series, n := range m {
		if strings.HasPrefix(series, "goflow2_flow_dropped_packets_total{") && strings.Contains(series, `remote_ip="`+exporter+`"`) {
			sum += n
		}
	}
	return int(sum)
}

// TestXDPMixedLedger: while weir is held still, its rings and its receive buffer
// overflow; each datagram is received or counted as dropped in one place.
func TestXDPMixedLedger(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, 1)
			w := startXDP(l, "-xdp.mode", mode, "-xdp.workers", "1", "-xdp.ring", "64", "-receive.buffer", "64KiB")
			w.hold()
			const datagrams = 500
			for i := range datagrams {
				payload := netflow5(i*recordsPerDatagram, recordsPerDatagram)
				whole, pieces := l.both(source(1), payload)
				l.send(whole...)
				l.send(pieces...)
			}
			w.signal(unix.SIGCONT)
			var m metrics
			eventually(t, "all is received or dropped", func() bool {
				m = w.scrape()
				return m.path("xdp")+m.count("xdp_dropped_total") == datagrams &&
					m.path("udp")+m.count("socket_dropped_total") == datagrams
			})
			if m.verdict("redirect") != datagrams || m.path("xdp") == 0 || m.path("udp") == 0 ||
				m.count("xdp_dropped_total", `"rx_ring_full"`) == 0 || m.count("socket_dropped_total") == 0 {
				t.Errorf("redirected %d, received %d and %d, dropped %v and %d", m.verdict("redirect"), m.path("xdp"), m.path("udp"),
					seriesOf(m, "xdp_dropped_total"), m.count("socket_dropped_total"))
			}
			received := w.received()
			// One scrape looks at the ring before it looks at what was received of it.
			m = w.settleBoth(received)
			if high, size := m.count("xdp_ring_high_water"), m.count("xdp_ring_size"); high != 64 || size != 64 {
				t.Errorf("the ring was filled to %d of %d, want 64 of 64", high, size)
			}
			w.stop()
			if n := countLines(w.file); n != received*recordsPerDatagram {
				t.Errorf("%d lines of %d datagrams", n, received)
			}
		})
	}
}
