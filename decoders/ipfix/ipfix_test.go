package ipfix_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/weirflow/weir/decoders/ipfix"
)

var message = []byte{0, 10, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 2, 0, 4}

func TestParseHeader(t *testing.T) {
	h, sets, err := ipfix.ParseHeader(message)
	want := ipfix.Header{Length: 20, ExportTime: 0x01020304, Sequence: 0x05060708, DomainID: 0x090a0b0c}
	if err != nil || h != want || len(sets) != 4 {
		t.Fatalf("got %+v, %x, %v", h, sets, err)
	}
	if _, _, err := ipfix.ParseHeader(message[:15]); !errors.Is(err, ipfix.ErrShort) {
		t.Errorf("got %v", err)
	}
	if _, _, err := ipfix.ParseHeader(make([]byte, 16)); !errors.Is(err, ipfix.ErrVersion) {
		t.Errorf("got %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { ipfix.ParseHeader(message) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParseHeader: what is behind a header is all that is there, whatever the
// header's length claims.
func FuzzParseHeader(f *testing.F) {
	f.Add(message)
	f.Add(message[:16])
	f.Add(message[:15])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, sets, err := ipfix.ParseHeader(b)
		switch {
		case errors.Is(err, ipfix.ErrShort):
			if len(b) >= ipfix.HeaderLen {
				t.Fatal("short, and it is not")
			}
		case errors.Is(err, ipfix.ErrVersion):
			if binary.BigEndian.Uint16(b) == ipfix.Version {
				t.Fatal("the version is right")
			}
		case err != nil:
			t.Fatal(err)
		case len(sets) != len(b)-ipfix.HeaderLen || h.DomainID != binary.BigEndian.Uint32(b[12:]):
			t.Fatalf("got %+v, %d bytes", h, len(sets))
		}
	})
}
