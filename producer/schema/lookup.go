package schema

import "slices"

// A Lookup says which values of an element stand for which value of its field. What is
// not among its entries leaves the field as it is.
type Lookup struct {
	// Size is the only length in bytes that the value may have, 0 for up to 8.
	Size uint8
	// Note says in docs what stands for what.
	Note    string
	Entries []Entry
}

// An Entry is for values that have Is in the bits of Mask; the first that fits counts.
type Entry struct{ Mask, Is, To uint64 }

// Of returns the value of the field for one of the element of size bytes, false if there
// is none.
func (l *Lookup) Of(v uint64, size int) (uint64, bool) {
	if l.Size != 0 && size != int(l.Size) {
		return 0, false
	}
	for i := range l.Entries {
		if e := &l.Entries[i]; v&e.Mask == e.Is {
			return e.To, true
		}
	}
	return 0, false
}

const wholeValue = 1<<64 - 1

var (
	// juniperException is Juniper's common properties id: its upper six bits are a type,
	// of which 2 is followed by the code of a forwarding exception, 0 for none. The
	// status is forwarded or dropped, for a reason unknown (RFC 7270 section 4.12).
	juniperException = &Lookup{
		Size: 2, Note: "type 2: 128 where the code of the exception is not 0, else 64",
		Entries: []Entry{{wholeValue, 2 << 10, 64}, {0x3f << 10, 2 << 10, 128}},
	}
	// segmentType is the kind of tunnel in the highest byte of layer2SegmentId (RFC 7133
	// section 3).
	segmentType = &Lookup{
		Size: 8, Note: "type in the highest byte",
		Entries: []Entry{{0xff << 56, 1 << 56, tunnel("vxlan")}, {0xff << 56, 2 << 56, tunnel("nvgre")}},
	}
	// ovsTunnel is the kind of tunnel by the numbers of Open vSwitch.
	ovsTunnel = &Lookup{
		Note: "1 vxlan, 2 and 5 gre, 3 lisp, 4 stt, 7 geneve",
		Entries: []Entry{
			{wholeValue, 1, tunnel("vxlan")}, {wholeValue, 2, tunnel("gre")}, {wholeValue, 3, tunnel("lisp")},
			{wholeValue, 4, tunnel("stt")}, {wholeValue, 5, tunnel("gre")}, {wholeValue, 7, tunnel("geneve")},
		},
	}
)

// tunnel returns the number of a kind of tunnel.
func tunnel(name string) uint64 { return uint64(slices.Index(TunnelNames, name)) }
