//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"unsafe"
)

// memberTexts are the texts before each member's value and after the last, by
// notation.
var memberTexts = [2]memberText{newMemberText(notationJSON), newMemberText(notationText)}

// memberText is such a text, and jsonSlack after it, with its pieces by member.
type memberText struct {
	text  []byte
	spans [numCore + 1]jsonSpan
}

func newMemberText(n notation) (t memberText) {
	for i := range t.spans {
		s := n.before(fieldID(i))
		t.spans[i] = jsonSpan{uint32(len(t.text)), uint32(len(s))}
		t.text = append(t.text, s...)
	}
	t.text = append(t.text, make([]byte, jsonSlack)...)
	return t
}

// before returns the text before a member's value.
func (t *memberText) before(member fieldID) []byte {
	s := &t.spans[member]
	return t.text[s.pos : s.pos+s.n]
}

// put writes the text before a member's value.
func (t *memberText) put(w unsafe.Pointer, member fieldID) unsafe.Pointer {
	s := &t.spans[member]
	return putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.text)), s.pos), uintptr(s.n))
}

// appendJSON is AppendJSON by words, the same byte for byte.
func appendJSON(dst []byte, f *Flow) []byte {
	const (
		text    = 1200 // all keys and signs: less
		values  = 24 * 50
		perItem = 48 // the longest of a list: an address in quotes
	)
	items := len(f.BGPCommunities) + len(f.ASPath) + len(f.MPLSTTL) + len(f.MPLSLabel) + len(f.MPLSIP) +
		len(f.LayerStack) + len(f.LayerSize) + len(f.RoutingAddresses)/16
	need := text + values + perItem*items + jsonSlack
	if cap(dst)-len(dst) < need {
		dst = grow(dst, need)
	}
	begin := unsafe.Pointer(unsafe.SliceData(dst[:cap(dst)]))
	begin = unsafe.Add(begin, len(dst))
	w := writeFlow(f, begin)
	return appendExtraJSON(dst[:len(dst)+int(uintptr(w)-uintptr(begin))], f)
}

// putKey writes the text before a member's value in JSON.
func putKey(w unsafe.Pointer, member fieldID) unsafe.Pointer {
	return memberTexts[notationJSON].put(w, member)
}

// putRun writes a run of members that are numbers of 32 bits, which stand at these
// offsets in f.
func putRun(w unsafe.Pointer, f *Flow, first fieldID, offsets []uintptr) unsafe.Pointer {
	for i, offset := range offsets {
		w = putKey(w, first+fieldID(i))
		v := uint64(*(*uint32)(unsafe.Add(unsafe.Pointer(f), offset)))
		if v < 10 { // most are zero
			*(*byte)(w) = byte('0' + v)
			w = unsafe.Add(w, 1)
			continue
		}
		w = putNumber(w, v)
	}
	return w
}

// putLayers writes the names of an array of layers.
func putLayers(w unsafe.Pointer, layers []uint32) unsafe.Pointer {
	for i, l := range layers {
		w = putName(putQuote(w, i), layerName(l))
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	return w
}

// putAddrs writes the addresses of an array.
func putAddrs(w unsafe.Pointer, list [][]byte) unsafe.Pointer {
	for i, ip := range list {
		w = putIP(putQuote(w, i), ip)
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	return w
}

// putFlat writes addresses of 16 bytes that stand one after the other.
func putFlat(w unsafe.Pointer, list []byte) unsafe.Pointer {
	for i := 0; len(list) >= 16; i, list = i+1, list[16:] {
		w = putIP(putQuote(w, i), list[:16])
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	return w
}

// putQuote begins string i of an array.
func putQuote(w unsafe.Pointer, i int) unsafe.Pointer {
	if i > 0 {
		*(*byte)(w) = ','
		w = unsafe.Add(w, 1)
	}
	*(*byte)(w) = '"'
	return unsafe.Add(w, 1)
}

// putName copies a name of our own tables.
func putName(w unsafe.Pointer, name string) unsafe.Pointer {
	return unsafe.Add(w, copy(unsafe.Slice((*byte)(w), 32), name))
}

// putNumbers writes the numbers of an array.
func putNumbers(w unsafe.Pointer, v []uint32) unsafe.Pointer {
	for i, x := range v {
		if i > 0 {
			*(*byte)(w) = ','
			w = unsafe.Add(w, 1)
		}
		w = putNumber(w, uint64(x))
	}
	return w
}

// putIP writes an address of 4 or 16 bytes, or nothing.
func putIP(w unsafe.Pointer, addr []byte) unsafe.Pointer {
	p := unsafe.Pointer(unsafe.SliceData(addr))
	switch len(addr) {
	case 4:
		return putAddr4(w, bits.ReverseBytes32(*(*uint32)(p)))
	case 16:
		return putAddr16(w, load64(p), load64(unsafe.Add(p, 8)))
	}
	return w
}

// putNet writes the prefix of so many bits of an address, or nothing if there
// is none.
func putNet(w unsafe.Pointer, addr []byte, length uint32) unsafe.Pointer {
	p := unsafe.Pointer(unsafe.SliceData(addr))
	switch len(addr) {
	case 4:
		return putNet4(w, load32(p), uint64(length))
	case 16:
		return putNet16(w, load64(p), load64(unsafe.Add(p, 8)), uint64(length))
	}
	return w
}
