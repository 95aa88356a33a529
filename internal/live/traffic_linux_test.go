package live

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
)

// trafficFilter lets an exporter see the test's frames and nothing else, such
// as what IPv6 says to its neighbours.
const trafficFilter = "net 10.9.0.0/16 or net fd00:9::/32"

// conversation is one flow: packets of one 5-tuple in one direction.
type conversation struct {
	proto    layers.IPProtocol
	src, dst string // address and port
	packets  int
	payload  int // bytes after the TCP, UDP or ICMP header, of each packet
}

// conversations4 are IPv4 flows: short and long ones, both directions of one,
// ports that differ in one only. All of them together fit into the receive
// buffer of an ordinary socket, should the exporter be slow to read.
var conversations4 = []conversation{
	{layers.IPProtocolUDP, "10.9.0.1:1000", "10.9.1.1:53", 1, 40},
	{layers.IPProtocolUDP, "10.9.1.1:53", "10.9.0.1:1000", 1, 400},
	{layers.IPProtocolUDP, "10.9.0.1:1001", "10.9.1.1:53", 2, 0},
	{layers.IPProtocolUDP, "10.9.0.2:5004", "10.9.1.2:5004", 100, 300},
	{layers.IPProtocolTCP, "10.9.0.3:40000", "10.9.1.3:443", 40, 100},
	{layers.IPProtocolTCP, "10.9.1.3:443", "10.9.0.3:40000", 15, 1460},
	{layers.IPProtocolTCP, "10.9.0.4:40000", "10.9.1.3:443", 1, 0},
	{layers.IPProtocolICMPv4, "10.9.0.5:0", "10.9.1.5:0", 7, 56},
}

// conversations6 are IPv6 flows.
var conversations6 = []conversation{
	{layers.IPProtocolUDP, "[fd00:9::1]:1000", "[fd00:9:1::1]:53", 3, 60},
	{layers.IPProtocolTCP, "[fd00:9::3]:40000", "[fd00:9:1::3]:443", 25, 200},
	{layers.IPProtocolTCP, "[fd00:9:1::3]:443", "[fd00:9::3]:40000", 12, 1220},
}

func bothFamilies() []conversation {
	return append(append([]conversation{}, conversations4...), conversations6...)
}

// filler follows the traffic for exporters that hold back the last of what they
// have seen: softflowd and fprobe read with a libpcap timeout of zero, and get
// packets when a block of the capture ring, 256 KiB, is full. How many packets of
// the filler they export differs.
var filler = conversation{layers.IPProtocolUDP, "10.9.255.1:9", "10.9.255.2:9", 250, 1400}

// filledIn returns how many packets of the filler are in records.
func filledIn(records []record) int {
	n := 0
	for _, r := range records {
		if r.Src == "10.9.255.1" {
			n += int(r.Packets)
		}
	}
	return n
}

var (
	trafficSrcMAC = net.HardwareAddr{2, 0, 0, 0, 9, 1}
	trafficDstMAC = net.HardwareAddr{2, 0, 0, 0, 9, 2}
)

func (c conversation) ends() (src, dst netip.AddrPort) {
	return netip.MustParseAddrPort(c.src), netip.MustParseAddrPort(c.dst)
}

// frame composes packet number i of the flow.
func (c conversation) frame(i int) []byte {
	src, dst := c.ends()
	eth := &layers.Ethernet{SrcMAC: trafficSrcMAC, DstMAC: trafficDstMAC, EthernetType: layers.EthernetTypeIPv4}
	var ip gopacket.NetworkLayer
	if src.Addr().Is4() {
		ip = &layers.IPv4{Version: 4, TTL: 61, Id: uint16(i), Protocol: c.proto, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	} else {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{Version: 6, HopLimit: 61, NextHeader: c.proto, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	}
	stack := []gopacket.SerializableLayer{eth, ip.(gopacket.SerializableLayer)}
	switch c.proto {
	case layers.IPProtocolUDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
		must(udp.SetNetworkLayerForChecksum(ip))
		stack = append(stack, udp)
	case layers.IPProtocolTCP:
		tcp := &layers.TCP{SrcPort: layers.TCPPort(src.Port()), DstPort: layers.TCPPort(dst.Port()), Seq: uint32(1000 + i*c.payload), Window: 4096,
			SYN: i == 0, ACK: i > 0, PSH: i > 0}
		must(tcp.SetNetworkLayerForChecksum(ip))
		stack = append(stack, tcp)
	case layers.IPProtocolICMPv4:
		stack = append(stack, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: 1, Seq: uint16(i)})
	}
	payload := make([]byte, c.payload)
	for n := range payload {
		payload[n] = byte(n)
	}
	buf := gopacket.NewSerializeBuffer()
	must(gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(stack, gopacket.Payload(payload))...))
	// Without the padding to Ethernet's minimum, which some exporters count.
	return buf.Bytes()[:14+c.size()]
}

// size returns the length of a packet from its IP header on.
func (c conversation) size() int {
	src, _ := c.ends()
	n := map[layers.IPProtocol]int{layers.IPProtocolUDP: 8, layers.IPProtocolTCP: 20, layers.IPProtocolICMPv4: 8}[c.proto] + c.payload
	if src.Addr().Is4() {
		return n + 20
	}
	return n + 40
}

// must panics on errors of composing what this package composes itself.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// names of protocols as weir writes them.
var protoNames = map[layers.IPProtocol]string{layers.IPProtocolUDP: "UDP", layers.IPProtocolTCP: "TCP", layers.IPProtocolICMPv4: "ICMP"}

// sent returns what an exporter must say about the conversations. Each packet
// counts from its IP header on, plus extra bytes for what the exporter counts
// beyond.
func sent(conversations []conversation, extra int) map[key]totals {
	sums := map[key]totals{}
	for _, c := range conversations {
		src, dst := c.ends()
		sums[key{src.Addr(), dst.Addr(), src.Port(), dst.Port(), protoNames[c.proto]}] =
			totals{uint64(c.packets), uint64(c.packets * (c.size() + extra))}
	}
	return sums
}

// packets returns how many packets the conversations have.
func packets(conversations []conversation) int {
	n := 0
	for _, c := range conversations {
		n += c.packets
	}
	return n
}

// frames returns all packets, those of the flows taking turns.
func frames(conversations []conversation) [][]byte {
	var out [][]byte
	for round, more := 0, true; more; round++ {
		more = false
		for _, c := range conversations {
			if round < c.packets {
				out = append(out, c.frame(round))
				more = true
			}
		}
	}
	return out
}

// inject puts frames on an interface of a host. It waits for the packet sockets of reader,
// the host at the other end, so that none of their queues overflows however seldom the
// exporter gets a CPU. Exporters that read by mapped rings have no such queue: for them it
// sends slowly.
func inject(t *testing.T, host *testnet.Host, name string, list [][]byte, reader *testnet.Host) {
	t.Helper()
	// A quarter of the default receive buffer.
	const room = 212992 / 4
	link, err := host.Netlink().LinkByName(name)
	if err != nil {
		t.Fatalf("find %s: %v", name, err)
	}
	err = host.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Protocol: networkOrder(unix.ETH_P_ALL)}
		for i, frame := range list {
			if i%16 == 15 {
				time.Sleep(2 * time.Millisecond)
				for deadline := time.Now().Add(patience); unreadBytes(t, reader) > room; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						return fmt.Errorf("send frame %d: the exporter does not read", i)
					}
				}
			}
			if err := unix.Sendto(fd, frame, 0, to); err != nil {
				return fmt.Errorf("send frame %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unreadBytes returns how much memory the frames take that wait in the packet sockets of a
// host (the column Rmem of /proc/net/packet).
func unreadBytes(t *testing.T, host *testnet.Host) (total int) {
	t.Helper()
	err := host.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/packet")
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if f := strings.Fields(line); i > 0 && len(f) > 6 {
				n, err := strconv.Atoi(f[6])
				if err != nil {
					return fmt.Errorf("read %q: %w", line, err)
				}
				total += n
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
