package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ngBlock is a block with that body, which is padded.
func ngBlock(kind uint32, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	le := binary.LittleEndian
	out := le.AppendUint32(le.AppendUint32(nil, kind), uint32(len(b)+12))
	return le.AppendUint32(append(out, b...), uint32(len(b)+12))
}

func words(list ...uint32) (b []byte) {
	for _, w := range list {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func ngSection() []byte {
	return ngBlock(blockSection, words(byteOrderMagic, 1, ^uint32(0), ^uint32(0)))
}

func ngPacket(id uint32, frame []byte) []byte {
	return ngBlock(blockEnhanced, words(id, 0, 1, uint32(len(frame)), uint32(len(frame))), frame)
}

// repeated is a gzip'ed file of a head, a part that comes n times, and a tail.
func repeated(t *testing.T, head, part []byte, n int, tail []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	many := bytes.Repeat(part, 1+(1<<16)/len(part))
	left := n * len(part)
	for _, b := range [][]byte{head, nil, tail} {
		if b == nil {
			for ; left > 0; left -= min(left, len(many)) {
				if _, err := z.Write(many[:min(left, len(many))]); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestNoGrowth: whatever a capture has a lot of, a reader's memory does not grow with it, and
// the datagram at the end is read.
func TestNoGrowth(t *testing.T) {
	le := binary.LittleEndian
	flow := frames()[0]
	section, ethernet := ngSection(), ngBlock(blockInterface, words(1, 0))
	begin := append(append([]byte{}, section...), ethernet...)
	name := ngBlock(4, words(1|64<<16, 0x0100007f), bytes.Repeat([]byte("n"), 60), words(0))
	comment := ngBlock(blockInterface, words(1, 0), words(1|32<<16), bytes.Repeat([]byte("c"), 32), words(0))
	option := append(words(1|32<<16), bytes.Repeat([]byte("o"), 32)...)
	const optionLength = 1 << 17 * 36
	huge := func(kind uint32, fixed []byte, data uint32) []byte { // the beginning of a block; data and the trailer follow
		b := le.AppendUint32(le.AppendUint32(nil, kind), uint32(12+len(fixed))+data)
		return append(b, fixed...)
	}
	trailer := func(fixed, data uint32) []byte { return words(12 + fixed + data) }
	const hugeFrame = 64 << 20
	small := pcap(t, layers.LinkTypeEthernet, flow)
	wide := append([]byte{}, small[:24]...)
	le.PutUint32(wide[16:], 1<<31)
	for _, c := range []struct {
		name             string
		head, part       []byte
		n                int
		tail             []byte
		over, interfaces uint64
	}{
		{"interfaces", begin, ethernet, 1 << 17, ngPacket(0, flow), 0, 1<<17 + 1 - maxInterfaces},
		{"interfaces with comments", begin, comment, 1 << 17, ngPacket(0, flow), 0, 1<<17 + 1 - maxInterfaces},
		{"frames of interfaces that are not kept", bytes.Join([][]byte{section, bytes.Repeat(ethernet, maxInterfaces+1)}, nil),
			ngPacket(maxInterfaces, flow), 1 << 16, ngPacket(maxInterfaces-1, flow), 1 << 16, 1},
		{"names", begin, name, 1 << 17, ngPacket(0, flow), 0, 0},
		{"sections", begin, begin, 1 << 17, ngPacket(0, flow), 0, 0},
		{"unknown blocks", begin, ngBlock(0xbad, words(1, 2, 3)), 1 << 17, ngPacket(0, flow), 0, 0},
		{"options of a frame", append(append([]byte{}, begin...), huge(blockEnhanced, words(0, 0, 1, 0, 0), optionLength)...), option, 1 << 17,
			append(trailer(20, optionLength), ngPacket(0, flow)...), 0, 0},
		{"options of an interface", append(append([]byte{}, section...), huge(blockInterface, words(1, 0), optionLength)...), option, 1 << 17,
			append(trailer(8, optionLength), ngPacket(0, flow)...), 0, 0},
		{"a huge unknown block", append(append([]byte{}, begin...), huge(0xbad, nil, hugeFrame)...), make([]byte, 1<<10), hugeFrame >> 10,
			append(trailer(0, hugeFrame), ngPacket(0, flow)...), 0, 0},
		{"a huge frame", append(append([]byte{}, begin...), huge(blockEnhanced, words(0, 0, 1, hugeFrame, hugeFrame), hugeFrame)...), make([]byte, 1<<10), hugeFrame >> 10,
			append(trailer(20, hugeFrame), ngPacket(0, flow)...), 1, 0},
		{"a huge simple frame", append(append([]byte{}, begin...), huge(blockSimple, words(hugeFrame), hugeFrame)...), make([]byte, 1<<10), hugeFrame >> 10,
			append(trailer(4, hugeFrame), ngPacket(0, flow)...), 1, 0},
		{"a huge frame in pcap", append(wide, words(0, 0, hugeFrame, hugeFrame)...), make([]byte, 1<<10), hugeFrame >> 10, small[24:], 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader("x", bytes.NewReader(repeated(t, c.head, c.part, c.n, c.tail)))
			if err != nil {
				t.Fatal(err)
			}
			before := liveHeap()
			list := 0
			var most uint64
			for {
				_, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				list++
				most = max(most, liveHeap()-min(before, liveHeap()))
			}
			if s := r.Stats(); list != 1 || s.OverLimit != c.over || s.InterfacesIgnored != c.interfaces || s.Frames != s.accounted() {
				t.Errorf("%d datagrams, %+v: want one, %d frames over the limit, %d interfaces", list, s, c.over, c.interfaces)
			}
			if limit := uint64(3 * maxFrame); most > limit {
				t.Errorf("%d bytes are held, more than %d", most, limit)
			}
			runtime.KeepAlive(r)
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// oracle reads the frames of a capture by gopacket.
func oracle(data []byte) (list []record, err error) {
	var source interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	var link layers.LinkType
	mixed := false
	if binary.BigEndian.Uint32(data) == magicPcapng {
		source, err = pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		mixed = true
	} else {
		var p *pcapgo.Reader
		if p, err = pcapgo.NewReader(bytes.NewReader(data)); err == nil {
			link = p.LinkType()
		}
		source = p
	}
	if err != nil {
		return nil, err
	}
	for {
		frame, info, err := source.ReadPacketData()
		if err != nil {
			return list, err
		}
		r := record{data: frame, link: link}
		if mixed {
			r.link = info.AncillaryData[0].(layers.LinkType)
		}
		if !info.Timestamp.IsZero() {
			r.timeNs = info.Timestamp.UnixNano()
		}
		list = append(list, r)
	}
}

// compareOracle reads a capture both ways, up to where either finds it damaged.
func compareOracle(t *testing.T, name string, data []byte) {
	t.Helper()
	want, wantErr := oracle(data)
	r, err := NewReader(name, bytes.NewReader(data))
	var got []record
	for err == nil {
		var one record
		if one, err = r.source.next(); err == nil {
			one.data = bytes.Clone(one.data)
			got = append(got, one)
		}
	}
	if wantErr == io.EOF && err != io.EOF || len(got) < len(want) && wantErr == io.EOF {
		t.Fatalf("%s: %d frames and %v, gopacket has %d and %v", name, len(got), err, len(want), wantErr)
	}
	for i := range min(len(got), len(want)) {
		if g, w := got[i], want[i]; !bytes.Equal(g.data, w.data) || g.link != w.link || g.timeNs != w.timeNs {
			t.Fatalf("%s: frame %d: %d bytes of link %v at %d, gopacket has %d, %v, %d", name, i, len(g.data), g.link, g.timeNs, len(w.data), w.link, w.timeNs)
		}
	}
}

// TestLikeGopacket: where gopacket reads a capture to its end, all its frames are the same.
func TestLikeGopacket(t *testing.T) {
	flow := frames()[0]
	for _, resolution := range []byte{0, 1, 3, 6, 9, 12, 19, 0x80 | 10, 0x80 | 32, 0x80 | 63} {
		interfaces := ngBlock(blockInterface, words(1, 0), words(9|1<<16, uint32(resolution)), words(14|8<<16, 5, 0), words(0))
		compareOracle(t, "resolution", bytes.Join([][]byte{ngSection(), interfaces, ngPacket(0, flow),
			ngBlock(blockEnhanced, words(0, 0x5a000, 0x12345678, 4, 9), words(1)), ngBlock(blockPacket, words(0, 7, 8, 3, 3), words(1)),
			ngBlock(blockSimple, words(4), words(1)), ngSection(), ngBlock(0xbad, words(1))}, nil))
	}
	paths, err := filepath.Glob("../corpus/testdata/*.pcap*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint16(data) != magicGzip {
			compareOracle(t, path, data)
		}
	}
}

func TestDamagedPcapng(t *testing.T) {
	begin := append(ngSection(), ngBlock(blockInterface, words(1, 0))...)
	for name, block := range map[string][]byte{
		"short block":             words(0xbad, 8, 8),
		"frame without interface": ngPacket(1, frames()[0]),
		"frame beyond its block":  ngBlock(blockEnhanced, words(0, 0, 1, 100, 100), words(1)),
		"packet block too short":  ngBlock(blockEnhanced, words(0, 0)),
		"option beyond its block": ngBlock(blockInterface, words(1, 0), words(1|100<<16), words(1)),
		"resolution":              ngBlock(blockInterface, words(1, 0), words(9|1<<16, 64)),
		"byte order":              ngBlock(blockSection, words(1, 1, 0, 0)),
	} {
		_, stats, err := readAll(t, bytes.Join([][]byte{begin, ngPacket(0, frames()[0]), block, ngPacket(0, frames()[0])}, nil))
		var damaged *DamagedError
		if !errors.As(err, &damaged) || stats.Frames != 1 {
			t.Errorf("%s: %v after %d frames", name, err, stats.Frames)
		}
	}
}
