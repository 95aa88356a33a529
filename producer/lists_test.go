package producer_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Elements of structured data (RFC 6313).
const (
	basicList            = 291
	subTemplateList      = 292
	subTemplateMultiList = 293
)

// varField is a field that carries its own length (RFC 7011 section 7).
func varField(b []byte) []byte {
	return append(u16([]byte{255}, uint16(len(b))), b...)
}

// nestedLists is a basic list in a basic list, and so on. Each claims claim bytes
// more for what is in it than there are.
func nestedLists(depth, claim int) []byte {
	b := u16(u16([]byte{3}, 7, 2), 80) // a list of one port
	for range depth {
		inner := varField(b)
		inner[2] += byte(claim)
		b = append(u16([]byte{3}, basicList, variable), inner...)
	}
	return b
}

// TestLists: structured data is passed over by its length, whatever is in it and
// however deep, and the fields around it are those of the record.
func TestLists(t *testing.T) {
	fields := tpl(256, 7, 2, basicList, variable, subTemplateList, variable, subTemplateMultiList, variable, 11, 2)
	record := func(i, depth, claim int) []byte {
		list := nestedLists(depth, claim)
		return u16(join(u16(nil, uint16(i)), varField(list), varField(append([]byte{0xff}, list...)), varField(list[1:])), 443)
	}
	for _, depth := range []int{0, 1, 100, 1000} {
		for _, claim := range []int{0, 1, 200} {
			o := decodeAll(t, 0, ipfix(set(2, fields)), ipfix(set(256, record(1, depth, claim), record(2, 0, claim)))).wants(2, "none", true)
			for i, f := range o.flows {
				if f.SrcPort != uint32(1+i) || f.DstPort != 443 {
					t.Errorf("depth %d, record %d: ports %d and %d", depth, i, f.SrcPort, f.DstPort)
				}
			}
		}
	}
	// A list that is longer than its set is no record.
	cut := record(1, 100, 0)
	decodeAll(t, 0, ipfix(set(2, fields)), ipfix(set(256, cut[:len(cut)/2]))).wants(0, "record_truncated", false)

	// Raw output in goflow2's form has its bytes.
	raw := rawOf(t, true, ipfix(set(2, fields)), ipfix(set(256, record(1, 100, 0))))[1]
	if want := base64.StdEncoding.EncodeToString(nestedLists(100, 0)); !strings.Contains(raw, want) {
		t.Errorf("the list is not in %.300s", raw)
	}
}
