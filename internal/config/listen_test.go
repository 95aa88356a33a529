package config

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/option"
)

func TestListen(t *testing.T) {
	for _, tc := range []struct {
		uri, scheme, addr, host string
		count                   int
		notes                   string
	}{
		{"sflow://:6343", "sflow", "[::]:6343", "", 1, ""},
		{"netflow://:2055/", "netflow", "[::]:2055", "", 1, ""},
		{"NFL://0.0.0.0:2056", "nfl", "0.0.0.0:2056", "0.0.0.0", 1, ""},
		{"flow://192.0.2.1:9995/?count=4", "flow", "192.0.2.1:9995", "192.0.2.1", 4, ""},
		{"flow://192.0.2.1:9995?count=256", "flow", "192.0.2.1:9995", "192.0.2.1", 256, ""},
		{"sflow://[2001:db8::1]:1", "sflow", "[2001:db8::1]:1", "2001:db8::1", 1, ""},
		{"sflow://[fe80::1%25eth0]:1", "sflow", "[fe80::1%eth0]:1", "fe80::1%eth0", 1, ""},
		{"sflow://[fe80::1%eth0]:1", "sflow", "[fe80::1%eth0]:1", "fe80::1%eth0", 1, ""},
		{"sflow://[::ffff:192.0.2.1]:1", "sflow", "192.0.2.1:1", "::ffff:192.0.2.1", 1, ""},
		{"netflow://:2055/?count=2&workers=8&blocking=false&queue_size=100", "netflow", "[::]:2055", "", 2, "blocking queue_size workers"},
		{"netflow://:0", "netflow", "[::]:0", "", 1, ""},
		{"netflow://:0/?count=2", "netflow", "[::]:0", "", 2, ""},
	} {
		ls, err := ParseListen(tc.uri)
		if err != nil {
			t.Errorf("%s: %v", tc.uri, err)
			continue
		}
		l := ls[0]
		if len(ls) != 1 || l.Scheme != tc.scheme || l.Addr.String() != tc.addr || l.Host != tc.host || l.Count != tc.count ||
			strings.Join(l.Notes, " ") != tc.notes || l.RawURI != tc.uri {
			t.Errorf("%s: %+v", tc.uri, ls)
		}
	}
}

func TestListenFaults(t *testing.T) {
	var lines []string
	for _, uri := range []string{
		"", "sflow://:1,", ":2055", "2055", "netflow:2055", "http://:1", "://:1", "sflow://", "sflow://host", "sflow://:", "sflow://:port",
		"sflow://:65536", "sflow://:-1", "sflow://::1:6343", "sflow://[::1]", "sflow://[::1:6343", "sflow://[192.0.2.1]:1", "sflow://[::g]:1",
		"sflow://*:1", "sflow://300.1.2.3:1", "sflow://1.2.3:1", "sflow://a b:1", "sflow://a..b:1", "sflow://239.1.1.1:1", "sflow://[ff02::1]:1",
		"sflow://u@h:1", "sflow://:1/#x", "sflow://:1/path", "sflow://:1/?count=0", "sflow://:1/?count=257", "sflow://:1/?count=", "sflow://:1/?count=2&count=3",
		"sflow://:1/?cout=2", "sflow://:1/?zzz=2", "sflow://:1/?workers=x", "sflow://:1/?blocking=x", "sflow://:1/?queue_size=-1", "sflow://:1/?%zz",
		"sflow://:1,sflow://:1", "sflow://:1,netflow://[::]:1", "http://x,ftp://*:0/p?a=b",
	} {
		_, err := parse([]string{"-listen", uri}, nil, io.Discard, noNames(t))
		if err == nil {
			t.Errorf("%q is accepted", uri)
			continue
		}
		lines = append(lines, err.Error())
	}
	golden(t, "listen.txt", strings.Join(lines, "\n")+"\n")
}

func TestListenApart(t *testing.T) {
	mustParse(t, []string{"-listen", "sflow://:1,sflow://0.0.0.0:1,sflow://127.0.0.1:1,sflow://[::1]:1,netflow://:0,netflow://:0"}, nil)
}

func TestResolve(t *testing.T) {
	asked := 0
	find := func(_ context.Context, network, host string) ([]netip.Addr, error) {
		asked++
		switch host {
		case "both.example":
			return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}, nil
		case "six.example":
			return []netip.Addr{netip.MustParseAddr("2001:db8::2")}, nil
		case "none.example":
			return nil, nil
		}
		return nil, errors.New("no such host")
	}
	c, err := parse([]string{"-listen", "sflow://both.example:1,sflow://six.example:1/?count=2,sflow://:2"}, []string{"WEIR_LISTEN=sflow://lost.example:1"}, io.Discard, find)
	if err != nil {
		t.Fatal(err)
	}
	if asked != 2 {
		t.Errorf("%d look-ups", asked)
	}
	if a, b := c.Listen[0].Addr.String(), c.Listen[1].Addr.String(); a != "192.0.2.1:1" || b != "[2001:db8::2]:1" {
		t.Errorf("resolved to %s and %s", a, b)
	}
	if len(c.Notes) != 1 || c.Notes[0] != "both.example in -listen has 2 addresses; 192.0.2.1 is used" {
		t.Errorf("notes %q", c.Notes)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct{ uris, want string }{
		{"sflow://lost.example:1,sflow://none.example:1", `-listen "sflow://lost.example:1": cannot resolve host "lost.example": no such host; allowed: ` + allowedHost + "\n" +
			`-listen "sflow://none.example:1": cannot resolve host "none.example": lookup none.example: no addresses; allowed: ` + allowedHost},
		{"sflow://both.example:1,netflow://192.0.2.1:1", `-listen "netflow://192.0.2.1:1": same address as "sflow://both.example:1"; allowed: each address once; ?count=N opens several sockets, and flow:// takes every protocol on one port`},
		{"sflow://Six.example:1,netflow://six.example:1", `-listen "netflow://six.example:1": same address as "sflow://Six.example:1"; allowed: each address once; ?count=N opens several sockets, and flow:// takes every protocol on one port`},
	} {
		if _, err := parse([]string{"-listen", tc.uris}, nil, io.Discard, find); err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.uris, err, tc.want)
		}
	}
}

func FuzzParseListen(f *testing.F) {
	for _, s := range []string{"sflow://:6343,netflow://:2055", "flow://[::1]:1/?count=3&workers=1", "nfl://h.example:1?blocking=1", "sflow://[fe80::1%25e]:0", "a,b,,", "sflow://[]:1", "sflow://]:1[:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ls, err := ParseListen(s)
		if err != nil {
			var ps option.Problems
			if !errors.As(err, &ps) || len(ps) == 0 || ls != nil {
				t.Fatalf("error %#v, listens %v", err, ls)
			}
			for _, p := range ps {
				if p.Text == "" || p.Part == "" || p.Index > strings.Count(s, ",") {
					t.Fatalf("problem %+v", p)
				}
			}
			return
		}
		if len(ls) != strings.Count(s, ",")+1 {
			t.Fatalf("%d addresses in %q", len(ls), s)
		}
		for _, l := range ls {
			if l.Count < 1 || l.Count > MaxSockets || l.Scheme == "" || !l.Addr.Addr().IsValid() && !isHostName(l.Host) {
				t.Fatalf("%q: %+v", s, l)
			}
			again, err := ParseListen(l.RawURI)
			if err != nil || len(again) != 1 || again[0].Addr != l.Addr || again[0].Count != l.Count {
				t.Fatalf("%q again: %+v, %v", l.RawURI, again, err)
			}
		}
	})
}
