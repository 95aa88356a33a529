package bpf

import (
	"bytes"
	"net/netip"
	"testing"
)

// A case is a frame and the verdict on it with listens(), no rules and all slots filled.
type frameCase struct {
	name  string
	frame []byte
	want  Verdict
}

func frameCases() []frameCase {
	const vlan, qinq, oldQinq = 0x8100, 0x88a8, 0x9100
	hop, route, dest := ext{header: 0}, ext{header: 43}, ext{header: 60}
	etherType := func(t uint16) []byte {
		return v4(datagram{edit: put16(-2, t)})
	}
	cases := []frameCase{
		{"IPv4", v4(datagram{}), Redirect},
		{"IPv4 with payload", v4(datagram{payload: 1400}), Redirect},
		{"IPv4 padded", v4(datagram{padding: 18}), Redirect},
		{"IPv4 all options", v4(datagram{options: 40}), Redirect},
		{"IPv4 don't fragment", v4(datagram{fragment: 0x4000}), Redirect},
		{"IPv4 reserved flag", v4(datagram{fragment: 0x8000}), Redirect},
		{"IPv6", v6(datagram{payload: 100}), Redirect},
		{"IPv6 padded", v6(datagram{padding: 3}), Redirect},
		{"VLAN", v4(datagram{tags: []uint16{vlan}}), Redirect},
		{"VLAN IPv6", v6(datagram{tags: []uint16{vlan}}), Redirect},
		{"802.1ad", v4(datagram{tags: []uint16{qinq}}), Redirect},
		{"0x9100", v4(datagram{tags: []uint16{oldQinq}}), Redirect},
		{"QinQ", v4(datagram{tags: []uint16{qinq, vlan}}), Redirect},
		{"QinQ IPv6", v6(datagram{tags: []uint16{oldQinq, vlan}}), Redirect},
		{"bound IPv4", v4(datagram{port: boundPort}), Redirect},
		{"bound IPv6", v6(datagram{port: boundPort}), Redirect},
		{"any IPv4 address", v4(datagram{dst: other4}), Redirect},
		{"any IPv6 address", v6(datagram{dst: other6}), Redirect},

		{"three tags", v4(datagram{tags: []uint16{qinq, vlan, vlan}}), PassVLANDepth},
		{"three tags, last QinQ", v4(datagram{tags: []uint16{vlan, vlan, qinq}}), PassVLANDepth},
		{"four tags", v6(datagram{tags: []uint16{qinq, vlan, vlan, vlan}}), PassVLANDepth},

		{"ARP", etherType(0x0806), PassNotIP},
		{"LLDP", etherType(0x88cc), PassNotIP},
		{"802.3 length", etherType(46), PassNotIP},
		{"VLAN ARP", v4(datagram{tags: []uint16{vlan}, edit: put16(-2, 0x0806)}), PassNotIP},

		{"first fragment", v4(datagram{fragment: 0x2000}), PassFragment},
		{"middle fragment", v4(datagram{fragment: 0x2001}), PassFragment},
		{"last fragment", v4(datagram{fragment: 0x0001}), PassFragment},
		{"fragment at the greatest offset", v4(datagram{fragment: 0x1fff}), PassFragment},
		{"TCP fragment", v4(datagram{fragment: 0x2000, protocol: 6}), PassFragment},
		{"fragment to another port", v4(datagram{fragment: 0x2000, port: otherPort}), PassFragment},
		{"IPv6 first fragment", v6(datagram{ext: []ext{{header: 44, segmentsLeft: 1}}}), PassFragment},
		{"IPv6 later fragment", v6(datagram{ext: []ext{{header: 44, segmentsLeft: 8}}}), PassFragment},
		{"IPv6 atomic fragment", v6(datagram{ext: []ext{{header: 44}}}), PassFragment},
		{"IPv6 fragment after others", v6(datagram{ext: []ext{hop, dest, route, dest, {header: 44}}}), PassFragment},

		{"TCP", v4(datagram{protocol: 6}), PassNotUDP},
		{"ICMP", v4(datagram{protocol: 1}), PassNotUDP},
		{"IPv4 authentication header", v4(datagram{protocol: 51}), PassNotUDP},
		{"UDP-Lite", v4(datagram{protocol: 136}), PassNotUDP},
		{"IPv6 TCP", v6(datagram{protocol: 6}), PassNotUDP},
		{"ICMPv6", v6(datagram{protocol: 58}), PassNotUDP},
		{"ICMPv6 after hop-by-hop", v6(datagram{ext: []ext{hop}, protocol: 58}), PassNotUDP},
		{"IPv6 ESP", v6(datagram{protocol: 50}), PassNotUDP},
		{"IPv6 no next header", v6(datagram{protocol: 59}), PassNotUDP},

		{"other port", v4(datagram{port: otherPort}), PassOtherPort},
		{"IPv6 other port", v6(datagram{port: otherPort}), PassOtherPort},
		{"port with bytes swapped", v4(datagram{port: anyPort>>8 | anyPort&0xff<<8}), PassOtherPort},
		{"bound port, other IPv4 address", v4(datagram{dst: other4, port: boundPort}), PassOtherPort},
		{"bound port, other IPv6 address", v6(datagram{dst: other6, port: boundPort}), PassOtherPort},
		{"listen port as the source's", v4(datagram{port: otherPort, edit: put16(20, anyPort)}), PassOtherPort},

		{"IPv6 destination options", v6(datagram{ext: []ext{dest}}), Redirect},
		{"IPv6 longest header", v6(datagram{ext: []ext{{header: 0, more: 255}}}), Redirect},
		{"IPv6 two headers", v6(datagram{ext: []ext{hop, dest}}), Redirect},
		{"IPv6 route at its end", v6(datagram{ext: []ext{hop, dest, route}}), Redirect},
		{"IPv6 four headers", v6(datagram{ext: []ext{hop, dest, {header: 43, more: 2}, dest}}), Redirect},
		{"IPv6 five headers", v6(datagram{ext: []ext{hop, dest, route, dest, dest}}), PassExtHeaders},
		{"IPv6 late hop-by-hop", v6(datagram{ext: []ext{dest, hop}}), PassExtHeaders},
		{"IPv6 route not at its end", v6(datagram{ext: []ext{{header: 43, more: 2, segmentsLeft: 1}}}), PassExtHeaders},
		{"IPv6 authentication header", v6(datagram{ext: []ext{{header: 51, more: 1}}}), PassExtHeaders},
		{"IPv6 mobility header", v6(datagram{ext: []ext{hop, {header: 135}}}), PassExtHeaders},
		{"IPv6 HIP", v6(datagram{ext: []ext{{header: 139}}}), PassExtHeaders},
		{"IPv6 shim6", v6(datagram{ext: []ext{{header: 140}}}), PassExtHeaders},

		{"version 6 in IPv4", v4(datagram{edit: put8(0, 0x65)}), PassMalformed},
		{"version 4 in IPv6", v6(datagram{edit: put8(0, 0x40)}), PassMalformed},
		{"IPv4 address in IPv6", v6(datagram{src: netip.MustParseAddr("::ffff:192.0.2.1")}), PassMartian},
		{"next to IPv4 addresses in IPv6", v6(datagram{src: netip.MustParseAddr("::fffe:192.0.2.1")}), PassMartian},
		{"IHL 4", v4(datagram{edit: put8(0, 0x44)}), PassMalformed},
		{"IHL 0", v4(datagram{edit: put8(0, 0x40)}), PassMalformed},
		{"IHL beyond the frame", v4(datagram{edit: put8(0, 0x4f)}), PassMalformed},
		{"IHL beyond the total length", v4(datagram{padding: 40, edit: put8(0, 0x4f)}), PassMalformed},
		{"total length 0", v4(datagram{edit: put16(2, 0)}), PassMalformed},
		{"total length without UDP", v4(datagram{edit: put16(2, 20)}), PassMalformed},
		{"total length into UDP", v4(datagram{edit: put16(2, 27)}), PassMalformed},
		{"total length one beyond the frame", v4(datagram{edit: put16(2, 29)}), PassMalformed},
		{"total length 65535", v4(datagram{edit: put16(2, 65535)}), PassMalformed},
		{"payload length 0", v6(datagram{edit: put16(4, 0)}), PassMalformed},
		{"payload length 7", v6(datagram{edit: put16(4, 7)}), PassMalformed},
		{"payload length one beyond the frame", v6(datagram{edit: put16(4, 9)}), PassMalformed},
		{"payload length 65535", v6(datagram{edit: put16(4, 65535)}), PassMalformed},
		{"payload length into headers", v6(datagram{ext: []ext{hop, dest}, edit: put16(4, 15)}), PassMalformed},
		{"payload length of headers", v6(datagram{ext: []ext{hop, dest}, edit: put16(4, 16)}), PassMalformed},
		{"header beyond the frame", v6(datagram{ext: []ext{dest}, edit: put8(41, 255)}), PassMalformed},
		{"UDP length 0", v4(datagram{edit: put16(24, 0)}), PassMalformed},
		{"UDP length 7", v4(datagram{edit: put16(24, 7)}), PassMalformed},
		{"UDP length beyond IP", v4(datagram{padding: 1, edit: put16(24, 9)}), PassMalformed},
		{"UDP length within IP", v4(datagram{payload: 10, edit: put16(24, 9)}), Redirect},
		{"IPv6 UDP length 7", v6(datagram{edit: put16(44, 7)}), PassMalformed},
		{"IPv6 UDP length 9", v6(datagram{edit: put16(44, 9)}), PassMalformed},
	}
	return append(cases, hostCases()...)
}

// hostCases are frames that are not for the host, or from where nobody is.
func hostCases() (cases []frameCase) {
	to := func(mac ...byte) func([]byte, int) []byte {
		return func(f []byte, _ int) []byte {
			copy(f, mac)
			return f
		}
	}
	for name, c := range map[string]struct {
		mac  []byte
		want Verdict
	}{
		"its own": {host.MAC[:], Redirect}, "its master's": {host.MasterMAC[:], Redirect},
		"another's": {[]byte{2, 0, 0, 0, 0, 2}, PassOtherMAC}, "first byte": {[]byte{0, 0, 0, 0, 0, 1}, PassOtherMAC},
		"zero": {make([]byte, 6), PassOtherMAC}, "broadcast": {[]byte{255, 255, 255, 255, 255, 255}, PassOtherMAC},
		"multicast": {[]byte{1, 0, 0x5e, 0, 0, 1}, PassOtherMAC},
	} {
		for kind, frame := range map[string][]byte{
			"IPv4": v4(datagram{edit: to(c.mac...)}), "IPv6": v6(datagram{edit: to(c.mac...)}),
			"IPv4 options": v4(datagram{options: 4, edit: to(c.mac...)}), "VLAN": v4(datagram{tags: []uint16{0x8100}, edit: to(c.mac...)}),
		} {
			cases = append(cases, frameCase{kind + " to " + name + " MAC", frame, c.want})
		}
	}
	for text, want := range map[string]Verdict{
		"0.0.0.0": PassMartian, "0.1.2.3": PassMartian, "1.0.0.0": Redirect, "126.255.255.255": Redirect,
		"127.0.0.0": PassMartian, "127.0.0.1": PassMartian, "127.255.255.255": PassMartian, "128.0.0.0": Redirect,
		"223.255.255.255": Redirect, "224.0.0.1": PassMartian, "239.255.255.255": PassMartian, "240.0.0.1": PassMartian,
		"255.255.255.255": PassMartian,
		"::":              PassMartian, "::1": PassMartian, "::192.0.2.1": PassMartian, "0:0:0:1::": Redirect,
		"fe80::1": Redirect, "64:ff9b::c000:201": Redirect, "ff02::1": PassMartian, "ff00::": PassMartian,
	} {
		a := netip.MustParseAddr(text)
		make := v4
		if a.Is6() {
			make = v6
		}
		cases = append(cases, frameCase{"from " + text, make(datagram{src: a}), want}, frameCase{"to " + text, make(datagram{dst: a}), want},
			frameCase{"to another port of " + text, make(datagram{dst: a, port: otherPort}), PassOtherPort})
	}
	for _, a := range host.Addrs {
		if a.Is4() {
			cases = append(cases, frameCase{"from own " + a.String(), v4(datagram{src: a}), PassMartian})
		} else {
			cases = append(cases, frameCase{"from own " + a.String(), v6(datagram{src: a}), PassMartian})
		}
	}
	return cases
}

// On a loopback interface, which has no hardware address, every frame is for the host and
// every source may be.
func TestLoopback(t *testing.T) {
	p := load(t, Config{Host: Host{Addrs: host.Addrs}}, listens())
	fillSlots(t, p)
	for _, c := range hostCases() {
		if c.want != PassOtherPort {
			c.want = Redirect
		}
		if v := run(t, p, c.frame, nil); v != c.want {
			t.Errorf("%s: %v, want %v", c.name, v, c.want)
		}
	}
}

// A source whose bits addresses of the host have, and which is none of these, is let through;
// few sources are such.
func TestOwnBits(t *testing.T) {
	p := load(t, Config{Host: host}, listens())
	fillSlots(t, p)
	first, second := host.ownBits()
	var one, both int
	for i := range 1 << 12 {
		src := netip.AddrFrom4([4]byte{203, 0, byte(112 + i>>8), byte(i)})
		f, s := hostBits(src)
		if first>>f&1 == 0 || second>>s&1 == 0 {
			one++
			if one > 256 {
				continue // as good as all
			}
		} else {
			both++
		}
		if v := run(t, p, v4(datagram{src: src}), nil); v != Redirect {
			t.Errorf("%v: %v", src, v)
		}
	}
	// Each address has one bit of 64 in each word.
	if n := len(host.Addrs); both == 0 || both > 2*(1<<12)*n*n/(64*64) {
		t.Errorf("%d of %d sources share both bits with %d addresses", both, 1<<12, n)
	}
}

// variants loads each form of the program that this kernel may run, with sockets.
func variants(t *testing.T, fn func(t *testing.T, p *Program)) {
	for name, loadVariant := range map[string]func() (*Program, error){
		"linear": func() (*Program, error) { return Load(Config{Workers: 1, Queues: 1, Host: host}, listens()) },
		"frags": func() (*Program, error) {
			return Load(Config{Workers: 1, Queues: 1, Frags: true, Host: host}, listens())
		},
		"before 5.18": func() (*Program, error) {
			return loadEntry(Config{Workers: 1, Queues: 1, Host: host}, listens(), weirProgWeirBefore518)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := loaded(t, loadVariant)
			fillSlots(t, p)
			fn(t, p)
		})
	}
}

func TestVerdicts(t *testing.T) {
	variants(t, func(t *testing.T, p *Program) {
		m := &model{cfg: p.cfg, listens: listens(), sockets: map[[2]uint32]bool{{0, 0}: true}}
		seen := make(map[Verdict]bool)
		for _, c := range frameCases() {
			if v := run(t, p, c.frame, nil); v != c.want {
				t.Errorf("%s: %v, want %v", c.name, v, c.want)
			}
			if v := m.verdict(c.frame, 0); v != c.want {
				t.Errorf("%s: the model says %v, want %v", c.name, v, c.want)
			}
			seen[c.want] = true
		}
		// The others depend on rules, rate, sockets and lengths and have tests of their own.
		if len(seen) != NumVerdicts-4 {
			t.Errorf("cases for %d verdicts, want %d", len(seen), NumVerdicts-4)
		}
	})
}

// A frame cut anywhere before the end of its IP packet is malformed, and the
// program reads nothing beyond the cut: what was there before cannot matter.
func TestShort(t *testing.T) {
	variants(t, func(t *testing.T, p *Program) {
		for _, c := range []frameCase{
			{"IPv4", v4(datagram{tags: []uint16{0x88a8, 0x8100}, options: 12, payload: 3}), Redirect},
			{"IPv6", v6(datagram{tags: []uint16{0x8100}, payload: 3,
				ext: []ext{{header: 0}, {header: 60, more: 1}, {header: 43}, {header: 60}}}), Redirect},
		} {
			if v := run(t, p, c.frame, nil); v != c.want {
				t.Fatalf("%s whole: %v, want %v", c.name, v, c.want)
			}
			for n := 14; n < len(c.frame); n++ { // the kernel runs no frame below 14 bytes
				if v := run(t, p, bytes.Clone(c.frame[:n]), nil); v != PassMalformed {
					t.Errorf("%s cut to %d of %d bytes: %v, want %v", c.name, n, len(c.frame), v, PassMalformed)
				}
			}
		}
	})
}

// A frame of several buffers is whole if all of them together hold the packet.
func TestMultiBuffer(t *testing.T) {
	p := load(t, Config{Frags: true}, listens())
	fillSlots(t, p)
	for _, c := range []frameCase{
		{"IPv4", v4(datagram{payload: 8900}), Redirect},
		{"IPv6", v6(datagram{payload: 8900}), Redirect},
		{"IPv4 padded", v4(datagram{payload: 8900, padding: 4}), Redirect},
		{"IPv4 short by one", v4(datagram{payload: 8900, edit: func(f []byte, _ int) []byte { return f[:len(f)-1] }}), PassMalformed},
		{"IPv6 short by one", v6(datagram{payload: 8900, edit: func(f []byte, _ int) []byte { return f[:len(f)-1] }}), PassMalformed},
		{"other port", v4(datagram{payload: 8900, port: otherPort}), PassOtherPort},
	} {
		if v := run(t, p, c.frame, nil); v != c.want {
			t.Errorf("%s: %v, want %v", c.name, v, c.want)
		}
	}
}

// Frames for the collector that are longer than a socket can take go to the stack; those
// of others are what they are.
func TestMaxFrame(t *testing.T) {
	const most = 1200
	for name, entry := range map[string]string{"newest": entries(Config{})[0], "before 5.18": weirProgWeirBefore518} {
		t.Run(name, func(t *testing.T) {
			p := loaded(t, func() (*Program, error) {
				return loadEntry(Config{Workers: 1, Queues: 1, MaxFrame: most}, listens(), entry)
			})
			fillSlots(t, p)
			const headers4, headers6 = 14 + 20 + 8, 14 + 40 + 8
			for _, c := range []frameCase{
				{"IPv4 of that length", v4(datagram{payload: most - headers4}), Redirect},
				{"IPv4 longer by one", v4(datagram{payload: most - headers4 + 1}), PassTooLong},
				{"IPv4 with a tag longer by one", v4(datagram{payload: most - headers4 - 3, tags: []uint16{0x8100}}), PassTooLong},
				{"IPv6 of that length", v6(datagram{payload: most - headers6}), Redirect},
				{"IPv6 longer by one", v6(datagram{payload: most - headers6 + 1}), PassTooLong},
				{"padding counts", v4(datagram{payload: most - headers4 - 3, padding: 4}), PassTooLong},
				{"other port", v4(datagram{payload: most, port: otherPort}), PassOtherPort},
			} {
				if v := run(t, p, c.frame, nil); v != c.want {
					t.Errorf("%s: %v, want %v", c.name, v, c.want)
				}
			}
		})
	}
}
