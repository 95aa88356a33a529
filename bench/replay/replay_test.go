package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weirflow/weir/internal/udp"
)

// packet is one datagram of a generated capture.
type packet struct {
	src, dst string
	payload  []byte
}

// writePcap writes a capture of raw IPv4 packets and returns its name.
func writePcap(t *testing.T, packets ...packet) string {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		src, dst := netip.MustParseAddrPort(p.src), netip.MustParseAddrPort(p.dst)
		frame := gopacket.NewSerializeBuffer()
		u := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
		var network gopacket.SerializableLayer
		etherType := layers.EthernetTypeIPv4
		if src.Addr().Is4() {
			ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
			u.SetNetworkLayerForChecksum(ip)
			network = ip
		} else {
			ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
			u.SetNetworkLayerForChecksum(ip)
			network, etherType = ip, layers.EthernetTypeIPv6
		}
		mac := make(net.HardwareAddr, 6)
		err := gopacket.SerializeLayers(frame, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: etherType}, network, u, gopacket.Payload(p.payload))
		if err != nil {
			t.Fatal(err)
		}
		data := frame.Bytes()
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1700000000, 0), CaptureLength: len(data), Length: len(data)}
		if err := w.WritePacket(info, data); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func someStrings(n int, src, dst string) []packet {
	list := make([]packet, n)
	for i := range list {
		list[i] = packet{src, dst, fmt.Appendf(nil, "%s %d", src, i)}
	}
	return list
}

// collector is a local socket to replay to.
func collector(t *testing.T, addr string) *udp.Socket {
	t.Helper()
	s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddrPort(addr), ReceiveBuffer: 4 << 20})
	if err != nil {
		t.Skipf("cannot listen: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// received takes what is in the collector's queue, payloads by source.
func received(t *testing.T, s *udp.Socket) (map[netip.AddrPort][]string, int) {
	t.Helper()
	bySource, total := map[netip.AddrPort][]string{}, 0
	for {
		n, err := s.Receive(200 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return bySource, total
		}
		for i := range n {
			d := s.Datagram(i)
			bySource[d.Src] = append(bySource[d.Src], string(d.Payload))
		}
		total += n
	}
}

// runReplay runs the command and decodes its summary.
func runReplay(t *testing.T, args ...string) (code int, sum summary, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	if code == 0 {
		if err := json.Unmarshal(out.Bytes(), &sum); err != nil {
			t.Fatalf("summary %q: %v", out.String(), err)
		}
		if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Errorf("the summary is not one line: %q", out.String())
		}
	}
	return code, sum, errs.String()
}

func TestReplay(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	name := writePcap(t, append(someStrings(100, "192.0.2.1:1000", "198.51.100.1:2055"), someStrings(50, "203.0.113.66:1000", "198.51.100.1:6343")...)...)
	code, sum, stderr := runReplay(t, "-to", s.LocalAddr().String(), "-loop", "3", "-port", "2055", name)
	if code != 0 || sum.Datagrams != 300 || sum.Loops != 3 || sum.Sources != 1 || sum.Errors != 0 || sum.Interrupted || sum.PPS <= 0 {
		t.Fatalf("code %d, %+v, %s", code, sum, stderr)
	}
	bySource, total := received(t, s)
	if total != 300 || len(bySource) != 1 {
		t.Fatalf("%d datagrams from %d sources", total, len(bySource))
	}
	bytes := 0
	for _, list := range bySource {
		for i, payload := range list {
			if want := fmt.Sprintf("192.0.2.1:1000 %d", i%100); payload != want {
				t.Fatalf("datagram %d is %q, want %q", i, payload, want)
			}
			bytes += len(payload)
		}
	}
	if uint64(bytes) != sum.Bytes {
		t.Errorf("%d bytes came, the summary says %d", bytes, sum.Bytes)
	}
}

func TestPacing(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	name := writePcap(t, someStrings(7, "192.0.2.1:1000", "198.51.100.1:2055")...)
	start := time.Now()
	code, sum, stderr := runReplay(t, "-to", s.LocalAddr().String(), "-loop", "0", "-duration", "1500ms", "-pps", "200", name)
	took := time.Since(start)
	if code != 0 || took < 1500*time.Millisecond {
		t.Fatalf("code %d after %v: %s", code, took, stderr)
	}
	// 301 are due in that time; never more, and not none on a busy machine.
	if sum.Datagrams > 302 || sum.Datagrams < 50 {
		t.Errorf("%d datagrams in %v at 200 a second", sum.Datagrams, took)
	}
	if !strings.Contains(stderr, "pps") {
		t.Errorf("no line of progress in %q", stderr)
	}
	if _, total := received(t, s); uint64(total) != sum.Datagrams {
		t.Errorf("%d came, the summary says %d", total, sum.Datagrams)
	}
}

func TestKeepSource(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 by itself")
	}
	s := collector(t, "127.0.0.1:0")
	var packets []packet
	a, b, c := someStrings(40, "127.0.5.1:31001", "198.51.100.1:2055"), someStrings(40, "203.0.113.66:31002", "198.51.100.1:2055"),
		someStrings(40, "203.0.113.66:31003", "198.51.100.1:2055")
	six := someStrings(40, "[2001:db8::7]:31004", "[2001:db8::1]:2055")
	for i := range a {
		packets = append(packets, a[i], b[i], c[i], six[i])
	}
	name := writePcap(t, packets...)
	var first map[netip.AddrPort][]string
	for range 2 {
		code, sum, stderr := runReplay(t, "-to", s.LocalAddr().String(), "-keep-source", name)
		if code != 0 || sum.Datagrams != 160 || sum.Sources != 4 {
			t.Fatalf("code %d, %+v, %s", code, sum, stderr)
		}
		if !strings.Contains(stderr, "source 203.0.113.66:31002 sends from 127.0.113.66, 31002") {
			t.Errorf("the change of address is not told: %s", stderr)
		}
		bySource, _ := received(t, s)
		for _, want := range []string{"127.0.5.1:31001", "127.0.113.66:31002", "127.0.113.66:31003"} {
			list := bySource[netip.MustParseAddrPort(want)]
			if len(list) != 40 {
				t.Errorf("%d datagrams from %s", len(list), want)
			}
			for i, payload := range list {
				if !strings.HasSuffix(payload, fmt.Sprintf(" %d", i)) {
					t.Errorf("from %s: datagram %d is %q", want, i, payload)
				}
			}
		}
		if len(bySource) != 4 {
			t.Errorf("%d sources", len(bySource))
		}
		if first == nil {
			first = bySource
		}
		for src := range bySource {
			if first[src] == nil {
				t.Errorf("source %v is another one in the second run", src)
			}
		}
	}
}

// A source port that is taken gives way, not the address.
func TestKeepSourcePortTaken(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	name := writePcap(t, someStrings(5, s.LocalAddr().String(), "198.51.100.1:2055")...)
	code, sum, stderr := runReplay(t, "-to", s.LocalAddr().String(), "-keep-source", name)
	if code != 0 || sum.Datagrams != 5 {
		t.Fatalf("code %d, %+v, %s", code, sum, stderr)
	}
	if !strings.Contains(stderr, "any port") {
		t.Errorf("the change of port is not told: %s", stderr)
	}
	bySource, _ := received(t, s)
	for src, list := range bySource {
		if len(list) != 5 || src.Addr() != s.LocalAddr().Addr() || src == s.LocalAddr() {
			t.Errorf("%d from %v", len(list), src)
		}
	}
}

func TestAssignSources(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("2001:db8::9")}
	tests := []struct {
		name, to  string
		from, to2 []string
		refused   string
	}{
		{"own and loopback stay", "127.0.0.1", []string{"10.9.9.9:1", "127.3.3.3:2", "127.0.0.1:3"}, []string{"10.9.9.9:1", "127.3.3.3:2", "127.0.0.1:3"}, ""},
		{"others move", "127.0.0.1", []string{"192.0.2.1:1", "192.0.2.1:2", "198.51.100.1:3"}, []string{"127.0.2.1:1", "127.0.2.1:2", "127.51.100.1:3"}, ""},
		{"two that would meet", "127.0.0.1", []string{"11.1.2.3:1", "12.1.2.3:1", "127.1.2.4:1"}, []string{"127.1.2.3:1", "127.1.2.5:1", "127.1.2.4:1"}, ""},
		{"reserved ones are passed by", "127.0.0.1", []string{"11.0.0.0:1", "11.0.0.1:1", "11.255.255.255:1"}, []string{"127.0.0.2:1", "127.0.0.3:1", "127.0.0.4:1"}, ""},
		{"own to a neighbour", "10.9.9.1", []string{"10.9.9.9:1"}, []string{"10.9.9.9:1"}, ""},
		{"loopback to an own address", "10.9.9.9", []string{"127.0.0.5:1"}, []string{"127.0.0.5:1"}, ""},
		{"own IPv6", "2001:db8::1", []string{"[2001:db8::9]:1"}, []string{"[2001:db8::9]:1"}, ""},
		{"loopback to a neighbour", "10.9.9.1", []string{"127.0.0.5:1"}, nil, "127.0.0.5 cannot send to 10.9.9.1"},
		{"others to a neighbour", "10.9.9.1", []string{"192.0.2.1:1"}, nil, "send to 127.0.0.1"},
		{"IPv4 to IPv6", "::1", []string{"192.0.2.1:1"}, nil, "192.0.2.1 cannot send to ::1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, reverse := range []bool{false, true} {
				var sources []source
				for i := range test.from {
					if reverse {
						i = len(test.from) - 1 - i
					}
					sources = append(sources, source{captured: netip.MustParseAddrPort(test.from[i])})
				}
				err := assignSources(sources, netip.MustParseAddr(test.to), own)
				if test.refused != "" {
					if err == nil || !strings.Contains(err.Error(), test.refused) {
						t.Errorf("got %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for i := range sources {
					want := test.to2[i]
					if reverse {
						want = test.to2[len(sources)-1-i]
					}
					if sources[i].local.String() != want {
						t.Errorf("%v sends from %v, want %s", sources[i].captured, sources[i].local, want)
					}
				}
			}
		})
	}
	if err := assignSources(make([]source, maxSources+1), own[0], own); err == nil {
		t.Error("any number of sources is taken")
	}
}

func TestInterrupt(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	name := writePcap(t, someStrings(3, "192.0.2.1:1000", "198.51.100.1:2055")...)
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-to", s.LocalAddr().String(), "-pps", "0.01", "-loop", "0", name}, &out, &errs)
	}()
	if n, err := s.Receive(5 * time.Second); n != 1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	cancel()
	select {
	case code := <-done:
		var sum summary
		if err := json.Unmarshal(out.Bytes(), &sum); err != nil || code != 0 || !sum.Interrupted || sum.Datagrams != 1 {
			t.Errorf("code %d, %+v, %v", code, sum, err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it did not end")
	}
}

// Nobody listens: errors are counted and sending goes on.
func TestRefusedIsCounted(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	to := s.LocalAddr().String()
	s.Close()
	name := writePcap(t, someStrings(50, "192.0.2.1:1000", "198.51.100.1:2055")...)
	code, sum, stderr := runReplay(t, "-to", to, name)
	if code != 0 || sum.Errors == 0 || sum.Skipped+sum.Datagrams != 50 {
		t.Fatalf("code %d, %+v, %s", code, sum, stderr)
	}
	kinds := uint64(0)
	for kind, n := range sum.ErrorsByKind {
		if runtime.GOOS == "linux" && !strings.Contains(kind, "refused") {
			t.Errorf("an error of kind %q", kind)
		}
		kinds += n
	}
	if kinds != sum.Errors {
		t.Errorf("%d errors by kind, %d in all", kinds, sum.Errors)
	}
}

func TestExitCodes(t *testing.T) {
	name := writePcap(t, someStrings(3, "192.0.2.1:1000", "198.51.100.1:2055")...)
	text := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(text, []byte("hello, this is text"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"nothing", nil, 2, []string{"-to is missing", "no capture file", "Usage:"}},
		{"unknown flag", []string{"-nope"}, 2, []string{"-nope", "Usage:"}},
		{"bad numbers", []string{"-to", "127.0.0.1:9", "-pps", "-1", "-loop", "-1", "-port", "70000", name}, 2, []string{"-pps -1", "-loop -1", "-port 70000"}},
		{"no port", []string{"-to", "127.0.0.1:0", name}, 2, []string{"want a host and a port"}},
		{"no such file", []string{"-to", "127.0.0.1:9", "/nowhere.pcap"}, 1, []string{"/nowhere.pcap"}},
		{"not a capture", []string{"-to", "127.0.0.1:9", text}, 1, []string{"not a capture"}},
		{"no datagram to the port", []string{"-to", "127.0.0.1:9", "-port", "1", name}, 1, []string{"no UDP datagram to port 1"}},
		{"source refused", []string{"-to", "192.0.2.200:9", "-keep-source", name}, 1, []string{"keep source"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, _, stderr := runReplay(t, test.args...)
			if code != test.code {
				t.Errorf("code %d, want %d: %s", code, test.code, stderr)
			}
			for _, word := range test.says {
				if !strings.Contains(stderr, word) {
					t.Errorf("%q does not say %q", stderr, word)
				}
			}
		})
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &out, &out); code != 0 || !strings.Contains(out.String(), "Usage:") {
		t.Errorf("-h: code %d, %q", code, out.String())
	}
}

func TestDamagedCaptureIsUsed(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	name := writePcap(t, someStrings(10, "192.0.2.1:1000", "198.51.100.1:2055")...)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data[:len(data)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	code, sum, stderr := runReplay(t, "-to", s.LocalAddr().String(), name)
	if code != 0 || sum.Datagrams != 9 || !strings.Contains(stderr, "unexpected end after frame 9") {
		t.Errorf("code %d, %+v, %s", code, sum, stderr)
	}
}
