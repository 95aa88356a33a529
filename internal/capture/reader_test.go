package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// bigEndian turns a little-endian pcap around.
func bigEndian(data []byte) []byte {
	out := bytes.Clone(data)
	swap := func(at, n int) {
		for i := range n / 2 {
			out[at+i], out[at+n-1-i] = out[at+n-1-i], out[at+i]
		}
	}
	swap(0, 4)
	swap(4, 2)
	swap(6, 2)
	for at := 8; at < 24; at += 4 {
		swap(at, 4)
	}
	for at := 24; at < len(out); {
		n := int(binary.LittleEndian.Uint32(data[at+8:]))
		for i := 0; i < 16; i += 4 {
			swap(at+i, 4)
		}
		at += 16 + n
	}
	return out
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func frames() [][]byte {
	return [][]byte{
		ether(0x0800, ip4(17, 1, 0, nil, udp(bytesOf(100), -1))),
		ether(0x0806, bytesOf(28)),
		ether(0x86dd, ip6(17, udp(bytesOf(31), -1))),
	}
}

func pcapNano(t testing.TB) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames() {
		info := gopacket.CaptureInfo{Timestamp: baseTime.Add(time.Duration(i) * time.Millisecond), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(info, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// pcapngMixed has two interfaces with different link types.
func pcapngMixed(t testing.TB) []byte {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw, SnapLength: 65535, TimestampResolution: 9})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames() {
		info := gopacket.CaptureInfo{Timestamp: baseTime.Add(time.Duration(i) * time.Millisecond), CaptureLength: len(f), Length: len(f)}
		if i == 2 {
			info.InterfaceIndex, f = raw, f[14:]
			info.CaptureLength, info.Length = len(f), len(f)
		}
		if err := w.WritePacket(info, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormats(t *testing.T) {
	micro := pcap(t, layers.LinkTypeEthernet, frames()...)
	tests := []struct {
		name string
		data []byte
	}{
		{"pcap", micro},
		{"pcap big-endian", bigEndian(micro)},
		{"pcap nanoseconds", pcapNano(t)},
		{"pcap nanoseconds big-endian", bigEndian(pcapNano(t))},
		{"pcapng of two link types", pcapngMixed(t)},
		{"pcap gzip", gzipped(t, micro)},
		{"pcapng gzip", gzipped(t, pcapngMixed(t))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			list, stats, err := Load(path)
			if err != nil || len(list) != 2 || stats.NonIP != 1 || stats.Frames != 3 {
				t.Fatalf("%d datagrams, error %v, stats %+v", len(list), err, stats)
			}
			if len(list[0].Payload) != 100 || len(list[1].Payload) != 31 || list[1].Src.Addr() != srcV6 {
				t.Errorf("got %+v", list)
			}
			for i, ms := range []int{0, 2} {
				if want := baseTime.Add(time.Duration(ms) * time.Millisecond).UnixNano(); list[i].TimeNs != want {
					t.Errorf("datagram %d: time %d, want %d", i, list[i].TimeNs, want)
				}
			}
		})
	}
}

func TestNotACapture(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "short": []byte("ab"), "text": []byte("time,src,dst\n1,2,3\n"),
		"gzip of text": gzipped(t, []byte("hello world")), "gzip of nothing": gzipped(t, nil),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "flows.csv")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if !errors.Is(err, ErrNotCapture) || !strings.Contains(err.Error(), "flows.csv") || !strings.Contains(err.Error(), "pcapng") {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil || errors.Is(err, ErrNotCapture) {
		t.Errorf("a directory: got %v", err)
	}
}

// Wherever a capture is cut, what came before the cut is returned and then an
// error that says so, unless the cut is between two records.
func TestCutAnywhere(t *testing.T) {
	for name, data := range map[string][]byte{
		"pcap":   pcap(t, layers.LinkTypeEthernet, frames()...),
		"pcapng": pcapngMixed(t),
	} {
		t.Run(name, func(t *testing.T) {
			clean, last := 0, uint64(0)
			for n := 4; n < len(data); n++ {
				list, stats, err := readAll(t, data[:n])
				var damaged *DamagedError
				switch {
				case err == nil:
					clean++
				case !errors.As(err, &damaged) || !errors.Is(err, io.ErrUnexpectedEOF):
					t.Fatalf("cut at %d: %v", n, err)
				case damaged.Frames != stats.Frames:
					t.Fatalf("cut at %d: error says %d frames, stats %d", n, damaged.Frames, stats.Frames)
				}
				if stats.Frames < last || stats.Datagrams != uint64(len(list)) {
					t.Fatalf("cut at %d: %+v after %d", n, stats, last)
				}
				last = stats.Frames
			}
			if clean == 0 || clean > 8 || last < 2 {
				t.Errorf("%d clean ends, %d frames at the last cut", clean, last)
			}
		})
	}
}

func TestDamagedErrorText(t *testing.T) {
	data := pcap(t, layers.LinkTypeEthernet, frames()...)
	r, err := NewReader("x", bytes.NewReader(data[:len(data)-5]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err = r.Next()
	if want := `read capture "x": unexpected end after frame 2`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, again := r.Next(); again != err {
		t.Errorf("the error changed to %v", again)
	}
	// A record that says it is longer than any packet.
	bad := bytes.Clone(data)
	binary.LittleEndian.PutUint32(bad[24+8:], 0x7fffffff)
	_, _, err = readAll(t, bad)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || damaged.Frames != 0 {
		t.Errorf("got %v", err)
	}
	cut := gzipped(t, data)
	if _, _, err := readAll(t, cut[:len(cut)-12]); !errors.As(err, &damaged) {
		t.Errorf("cut gzip: got %v", err)
	}
}

func TestNextKeepsNoMemory(t *testing.T) {
	var many [][]byte
	for range 2000 {
		many = append(many, frames()...)
	}
	r, err := NewReader("x", bytes.NewReader(pcap(t, layers.LinkTypeEthernet, many...)))
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations per datagram", got)
	}
}

func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap.gz")
	if err := os.WriteFile(path, gzipped(t, pcap(t, 1, frames()...)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzReader(f *testing.F) {
	v4, v6 := split4(1, bytesOf(3000), 800), split6(1, bytesOf(3000), 1000)
	f.Add(pcap(f, layers.LinkTypeEthernet, frames()...))
	f.Add(pcap(f, layers.LinkTypeRaw, append(v4, v6...)...))
	f.Add(pcapngMixed(f))
	f.Add(gzipped(f, pcapNano(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2 && data[0] == 0x1f && len(data) > 4096 {
			t.Skip("a gzip bomb only costs time")
		}
		list, _, err := readAll(t, data)
		for i := range list {
			if d := &list[i]; !d.Src.IsValid() || !d.Dst.IsValid() || len(d.Payload) > len(data)*1100+65535 {
				t.Errorf("datagram %d: %v to %v, %d bytes", i, d.Src, d.Dst, len(d.Payload))
			}
		}
		var damaged *DamagedError
		if err != nil && !errors.As(err, &damaged) && !errors.Is(err, ErrNotCapture) {
			t.Errorf("error of no known kind: %v", err)
		}
	})
}
