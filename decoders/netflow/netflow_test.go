package netflow_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/weirflow/weir/decoders/netflow"
)

// datagram returns a datagram of a version with n records of size bytes; byte i
// of a record is i.
func datagram(version uint16, count, n, size int) []byte {
	headers := map[uint16]int{1: 16, 5: 24, 7: 24, 8: 28}
	b := make([]byte, headers[version])
	binary.BigEndian.PutUint16(b, version)
	binary.BigEndian.PutUint16(b[2:], uint16(count))
	for range n {
		for i := range size {
			b = append(b, byte(i))
		}
	}
	return b
}

// aggregated returns a v8 datagram of a scheme without records.
func aggregated(scheme byte) []byte {
	b := datagram(8, 0, 0, 0)
	b[22], b[23] = scheme, 2
	return b
}

func TestRecordCounts(t *testing.T) {
	for _, c := range []struct {
		name          string
		b             []byte
		records, size int
	}{
		{"v1", datagram(1, 3, 3, 48), 3, 48},
		{"v1 long", datagram(1, 3, 3, 52), 3, 52},
		{"v1 long, 12 records as 13", datagram(1, 12, 12, 52), 12, 52},
		{"v1 of 30", datagram(1, 30, 30, 48), 30, 48},
		{"v1 with a wrong count", datagram(1, 40, 3, 52), 3, 52},
		{"v5", datagram(5, 30, 30, 48), 30, 48},
		{"v5 of none", datagram(5, 65535, 0, 48), 0, 48},
		{"v5 with trailing bytes", append(datagram(5, 2, 2, 48), 1, 2, 3, 4, 5, 6), 2, 48},
		{"v5 that counts less", datagram(5, 1, 2, 48), 1, 48},
		{"v5 that counts none", datagram(5, 0, 2, 48), 0, 48},
		{"v1 that counts less", datagram(1, 2, 4, 48), 2, 48},
		{"v7 that counts less", datagram(7, 2, 3, 52), 2, 52},
		{"v5 padded with zeros", append(datagram(5, 1, 1, 48), make([]byte, 96)...), 1, 48},
		{"v7", datagram(7, 27, 27, 52), 27, 52},
		{"v7 cut", datagram(7, 2, 2, 52)[:24+103], 1, 52},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, body, err := netflow.ParseFixed(c.b)
			if err != nil {
				t.Fatal(err)
			}
			if n := h.Records(body); n != c.records || h.Layout.Len != c.size {
				t.Errorf("got %d records of %d bytes, want %d of %d", n, h.Layout.Len, c.records, c.size)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want error
	}{
		{nil, netflow.ErrShort},
		{[]byte{0}, netflow.ErrShort},
		{datagram(5, 0, 0, 0)[:23], netflow.ErrShort},
		{datagram(1, 0, 0, 0)[:15], netflow.ErrShort},
		{[]byte{0, 9, 0, 0}, netflow.ErrVersion},
		{make([]byte, 30), netflow.ErrVersion},
		{datagram(8, 0, 0, 0)[:27], netflow.ErrShort},
		{datagram(8, 0, 0, 0), netflow.ErrAggregation},
		{aggregated(15), netflow.ErrAggregation},
	} {
		if _, _, err := netflow.ParseFixed(c.b); !errors.Is(err, c.want) {
			t.Errorf("%x: got %v, want %v", c.b, err, c.want)
		}
	}
	if _, _, err := netflow.ParseHeader(make([]byte, 19)); !errors.Is(err, netflow.ErrShort) {
		t.Errorf("got %v", err)
	}
	if _, _, err := netflow.ParseHeader(make([]byte, 20)); !errors.Is(err, netflow.ErrVersion) {
		t.Errorf("got %v", err)
	}
}

func TestFields(t *testing.T) {
	b := datagram(5, 1, 1, 48)
	for i := range 20 {
		b[4+i] = byte(0xa0 + i)
	}
	h, body, err := netflow.ParseFixed(b)
	if err != nil {
		t.Fatal(err)
	}
	v5 := netflow.VersionOf(netflow.V5)
	want := netflow.Fixed{Version: 5, Count: 1, UptimeMs: 0xa0a1a2a3, UnixSecs: 0xa4a5a6a7, UnixNsecs: 0xa8a9aaab,
		Sequence: 0xacadaeaf, EngineType: 0xb0, EngineID: 0xb1, Sampling: 0xb2b3, Format: v5, Layout: v5.Layouts[0]}
	if h != want || len(body) != 48 {
		t.Errorf("got %+v, want %+v", h, want)
	}
	if h.SamplingInterval() != 0x32b3 {
		t.Errorf("got sampling interval %#x", h.SamplingInterval())
	}
	h8, _, err := netflow.ParseFixed(aggregated(14))
	if err != nil || h8.Aggregation != 14 || h8.AggregationVersion != 2 || h8.Layout.Len != 40 || h8.Format.Number != 8 {
		t.Errorf("v8: got %+v, %v", h8, err)
	}
	h9, sets, err := netflow.ParseHeader([]byte{0, 9, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 7})
	if err != nil || h9 != (netflow.Header{Count: 2, UptimeMs: 3, UnixSecs: 4, Sequence: 5, SourceID: 6}) || len(sets) != 1 {
		t.Errorf("v9: got %+v, %x, %v", h9, sets, err)
	}
}

func TestNoAllocations(t *testing.T) {
	b := datagram(5, 30, 30, 48)
	if n := testing.AllocsPerRun(100, func() {
		h, body, _ := netflow.ParseFixed(b)
		h.Records(body)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzFixed reads any bytes as any version: no more records than there are
// bytes for, each where it says.
func FuzzFixed(f *testing.F) {
	f.Add(datagram(1, 3, 3, 48))
	f.Add(datagram(1, 3, 3, 52))
	f.Add(datagram(5, 65535, 0, 48))
	f.Add(append(datagram(5, 2, 2, 48), make([]byte, 48)...))
	f.Add(datagram(7, 2, 2, 52))
	f.Add(append(aggregated(5), make([]byte, 80)...))
	f.Add([]byte{0, 9, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, sets, err := netflow.ParseHeader(b); err == nil && (len(sets) != len(b)-20 || binary.BigEndian.Uint32(b[16:]) != h.SourceID) {
			t.Fatalf("v9: %+v", h)
		}
		h, body, err := netflow.ParseFixed(b)
		if err != nil {
			if !errors.Is(err, netflow.ErrShort) && !errors.Is(err, netflow.ErrVersion) && !errors.Is(err, netflow.ErrAggregation) {
				t.Fatal(err)
			}
			return
		}
		n := h.Records(body)
		if n*h.Layout.Len > len(body) {
			t.Fatalf("%d records of %d bytes in %d", n, h.Layout.Len, len(body))
		}
		if h.Version == 5 && n < min(int(h.Count), len(body)/48) {
			t.Fatalf("%d records, %d are there and counted", n, min(int(h.Count), len(body)/48))
		}
	})
}
