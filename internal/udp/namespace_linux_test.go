//go:build !udpportable

package udp

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/weirflow/weir/internal/testnet"
)

// With IPv6 switched off on every interface, ":port" still receives IPv4.
func TestIPv6SwitchedOff(t *testing.T) {
	host := testnet.New(t).AddHost("four")
	var s *Socket
	var conn net.Conn
	err := host.Do(func() (err error) {
		for _, name := range []string{"all", "default", "lo"} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		if s, err = Listen(Config{}); err != nil {
			return err
		}
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port())
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	})
	if s != nil {
		defer s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	collect(t, s, 1, func(d Datagram) {
		if d.Src.Addr() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("from %v", d.Src)
		}
	})
}
