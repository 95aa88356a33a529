package producer_test

import (
	"encoding/binary"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestIgnored counts elements that are passed over, by kind, in records of fixed and of
// variable length.
func TestIgnored(t *testing.T) {
	be := binary.BigEndian
	spec := func(id, length uint16, pen uint32) []byte {
		b := be.AppendUint16(nil, id)
		if pen != 0 {
			b[0] |= 0x80
		}
		b = be.AppendUint16(b, length)
		if pen != 0 {
			b = be.AppendUint32(b, pen)
		}
		return b
	}
	for name, c := range map[string]struct {
		specs  [][]byte
		record []byte
		want   [producer.NumIgnored]uint64
	}{
		"none":     {[][]byte{spec(8, 4, 0), spec(1, 4, 0), spec(136, 1, 0)}, make([]byte, 9), [producer.NumIgnored]uint64{}},
		"reverse":  {[][]byte{spec(8, 4, 0), spec(1, 4, 0), spec(1, 4, 29305), spec(3, 1, 29305)}, make([]byte, 13), [producer.NumIgnored]uint64{1, 0, 0}},
		"lists":    {[][]byte{spec(8, 4, 0), spec(291, 0xffff, 0), spec(293, 0xffff, 0)}, []byte{1, 2, 3, 4, 0, 0}, [producer.NumIgnored]uint64{0, 2, 0}},
		"unknown":  {[][]byte{spec(8, 4, 0), spec(30000, 2, 0), spec(3, 2, 64999)}, make([]byte, 8), [producer.NumIgnored]uint64{0, 0, 2}},
		"no bytes": {[][]byte{spec(8, 4, 0), spec(30000, 0, 0)}, make([]byte, 4), [producer.NumIgnored]uint64{}},
	} {
		def := be.AppendUint16(be.AppendUint16(nil, 256), uint16(len(c.specs)))
		for _, s := range c.specs {
			def = append(def, s...)
		}
		records := append(append([]byte{}, c.record...), c.record...)
		p := producer.New(producer.Config{}, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 1<<10)
		p.Datagram(batch, producer.Meta{Source: v4source, ReceivedNs: receivedNs}, ipfix(set(2, def), set(256, records)))
		for kind := range c.want {
			c.want[kind] *= 2 // records
		}
		if got := p.Tally().Ignored; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
