package capture

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// These helpers build packets byte by byte, apart from the code under test.

var (
	srcV4 = netip.MustParseAddr("192.0.2.1")
	dstV4 = netip.MustParseAddr("198.51.100.7")
	srcV6 = netip.MustParseAddr("2001:db8::1")
	dstV6 = netip.MustParseAddr("2001:db8::2")
)

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// udp is a datagram from port 1000 to port 2055; length overrides the header's where >= 0.
func udp(payload []byte, length int) []byte {
	if length < 0 {
		length = 8 + len(payload)
	}
	return cat(be16(1000), be16(2055), be16(length), be16(0), payload)
}

// ip4 is an IPv4 packet; frag is the flags and offset field, options are raw.
func ip4(protocol byte, id, frag int, options, payload []byte) []byte {
	s, d := srcV4.As4(), dstV4.As4()
	return cat([]byte{0x40 | byte(5+len(options)/4), 0}, be16(20+len(options)+len(payload)), be16(id), be16(frag),
		[]byte{64, protocol}, be16(0), s[:], d[:], options, payload)
}

func ip6(next byte, payload []byte) []byte {
	s, d := srcV6.As16(), dstV6.As16()
	return cat(be32(0x60000000), be16(len(payload)), []byte{next, 64}, s[:], d[:], payload)
}

// frag6 is an IPv6 fragment header and its piece.
func frag6(next byte, offset int, more bool, id int, data []byte) []byte {
	field := offset
	if more {
		field |= 1
	}
	return cat([]byte{next, 0}, be16(field), be32(id), data)
}

func ether(etherType int, payload []byte) []byte {
	return cat(make([]byte, 12), be16(etherType), payload)
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

var baseTime = time.Unix(1700000000, 123456000).UTC()

// pcap writes frames a millisecond apart.
func pcap(t testing.TB, link layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65536, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: baseTime.Add(time.Duration(i) * time.Millisecond), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(info, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// readAll reads a capture from memory and checks that its counters add up.
func readAll(t testing.TB, data []byte) ([]Datagram, Stats, error) {
	t.Helper()
	r, err := NewReader("test", bytes.NewReader(data))
	if err != nil {
		return nil, Stats{}, err
	}
	list, stats, err := loadAll(r)
	if got := stats.accounted(); got != stats.Frames {
		t.Errorf("counters add up to %d of %d frames: %+v", got, stats.Frames, stats)
	}
	if stats.Datagrams != uint64(len(list)) {
		t.Errorf("Datagrams counter %d, %d handed out", stats.Datagrams, len(list))
	}
	return list, stats, err
}
