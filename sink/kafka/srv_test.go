package kafka

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer answers on UDP: SRV queries for name by the listed addresses, each a
// host of its own that is at 127.0.0.1.
func dnsServer(t *testing.T, name string, list func() []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
			asked := strings.TrimSuffix(q.Name.String(), ".")
			switch {
			case q.Type == dnsmessage.TypeSRV && asked == name:
				for i, address := range list() {
					port := netip.MustParseAddrPort(address).Port()
					target := dnsmessage.MustNewName("broker" + strconv.Itoa(i) + ".weir.test.")
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.SRVResource{Priority: 1, Weight: 1, Port: port, Target: target}})
				}
			case q.Type == dnsmessage.TypeA && strings.HasSuffix(asked, ".weir.test"):
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			case q.Type == dnsmessage.TypeAAAA && strings.HasSuffix(asked, ".weir.test"):
			default:
				m.RCode = dnsmessage.RCodeNameError
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from) // the resolver asks again
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestSRV finds the brokers by the records of a name, among them one at which
// nobody listens.
func TestSRV(t *testing.T) {
	const name = "_kafka._tcp.cluster.weir.test"
	f := newFake(t, 2, topic, 4)
	c := fakeConfig(f)
	c.Brokers, c.SRV = nil, name
	c.Resolver = dnsServer(t, name, func() []string { return append([]string{"127.0.0.1:1"}, f.Addresses()...) })
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(2000, 100)
	d.finish()
	d.check(fakeReader(f))

	c.SRV = "_kafka._tcp.other.example"
	s, log := open(t, c)
	eventually(t, "the complaint", func() bool { return s.Counters().Errors(KindDNS) > 0 && strings.Contains(log.String(), "kind=dns") })
	if !strings.Contains(log.String(), c.SRV) || s.Available() {
		t.Errorf("the log says %s", log)
	}
}
