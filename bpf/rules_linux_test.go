package bpf

import (
	"fmt"
	"net/netip"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range list {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

func TestRules(t *testing.T) {
	type want map[string]Verdict // by exporter
	for _, c := range []struct {
		name        string
		allow, deny []netip.Prefix
		want        want
	}{
		{"no lists", nil, nil, want{"192.0.2.1": Redirect, "2001:db8::1": Redirect, "::ffff:192.0.2.1": PassMartian}},
		{"deny alone", nil, prefixes("192.0.2.0/24", "2001:db8::/32"), want{
			"192.0.2.0": DropDenied, "192.0.2.255": DropDenied, "192.0.1.255": Redirect, "192.0.3.0": Redirect,
			"2001:db8::": DropDenied, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": DropDenied, "2001:db9::": Redirect, "2001:db7:ffff::": Redirect,
		}},
		{"allow alone", prefixes("192.0.2.0/24"), nil, want{
			"192.0.2.7": Redirect, "192.0.3.7": DropDenied, "2001:db8::1": DropDenied, "::ffff:192.0.2.7": PassMartian,
		}},
		{"allow IPv6 alone", prefixes("2001:db8::/32"), nil, want{
			"2001:db8::1": Redirect, "2001:db9::1": DropDenied, "192.0.2.7": DropDenied,
		}},
		{"longest of both", prefixes("10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32"), prefixes("10.1.0.0/16", "10.1.2.0/30"), want{
			"10.0.0.1": Redirect, "10.1.0.1": DropDenied, "10.1.2.1": DropDenied, "10.1.2.3": Redirect, "10.1.2.4": Redirect, "11.0.0.1": DropDenied,
		}},
		{"longest of both, IPv6", prefixes("2001:db8::/32", "2001:db8:1:2::/64"), prefixes("2001:db8:1::/48", "2001:db8:1:2::3/128"), want{
			"2001:db8::1": Redirect, "2001:db8:1::1": DropDenied, "2001:db8:1:2::2": Redirect, "2001:db8:1:2::3": DropDenied,
		}},
		{"same length", prefixes("192.0.2.0/24", "2001:db8::/32"), prefixes("192.0.2.0/24", "2001:db8::/32"), want{
			"192.0.2.1": DropDenied, "2001:db8::1": DropDenied,
		}},
		{"same length after masking", prefixes("192.0.2.1/24"), prefixes("192.0.2.2/24"), want{"192.0.2.1": DropDenied}},
		{"all denied but one", prefixes("192.0.2.1/32"), prefixes("0.0.0.0/0", "::/0"), want{
			"192.0.2.1": Redirect, "192.0.2.2": DropDenied, "2001:db8::1": DropDenied,
		}},
		{"families apart", nil, prefixes("::/0"), want{"192.0.2.1": Redirect, "2001:db8::1": DropDenied, "::ffff:192.0.2.1": PassMartian}},
		{"IPv4-mapped", prefixes("::ffff:192.0.2.0/120"), nil, want{
			"192.0.2.1": Redirect, "192.0.3.1": DropDenied, "::ffff:192.0.2.1": PassMartian,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Workers: 1, Queues: 1, Allow: c.allow, Deny: c.deny}
			p := load(t, cfg, listens())
			fillSlots(t, p)
			m := &model{cfg: cfg, listens: listens(), sockets: map[[2]uint32]bool{{0, 0}: true}}
			for exporter, want := range c.want {
				d := datagram{src: netip.MustParseAddr(exporter)}
				if d.src.Is4() {
					d.dst = collector4
				} else {
					d.dst = collector6
				}
				if v := run(t, p, d.bytes(), nil); v != want {
					t.Errorf("%s: %v, want %v", exporter, v, want)
				}
				if v := m.verdict(d.bytes(), 0); v != want {
					t.Errorf("%s: the model says %v, want %v", exporter, v, want)
				}
				d.port = otherPort // not ours, so not ours to drop
				if v := run(t, p, d.bytes(), nil); v != PassOtherPort {
					t.Errorf("%s to another port: %v, want %v", exporter, v, PassOtherPort)
				}
			}
		})
	}
}

func TestListens(t *testing.T) {
	addr := netip.MustParseAddr
	type want map[string]Verdict // by destination
	for _, c := range []struct {
		listen Listen
		want   want
	}{
		{Listen{Port: anyPort}, want{"198.51.100.1": Redirect, "2001:db8::5": Redirect}},
		{Listen{Addr: addr("0.0.0.0"), Port: anyPort}, want{"198.51.100.1": Redirect, "2001:db8::5": PassOtherPort}},
		{Listen{Addr: addr("::"), Port: anyPort}, want{"198.51.100.1": PassOtherPort, "2001:db8::5": Redirect}},
		{Listen{Addr: addr("198.51.100.1"), Port: anyPort}, want{
			"198.51.100.1": Redirect, "198.51.100.2": PassOtherPort, "2001:db8::5": PassOtherPort, "::ffff:198.51.100.1": PassOtherPort}},
		{Listen{Addr: addr("::ffff:198.51.100.1"), Port: anyPort}, want{"198.51.100.1": Redirect, "2001:db8::5": PassOtherPort}},
		// The words of the key must not be taken for those of an IPv4 address.
		{Listen{Addr: addr("c633:6401::"), Port: anyPort}, want{"198.51.100.1": PassOtherPort, "c633:6401::": Redirect}},
		{Listen{Addr: addr("fe80::1%eth0"), Port: anyPort}, want{"fe80::1": Redirect, "fe80::2": PassOtherPort}},
	} {
		t.Run(fmt.Sprint(c.listen.Addr), func(t *testing.T) {
			p := load(t, Config{}, []Listen{c.listen})
			fillSlots(t, p)
			for dst, want := range c.want {
				d := datagram{src: exporter6, dst: addr(dst)}
				if d.dst.Is4() {
					d.src = exporter4
				}
				if v := run(t, p, d.bytes(), nil); v != want {
					t.Errorf("to %s: %v, want %v", dst, v, want)
				}
			}
		})
	}
}
