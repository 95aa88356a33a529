package producer

import (
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// TestRanks: an element of a higher rank is used only where the template has none of a
// lower one, whatever their order; of equals the first one counts that is not zero.
func TestRanks(t *testing.T) {
	before := elements
	defer func() { elements = before }()
	o := func(field fieldID) op {
		return op{code: opNumber, field: field, bits: 64, wide: true, at: flowOffset(field)}
	}
	elements = map[elementKey][]elementOp{
		{0, 1}:   {{op: o(fieldBytes), rank: 0}},
		{0, 23}:  {{op: o(fieldBytes), rank: 0}},
		{0, 85}:  {{op: o(fieldBytes), rank: 1}},
		{0, 352}: {{op: o(fieldBytes), rank: 2}, {op: o(fieldPackets), rank: 0}},
		{9, 1}:   {{op: o(fieldPackets), rank: 1}},
	}
	for _, c := range []struct {
		fields         []template.Field
		bytes, packets uint64
	}{
		{[]template.Field{{ID: 1, Length: 1}, {ID: 85, Length: 1}, {ID: 352, Length: 1}}, 1, 3},
		{[]template.Field{{ID: 352, Length: 1}, {ID: 85, Length: 1}, {ID: 1, Length: 1}}, 3, 1},
		{[]template.Field{{ID: 352, Length: 1}, {ID: 85, Length: 1}}, 2, 1},
		{[]template.Field{{ID: 1, PEN: 9, Length: 1}, {ID: 352, Length: 1}}, 2, 2},
		{[]template.Field{{ID: 1, Length: 1}, {ID: 23, Length: 1}}, 1, 0},
		{[]template.Field{{ID: 85, Length: 1}, {ID: 1}}, 1, 0}, // a field without bytes is none
	} {
		tpl := &Template{Version: template.IPFIX, Fields: c.fields}
		var rec []byte
		for i, f := range c.fields {
			tpl.Length += int(f.Length)
			if f.Length > 0 {
				rec = append(rec, byte(i+1))
			}
		}
		p, f := &Producer{}, &Flow{}
		p.fill(compilePlan(tpl), rec, f, &recordContext{})
		if f.Bytes != c.bytes || f.Packets != c.packets {
			t.Errorf("%v: %d bytes, %d packets; want %d, %d", c.fields, f.Bytes, f.Packets, c.bytes, c.packets)
		}
	}
}
