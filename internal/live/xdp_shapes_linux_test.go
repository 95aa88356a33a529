package live

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// shape is a kind of traffic, and where it has to end.
type shape struct {
	name    string
	verdict string // of each of its frames
	path    string // that weir receives the datagram over; empty: not at all
	frames  func(l *xdpLab, payload []byte) [][]byte
}

// one is a frame on its own.
func one(frame []byte) [][]byte { return [][]byte{frame} }

// whole is a datagram of either family, with VLAN tags.
func whole(src netip.AddrPort, tags ...uint16) func(*xdpLab, []byte) [][]byte {
	return func(l *xdpLab, payload []byte) [][]byte { return one(l.frame(src, payload, tags...)) }
}

// inFragments is a datagram on a way with an MTU.
func inFragments(src netip.AddrPort, mtu int) func(*xdpLab, []byte) [][]byte {
	return func(l *xdpLab, payload []byte) [][]byte { return l.fragments(src, payload, mtu) }
}

// extended is an IPv6 datagram with extension headers.
func extended(list ...extension) func(*xdpLab, []byte) [][]byte {
	return func(l *xdpLab, payload []byte) [][]byte {
		src := source6(1)
		next, body := withExtensions(udpDatagram(src, collectorPort6, payload), list...)
		return one(l.ethernet(ipPacket(src.Addr(), collectorPort6.Addr(), next, body)))
	}
}

// to is an IPv4 packet of any protocol, from the exporter.
func to(proto byte, body func(src, dst netip.AddrPort, payload []byte) []byte) func(*xdpLab, []byte) [][]byte {
	return func(l *xdpLab, payload []byte) [][]byte {
		src := netip.MustParseAddrPort(exporter4 + ":5000")
		return one(l.ethernet(ipPacket(src.Addr(), collectorPort4.Addr(), proto, body(src, collectorPort4, payload))))
	}
}

// damaged changes a datagram's frame.
func damaged(change func(frame []byte) []byte) func(*xdpLab, []byte) [][]byte {
	return func(l *xdpLab, payload []byte) [][]byte { return one(change(l.frame(source(1), payload))) }
}

const (
	hopByHop    extension = unix.IPPROTO_HOPOPTS
	destination extension = unix.IPPROTO_DSTOPTS
	inEthernet            = 14 // where the IP header begins
)

// shapes have payloads that weir decodes, where it gets them. Tagged frames show
// that AF_XDP delivers what the stack would need a VLAN interface for.
var shapes = []shape{
	{"IPv4", "redirect", "xdp", whole(source(1))},
	{"IPv6", "redirect", "xdp", whole(source6(1))},
	{"VLAN", "redirect", "xdp", whole(source(2), 7)},
	{"VLAN, IPv6", "redirect", "xdp", whole(source6(2), 4094)},
	{"QinQ", "redirect", "xdp", whole(source(3), 100, 7)},
	{"three tags", "pass_vlan_depth", "", whole(source(3), 100, 7, 8)},
	{"IPv4 options", "redirect", "xdp", func(l *xdpLab, payload []byte) [][]byte {
		packet := ipPacket(source(4).Addr(), collectorPort4.Addr(), unix.IPPROTO_UDP, udpDatagram(source(4), collectorPort4, payload))
		packet = slices.Insert(packet, ipv4HeaderSize, 1, 1, 1, 0) // no operation, end of options
		packet[0] = 0x46
		be.PutUint16(packet[2:], uint16(len(packet)))
		be.PutUint16(packet[10:], 0)
		be.PutUint16(packet[10:], checksum(packet[:24]))
		return one(l.ethernet(packet))
	}},
	{"one extension header", "redirect", "xdp", extended(destination)},
	{"four extension headers", "redirect", "xdp", extended(hopByHop, destination, destination, destination)},
	{"five extension headers", "pass_ext_headers", "udp", extended(destination, destination, destination, destination, destination)},
	{"IPv4 fragments", "pass_fragment", "udp", inFragments(source(5), 576)},
	{"IPv6 fragments", "pass_fragment", "udp", inFragments(source6(5), 600)},
	{"padded frame", "redirect", "xdp", damaged(func(frame []byte) []byte { return append(frame, make([]byte, 20)...) })},
	{"another port", "pass_other_port", "", to(unix.IPPROTO_UDP, func(src, dst netip.AddrPort, payload []byte) []byte {
		return udpDatagram(src, netip.AddrPortFrom(dst.Addr(), 2056), payload)
	})},
	{"TCP", "pass_not_udp", "", to(unix.IPPROTO_TCP, func(src, dst netip.AddrPort, _ []byte) []byte {
		b := be.AppendUint16(nil, src.Port())
		b = be.AppendUint16(b, dst.Port())
		return append(b, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, 2, 16, 0, 0, 0, 0, 0) // SYN, without a checksum
	})},
	{"ICMP", "pass_not_udp", "", to(unix.IPPROTO_ICMP, func(_, _ netip.AddrPort, _ []byte) []byte {
		b := []byte{8, 0, 0, 0, 0, 1, 0, 1}
		be.PutUint16(b[2:], checksum(b))
		return b
	})},
	{"ARP", "pass_not_ip", "", func(l *xdpLab, _ []byte) [][]byte {
		b := append(append([]byte{}, l.dstMAC...), l.srcMAC...)
		b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
		b = append(append(b, l.srcMAC...), 10, 1, 0, 1)
		return one(append(b, 0, 0, 0, 0, 0, 0, 10, 1, 0, 2))
	}},
	{"cut short", "pass_malformed", "", damaged(func(frame []byte) []byte { return frame[:len(frame)-1] })},
	{"UDP length beyond the packet", "pass_malformed", "", damaged(func(frame []byte) []byte {
		udp := frame[inEthernet+ipv4HeaderSize:]
		be.PutUint16(udp[4:], uint16(len(udp)+1))
		return frame
	})},
	{"another host's MAC", "pass_other_mac", "", damaged(func(frame []byte) []byte { frame[5] ^= 1; return frame })},
	{"broadcast MAC", "pass_other_mac", "udp", damaged(func(frame []byte) []byte { copy(frame, "\xff\xff\xff\xff\xff\xff"); return frame })},
	// The lab has the stack take loopback and own sources: it decides.
	{"loopback source", "pass_martian", "udp", sourced("127.0.0.1")},
	{"source in network 0", "pass_martian", "udp", sourced("0.1.2.3")},
	{"multicast source", "pass_martian", "", sourced("239.1.2.3")},
	{"broadcast source", "pass_martian", "", sourced("255.255.255.255")},
	{"own address as source", "pass_martian", "udp", sourced(collectorPort4.Addr().String())},
	{"IPv6 multicast source", "pass_martian", "", sourced("ff05::1")},
	{"IPv6 loopback source", "pass_martian", "", sourced("::1")},
}

// sourced makes datagrams from an address.
func sourced(address string) func(*xdpLab, []byte) [][]byte {
	src := netip.AddrPortFrom(netip.MustParseAddr(address), 4000)
	dst := collectorPort4
	if src.Addr().Is6() {
		dst = collectorPort6
	}
	return func(l *xdpLab, payload []byte) [][]byte {
		return one(l.ethernet(ipPacket(src.Addr(), dst.Addr(), unix.IPPROTO_UDP, udpDatagram(src, dst, payload))))
	}
}

// TestXDPShapes: each kind of frame has its verdict, exactly, and each datagram
// its path.
func TestXDPShapes(t *testing.T) {
	t.Parallel()
	for _, kind := range xdpKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			w := startXDP(l, "-xdp.mode", kind.mode, "-xdp.workers", "2")
			before := w.scrape()
			if n := before.count("xdp_verdicts_total"); n != 0 {
				t.Fatalf("%d frames before the first was sent: %v", n, seriesOf(before, "xdp_verdicts_total"))
			}
			const each = 3
			datagrams := 0 // that weir gets
			for _, s := range shapes {
				frames := 0
				for range each {
					list := s.frames(l, netflow5(datagrams*frameRecords, frameRecords))
					l.send(list...)
					frames += len(list)
					if s.path != "" {
						datagrams++
					}
				}
				w.waitMetric(before.count("xdp_verdicts_total")+frames, "xdp_verdicts_total")
				m := w.waitMetric(datagrams, "datagrams_received_total")
				for _, label := range verdictLabels(m) {
					want := 0
					if label == s.verdict {
						want = frames
					}
					if n := m.verdict(label) - before.verdict(label); n != want {
						t.Errorf("%s: verdict %s %d times for %d frames, want %d", s.name, label, n, frames, want)
					}
				}
				for _, path := range []string{"udp", "xdp"} {
					want := 0
					if path == s.path {
						want = each
					}
					if n := m.path(path) - before.path(path); n != want {
						t.Errorf("%s: %d datagrams over %s, want %d", s.name, n, path, want)
					}
				}
				before = m
			}
			w.settleBoth(datagrams).lossless(t)
			w.stop()
			eachOnce(t, numbersOf(readLines(t, w.file)), datagrams*frameRecords)
		})
	}
}

// verdictLabels returns the labels of all verdicts, of which none may be missing.
func verdictLabels(m metrics) []string {
	var labels []string
	for _, series := range seriesOf(m, "xdp_verdicts_total") {
		var label string
		if _, err := fmt.Sscanf(series, `weir_xdp_verdicts_total{verdict=%q}`, &label); err == nil {
			labels = append(labels, label)
		}
	}
	return labels
}

// TestXDPJumbo: frames of 9000 bytes, which come in several buffers.
func TestXDPJumbo(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, 2)
			l.setMTU(l.exporter, 9000)
			l.setMTU(l.collector, 9000)
			w := startXDP(l, append(delimited, "-xdp.mode", mode, "-xdp.workers", "2")...)
			const datagrams, records = 100, 550 // 8844 bytes each
			var frames [][]byte
			for i := range datagrams {
				var data []byte
				for j := range records {
					data = append(data, flowRecord(i*records+j)...)
				}
				payload := ipfix(1, set(setIPFIXTemplate, flowTemplate(256)), set(256, data))
				frames = append(frames, l.frame([]netip.AddrPort{source(i % 16), source6(i % 16)}[i%2], payload))
			}
			l.deliver(w, frames)
			m := w.settleBoth(datagrams)
			m.lossless(t)
			if m.path("xdp") != datagrams || m.mode("eth0") != mode {
				t.Errorf("%d datagrams by AF_XDP, want %d; mode %s", m.path("xdp"), datagrams, m.mode("eth0"))
			}
			w.stop()
			eachOnce(t, delimitedNumbers(t, w.file), datagrams*records)
		})
	}
}
