package corpus

import (
	"bytes"
	"flag"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated traffic")

// compareOrUpdate compares got with the file of that name in testdata.
func compareOrUpdate(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file: %v (go test -update writes it)", err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(gotLines), len(wantLines)) {
		if !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Fatalf("%s: line %d differs:\n got %s\nwant %s", name, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s: got %d lines, want %d", name, len(gotLines), len(wantLines))
}

// TestTraffic keeps the generator and the traffic that the exporters of
// testdata/ were fed with together.
func TestTraffic(t *testing.T) {
	compareOrUpdate(t, filepath.Join("input", "traffic.pcap"), traffic(t))
}

// traffic returns a capture of a minute of made-up traffic: TCP, UDP and ICMP
// over IPv4 and IPv6, some after VLAN tags and MPLS labels, some fragments.
func traffic(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	send := func(stack ...gopacket.SerializableLayer) {
		buf := gopacket.NewSerializeBuffer()
		opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
		if err := gopacket.SerializeLayers(buf, opts, stack...); err != nil {
			t.Fatal(err)
		}
		b := buf.Bytes()
		info := gopacket.CaptureInfo{Timestamp: now, CaptureLength: len(b), Length: len(b)}
		if err := w.WritePacket(info, b); err != nil {
			t.Fatal(err)
		}
		now = now.Add(37 * time.Millisecond)
	}
	ethernet := func(i int, next layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{
			SrcMAC:       net.HardwareAddr{2, 0x11, 0x22, 0x33, 0x44, byte(i)},
			DstMAC:       net.HardwareAddr{2, 0x66, 0x77, 0x88, 0x99, byte(i + 1)},
			EthernetType: next,
		}
	}
	v4 := func(i int, proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{
			Version: 4, TTL: 60, TOS: uint8(i%4) << 5, Protocol: proto, Id: uint16(1000 + i),
			SrcIP: net.IPv4(192, 0, 2, byte(1+i)), DstIP: net.IPv4(198, 51, 100, byte(1+i%7)),
		}
	}
	v6 := func(i int, proto layers.IPProtocol) *layers.IPv6 {
		return &layers.IPv6{
			Version: 6, HopLimit: 61, TrafficClass: uint8(i%4) << 5, FlowLabel: uint32(0x1000 + i), NextHeader: proto,
			SrcIP: net.ParseIP("2001:db8::1:0").To16(), DstIP: append(net.ParseIP("2001:db8:2::").To16()[:15:15], byte(i)),
		}
	}
	payload := func(n int) gopacket.Payload { return bytes.Repeat([]byte{0x5a}, n) }
	for i := range 12 {
		// A TCP connection of five packets in one direction.
		for step, flags := range []layers.TCP{{SYN: true}, {ACK: true}, {ACK: true, PSH: true}, {ACK: true}, {FIN: true, ACK: true}} {
			tcp := flags
			tcp.SrcPort, tcp.DstPort = layers.TCPPort(1024+i), layers.TCPPort([]int{443, 80, 22}[i%3])
			tcp.Seq, tcp.Window = uint32(step*100), 1024
			link := []gopacket.SerializableLayer{ethernet(i, layers.EthernetTypeIPv4)}
			switch i % 4 {
			case 1:
				link = []gopacket.SerializableLayer{ethernet(i, layers.EthernetTypeDot1Q),
					&layers.Dot1Q{VLANIdentifier: uint16(100 + i), Priority: 5, Type: layers.EthernetTypeIPv4}}
			case 2:
				link = []gopacket.SerializableLayer{ethernet(i, layers.EthernetTypeMPLSUnicast),
					&layers.MPLS{Label: uint32(16000 + i), TTL: 62}, &layers.MPLS{Label: uint32(17000 + i), TTL: 63, StackBottom: true}}
			}
			ip := v4(i, layers.IPProtocolTCP)
			_ = tcp.SetNetworkLayerForChecksum(ip)
			send(append(link, ip, &tcp, payload(40*step))...)
		}
	}
	for i := range 10 {
		for range 2 {
			ip := v6(i, layers.IPProtocolUDP)
			udp := &layers.UDP{SrcPort: layers.UDPPort(5000 + i), DstPort: 53}
			_ = udp.SetNetworkLayerForChecksum(ip)
			send(ethernet(i, layers.EthernetTypeIPv6), ip, udp, payload(60+i))
		}
	}
	for i := range 4 {
		send(ethernet(i, layers.EthernetTypeIPv4), v4(20+i, layers.IPProtocolICMPv4),
			&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, uint8(i)), Seq: 1}, payload(32))
		ip := v6(20+i, layers.IPProtocolICMPv6)
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
		_ = icmp.SetNetworkLayerForChecksum(ip)
		send(ethernet(i, layers.EthernetTypeIPv6), ip, icmp, payload(24))
	}
	// A datagram in two fragments, and protocols without ports.
	first := v4(30, layers.IPProtocolUDP)
	first.Flags = layers.IPv4MoreFragments
	send(ethernet(1, layers.EthernetTypeIPv4), first, payload(80))
	rest := v4(30, layers.IPProtocolUDP)
	rest.FragOffset = 10
	send(ethernet(1, layers.EthernetTypeIPv4), rest, payload(30))
	send(ethernet(1, layers.EthernetTypeIPv4), v4(31, layers.IPProtocolESP), payload(48))
	send(ethernet(1, layers.EthernetTypeIPv4), v4(32, layers.IPProtocolOSPF), payload(44))
	return out.Bytes()
}
