package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/udp"
)

// cable is two hosts joined by a veth pair, "va" and "vb", of some queues.
type cable struct {
	t                  *testing.T
	exporter, receiver *testnet.Host
}

func newCable(t *testing.T, queues int) *cable {
	t.Helper()
	n := testnet.New(t)
	c := &cable{t: t, exporter: n.AddHost("exporter"), receiver: n.AddHost("receiver")}
	testnet.Veth(t, c.exporter, "va", "10.1.0.1/24", "fd00:1::1/64", c.receiver, "vb", "10.1.0.2/24", "fd00:1::2/64", queues)
	// The stack takes datagrams only from where it has a way back to.
	links := c.receiver.Netlink()
	link, err := links.LinkByName("vb")
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		_, dst, err := net.ParseCIDR(all)
		if err == nil {
			err = links.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// listen opens a socket on the receiver.
func (c *cable) listen(addr string) *udp.Socket {
	c.t.Helper()
	var s *udp.Socket
	err := c.receiver.Do(func() (err error) {
		s, err = udp.Listen(udp.Config{Addr: netip.MustParseAddrPort(addr), ReceiveBuffer: 64 << 20})
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.Close() })
	return s
}

// replay runs the command on the exporter.
func (c *cable) replay(args ...string) (code int, sum summary, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	err := c.exporter.Do(func() error {
		code = run(c.t.Context(), args, &out, &errs)
		if code != 0 {
			return nil
		}
		return json.Unmarshal(out.Bytes(), &sum)
	})
	if err != nil {
		c.t.Fatalf("%v: %s", err, out.String())
	}
	return code, sum, errs.String()
}

// collect takes what a socket has until nothing comes, as "source payload".
func collect(t *testing.T, s *udp.Socket) (bySource map[netip.AddrPort][][]byte, total int) {
	t.Helper()
	bySource = map[netip.AddrPort][][]byte{}
	for {
		n, err := s.Receive(300 * time.Millisecond)
		if err != nil {
			t.Error(err)
			return bySource, total
		}
		if n == 0 {
			return bySource, total
		}
		for i := range n {
			d := s.Datagram(i)
			bySource[d.Src] = append(bySource[d.Src], bytes.Clone(d.Payload))
		}
		total += n
	}
}

// collecting runs collect while the sender runs.
func collecting(t *testing.T, s *udp.Socket) (result func() (map[netip.AddrPort][][]byte, int)) {
	type got struct {
		bySource map[netip.AddrPort][][]byte
		total    int
	}
	done := make(chan got, 1)
	if n, err := s.Receive(0); n != 0 || err != nil {
		t.Fatalf("something is there already: %d, %v", n, err)
	}
	stop := make(chan struct{})
	go func() {
		var all got
		all.bySource = map[netip.AddrPort][][]byte{}
		for {
			over := false
			select {
			case <-stop:
				over = true
			default:
			}
			bySource, total := collect(t, s)
			for from, list := range bySource {
				all.bySource[from] = append(all.bySource[from], list...)
			}
			all.total += total
			if over {
				done <- all
				return
			}
		}
	}()
	return func() (map[netip.AddrPort][][]byte, int) {
		close(stop)
		all := <-done
		return all.bySource, all.total
	}
}

// sized is a payload that tells its number, of a size that goes with it.
func sized(number, size int) []byte {
	b := make([]byte, max(size, 4))
	binary.BigEndian.PutUint32(b, uint32(number))
	for i := 4; i < len(b); i++ {
		b[i] = byte(number*7 + i)
	}
	return b
}

var wireSizes = []int{4, 5, 18, 19, 100, 999, 1400, 1452, 1453, 1471, 1472, 1473, 1481, 2500, 2963, 9001}

// TestWire: what is sent as frames is what the kernel's own socket receives, from
// the addresses it was captured from, fragments put together, checksums verified.
func TestWire(t *testing.T) {
	const passes, each = 3, 160
	for _, send := range []string{sendAFXDP, sendAFPacket} {
		for _, test := range []struct{ to, other, first string }{
			{"10.1.0.2:2055", "192.0.2.7:1001", "203.0.113.1:1000"},
			{"[fd00:1::2]:2055", "[2001:db8::7]:1001", "[2001:db8:1::1]:1000"},
		} {
			t.Run(send+" "+test.to, func(t *testing.T) {
				c := newCable(t, 2)
				s := c.listen(test.to)
				var packets []packet
				for i := range each {
					payload := sized(i, wireSizes[i%len(wireSizes)])
					packets = append(packets, packet{test.first, "198.51.100.1:2055", payload}, packet{test.other, "198.51.100.1:2055", payload})
					if strings.HasPrefix(test.first, "[") {
						packets[len(packets)-1].dst, packets[len(packets)-2].dst = "[2001:db8::1]:2055", "[2001:db8::1]:2055"
					}
				}
				result := collecting(t, s)
				code, sum, stderr := c.replay("-interface", "va", "-to", test.to, "-send", send, "-keep-source",
					"-loop", fmt.Sprint(passes), "-pps", "5000", writePcap(t, packets...))
				bySource, total := result()
				if code != 0 || sum.Send != send || sum.Interface != "va" || sum.Errors != 0 || sum.Skipped != 0 || sum.Dropped != 0 ||
					sum.Datagrams != 2*each*passes || sum.Frames <= sum.Datagrams || sum.Loops != passes || sum.Sources != 2 {
					t.Fatalf("code %d, %+v, %s", code, sum, stderr)
				}
				if total != 2*each*passes || len(bySource) != 2 {
					t.Errorf("%d datagrams from %d sources", total, len(bySource))
				}
				bytes := 0
				for _, from := range []string{test.first, test.other} {
					list := bySource[netip.MustParseAddrPort(from)]
					if len(list) != each*passes {
						t.Fatalf("%d datagrams from %s", len(list), from)
					}
					// A whole datagram may overtake one in fragments.
					left := map[string]int{}
					for i := range each {
						left[string(sized(i, wireSizes[i%len(wireSizes)]))] = passes
					}
					for _, payload := range list {
						left[string(payload)]--
						bytes += len(payload)
					}
					for payload, n := range left {
						if n != 0 {
							t.Errorf("from %s: %d missing of the datagram of %d bytes", from, n, len(payload))
						}
					}
				}
				if uint64(bytes) != sum.Bytes {
					t.Errorf("%d bytes came, the summary says %d", bytes, sum.Bytes)
				}
				if n := c.badChecksums(); n != 0 {
					t.Errorf("%d checksums were wrong", n)
				}
			})
		}
	}
}

// badChecksums returns how many datagrams the receiver's stack refused for their
// checksum.
func (c *cable) badChecksums() (n int) {
	c.t.Helper()
	out, err := c.receiver.Command(c.t.Context(), "cat", "/proc/net/snmp", "/proc/net/snmp6").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] == "Udp:" && names == nil:
			names = fields
		case fields[0] == "Udp:":
			var v int
			fmt.Sscan(fields[slices.Index(names, "InCsumErrors")], &v)
			n += v
		case fields[0] == "Udp6InCsumErrors":
			var v int
			fmt.Sscan(fields[1], &v)
			n += v
		}
	}
	return n
}

// TestWireChecksumsAreLookedAt: the receiver of the other tests would notice.
func TestWireChecksumsAreLookedAt(t *testing.T) {
	c := newCable(t, 1)
	s := c.listen("10.1.0.2:2055")
	err := c.exporter.Do(func() error {
		l, err := findLink(options{iface: "va", to: netip.MustParseAddrPort("10.1.0.2:2055")})
		if err != nil {
			return err
		}
		defer l.close()
		in, err := l.inject(sendAFXDP, nil)
		if err != nil {
			return err
		}
		defer in.close()
		var count counters
		for i := range 2 {
			d, err := l.path.build(netip.MustParseAddrPort("10.1.0.1:99"), []byte("hello"), 0)
			if err != nil {
				return err
			}
			b := in.take(0, len(d.frames[0]), &count)
			copy(b, d.frames[0])
			b[d.sumAt+2] ^= byte(i) // the second is not what its checksum says
			in.put(0, mark{last: true, payload: 5})
		}
		in.drain(&count)
		if n := count.datagrams.Load(); n != 2 {
			return fmt.Errorf("%d sent", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, total := collect(t, s); total != 1 || c.badChecksums() != 1 {
		t.Errorf("%d received, %d with a wrong checksum", total, c.badChecksums())
	}
}

// TestWireSources: every pass over the files gives each captured source an address
// of its own, and all the times are now.
func TestWireSources(t *testing.T) {
	for _, send := range []string{sendAFXDP, sendAFPacket} {
		for _, test := range []struct{ to, network string }{{"10.1.0.2:2055", "198.18.0.0/15"}, {"[fd00:1::2]:2055", "2001:2::/48"}} {
			t.Run(send+" "+test.to, func(t *testing.T) {
				c := newCable(t, 4)
				s := c.listen(test.to)
				const captured, spread, passes, each = 3, 10, 20, 8
				v5 := make([]byte, 24)
				v5[1] = 5
				var packets []packet
				for i := range each {
					for from := range captured {
						payload := append(bytes.Clone(v5), byte(from), byte(i))
						packets = append(packets, packet{fmt.Sprintf("192.0.2.%d:%d", from, 1000+from), "198.51.100.1:2055", payload})
					}
				}
				result := collecting(t, s)
				before := time.Now().Unix()
				code, sum, stderr := c.replay("-interface", "va", "-to", test.to, "-send", send, "-sources", fmt.Sprint(spread), "-rewrite-time",
					"-loop", fmt.Sprint(passes), "-pps", "5000", writePcap(t, packets...))
				bySource, total := result()
				if want := captured * passes * each; code != 0 || sum.Datagrams != uint64(want) || total != want || sum.Dropped != 0 || sum.Sources != spread {
					t.Fatalf("%d received, code %d, %+v, %s", total, code, sum, stderr)
				}
				network, addrs := netip.MustParsePrefix(test.network), map[netip.Addr]int{}
				for from, list := range bySource {
					addrs[from.Addr()] += len(list)
					if !network.Contains(from.Addr()) || len(list)%each != 0 {
						t.Errorf("%d datagrams from %v", len(list), from)
					}
					for i, payload := range list {
						if int(payload[24]) != int(from.Port()-1000) || int(payload[25]) != i%each {
							t.Fatalf("from %v: datagram %d is %d of source %d", from, i, payload[25], payload[24])
						}
						if at := int64(binary.BigEndian.Uint32(payload[8:])); at < before || at > time.Now().Unix() {
							t.Fatalf("export time %d", at)
						}
					}
				}
				if len(addrs) != spread {
					t.Errorf("%d addresses", len(addrs))
				}
				for addr, n := range addrs {
					if n != total/spread {
						t.Errorf("%d datagrams from %v, want %d", n, addr, total/spread)
					}
				}
				if n := c.badChecksums(); n != 0 {
					t.Errorf("%d checksums were wrong", n)
				}
			})
		}
	}
}

// TestWirePacing: never more than are due, and not none on a busy machine.
func TestWirePacing(t *testing.T) {
	for _, send := range []string{sendAFXDP, sendAFPacket} {
		t.Run(send, func(t *testing.T) {
			c := newCable(t, 1)
			s := c.listen("10.1.0.2:2055")
			result := collecting(t, s)
			code, sum, stderr := c.replay("-interface", "va", "-to", "10.1.0.2:2055", "-send", send, "-loop", "0", "-duration", "1200ms", "-pps", "2000",
				writePcap(t, someStrings(7, "192.0.2.1:1000", "198.51.100.1:2055")...))
			bySource, total := result()
			if code != 0 || sum.Datagrams > 2403 || sum.Datagrams < 1000 || sum.Seconds < 1.2 || uint64(total) != sum.Datagrams {
				t.Errorf("%d received, code %d, %+v, %s", total, code, sum, stderr)
			}
			for from := range bySource {
				if from != netip.MustParseAddrPort("10.1.0.1:50000") {
					t.Errorf("from %v", from)
				}
			}
		})
	}
}

// TestWireLineRate: as fast as it goes, every frame is received or counted as
// dropped: by the interface, or at the socket.
func TestWireLineRate(t *testing.T) {
	for _, send := range []string{sendAFXDP, sendAFPacket} {
		t.Run(send, func(t *testing.T) {
			c := newCable(t, 2)
			s := c.listen("10.1.0.2:2055")
			result := collecting(t, s)
			code, sum, stderr := c.replay("-interface", "va", "-to", "10.1.0.2:2055", "-send", send, "-sources", "100", "-loop", "3000",
				writePcap(t, someStrings(11, "192.0.2.1:1000", "198.51.100.1:2055")...))
			_, total := result()
			lost := s.PollDrops() + sum.Dropped
			if code != 0 || sum.Datagrams+sum.Skipped != 33000 || sum.Frames != sum.Datagrams {
				t.Fatalf("code %d, %+v, %s", code, sum, stderr)
			}
			// What AF_PACKET skipped the interface has counted too.
			if got := uint64(total) + lost; got < sum.Datagrams || got > 33000+50*sum.Skipped+sum.Dropped {
				t.Errorf("%d received, %d lost at the socket and %d at the interface, of %+v", total, s.PollDrops(), sum.Dropped, sum)
			}
			t.Logf("%.0f pps, %d dropped by the interface, %d by the socket", sum.PPS, sum.Dropped, s.PollDrops())
		})
	}
}

// TestWireFaults: what is in the way is said.
func TestWireFaults(t *testing.T) {
	c := newCable(t, 1)
	name := writePcap(t, someStrings(3, "192.0.2.1:1000", "198.51.100.1:2055")...)
	tests := []struct {
		args []string
		says string
	}{
		{[]string{"-interface", "nowhere", "-to", "10.1.0.2:2055"}, "nowhere"},
		{[]string{"-interface", "va", "-to", "10.1.0.77:2055"}, "-to-mac"},
	}
	for _, test := range tests {
		code, _, stderr := c.replay(append(test.args, name)...)
		if code != 1 || !strings.Contains(stderr, test.says) {
			t.Errorf("%v: code %d, %q does not say %q", test.args, code, stderr, test.says)
		}
	}
	links := c.exporter.Netlink()
	link, err := links.LinkByName("va")
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := links.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addrs) != 1 || links.AddrDel(link, &addrs[0]) != nil {
		t.Fatalf("addresses %v, %v", addrs, err)
	}
	code, _, stderr := c.replay("-interface", "va", "-to", "192.0.2.9:2055", "-to-mac", "02:00:00:00:00:01", name)
	if code != 1 || !strings.Contains(stderr, "-keep-source or -sources") {
		t.Errorf("without an address: code %d, %s", code, stderr)
	}
	code, sum, stderr := c.replay("-interface", "va", "-to", "192.0.2.9:2055", "-to-mac", "02:00:00:00:00:01", "-sources", "2", name)
	if code != 0 || sum.Datagrams != 3 || !strings.Contains(stderr, "to 02:00:00:00:00:01") {
		t.Errorf("code %d, %+v, %s", code, sum, stderr)
	}
}

// TestWireFallsBack: where AF_XDP cannot be had, AF_PACKET can.
func TestWireFallsBack(t *testing.T) {
	c := newCable(t, 1)
	s := c.listen("10.1.0.2:2055")
	for _, h := range []struct {
		host *testnet.Host
		name string
	}{{c.exporter, "va"}, {c.receiver, "vb"}} {
		link, err := h.host.Netlink().LinkByName(h.name)
		if err == nil {
			err = h.host.Netlink().LinkSetMTU(link, 9000)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	name := writePcap(t, packet{"192.0.2.1:1000", "198.51.100.1:2055", sized(1, 8000)})
	code, sum, stderr := c.replay("-interface", "va", "-to", "10.1.0.2:2055", name)
	if code != 0 || sum.Send != sendAFPacket || sum.Frames != 1 || !strings.Contains(stderr, "sending by AF_PACKET") {
		t.Errorf("code %d, %+v, %s", code, sum, stderr)
	}
	if _, total := collect(t, s); total != 1 {
		t.Errorf("%d received", total)
	}
	if code, _, stderr := c.replay("-interface", "va", "-send", sendAFXDP, "-to", "10.1.0.2:2055", name); code != 1 || !strings.Contains(stderr, "MTU of 9000") {
		t.Errorf("code %d, %s", code, stderr)
	}
}

// TestWireDown: an interface that is set down takes no frames; that is counted, and
// does not last for ever.
func TestWireDown(t *testing.T) {
	for _, send := range []string{sendAFXDP, sendAFPacket} {
		t.Run(send, func(t *testing.T) {
			c := newCable(t, 1)
			mac := "02:00:00:00:00:01"
			name := writePcap(t, someStrings(3, "192.0.2.1:1000", "198.51.100.1:2055")...)
			links := c.exporter.Netlink()
			link, err := links.LinkByName("va")
			if err != nil {
				t.Fatal(err)
			}
			down := time.AfterFunc(200*time.Millisecond, func() {
				if err := links.LinkSetDown(link); err != nil && !errors.Is(err, unix.ENODEV) {
					t.Error(err)
				}
			})
			defer down.Stop()
			began := time.Now()
			code, sum, stderr := c.replay("-interface", "va", "-to", "10.1.0.2:2055", "-to-mac", mac, "-send", send, "-sources", "2",
				"-loop", "0", "-pps", "1000", "-duration", "600ms", name)
			if code != 0 || sum.Datagrams == 0 || sum.Errors == 0 || sum.Skipped == 0 || sum.Datagrams+sum.Skipped > 602 {
				t.Errorf("code %d, %+v, %s", code, sum, stderr)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestWireUsage(t *testing.T) {
	name := writePcap(t, someStrings(3, "192.0.2.1:1000", "198.51.100.1:2055")...)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-sources", "3"}, "want -interface"},
		{[]string{"-interface", "x", "-send", "pigeon"}, "-send pigeon: want auto"},
		{[]string{"-interface", "x", "-sources", "-1"}, "-sources -1"},
		{[]string{"-interface", "x", "-sources", "100001"}, "-sources 100001"},
		{[]string{"-interface", "x", "-sources", "3", "-keep-source"}, "exclude each other"},
		{[]string{"-interface", "x", "-sources", "3", "-rewrite-sequence"}, "each pass is of other exporters"},
		{[]string{"-interface", "x", "-to-mac", "hello"}, "-to-mac hello"},
	} {
		code, _, stderr := runReplay(t, append(append(test.args, "-to", "192.0.2.1:1"), name)...)
		if code != 2 || !strings.Contains(stderr, test.says) {
			t.Errorf("%v: code %d, %q does not say %q", test.args, code, stderr, test.says)
		}
	}
	if os.Geteuid() != 0 {
		t.Log("as root there are more tests")
	}
}
