package capture

import (
	"container/list"
	"net/netip"
	"slices"
)

// Bounds of what waits for its other fragments. A capture may hold any number of
// first fragments; the oldest give way.
const (
	maxFragmented    = 1024            // datagrams
	maxFragmentBytes = 16 << 20        // payload bytes and bookkeeping
	maxFragmentAge   = 30 * 1000000000 // ns of capture time, as Linux waits (ipfrag_time)
	maxIPPayload     = 65535           // RFC 791, RFC 8200: what the length fields can say
	pieceOverhead    = 48              // bookkeeping charged for a piece, bytes
)

// fragmentKey tells which fragments belong together: RFC 791 section 2.3 (the
// protocol counts too), RFC 8200 section 4.5 (it does not).
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol uint8
	v6       bool
}

// piece is one fragment's bytes, copied.
type piece struct {
	offset int
	data   []byte
}

func (p piece) end() int { return p.offset + len(p.data) }

// fragmented is a datagram that is not whole yet. Its pieces are in order of
// offset and do not overlap.
type fragmented struct {
	key     fragmentKey
	pieces  []piece
	have    int   // bytes in pieces
	total   int   // length of the whole, -1 until the last fragment came
	next    uint8 // protocol named by the fragment at offset 0
	charge  int   // against maxFragmentBytes
	firstNs int64 // capture time of the first fragment seen
}

// whole is the payload put together; data is valid until the next add.
type whole struct {
	next uint8
	data []byte
}

// fragmentTable puts fragments together, the same for IPv4 and IPv6. Datagrams
// with overlapping fragments are thrown away (RFC 5722); exact repeats count as
// malformed and change nothing.
type fragmentTable struct {
	stats   *Stats
	byKey   map[fragmentKey]*list.Element
	byAge   list.List // of *fragmented, oldest first
	bytes   int
	scratch []byte
}

// add takes a fragment of a datagram: data at offset, more to come or the last.
// It returns the whole, or the counter where this fragment ends, for the caller
// to move; the fragments that came before are moved between counters here.
func (t *fragmentTable) add(key fragmentKey, offset int, more bool, next uint8, data []byte, timeNs int64) (whole, *uint64) {
	t.expire(timeNs)
	if more && len(data)%8 != 0 || len(data) == 0 || offset+len(data) > maxIPPayload {
		return whole{}, &t.stats.Malformed
	}
	if t.byKey == nil {
		t.byKey = make(map[fragmentKey]*list.Element)
	}
	element, known := t.byKey[key]
	if !known {
		element = t.byAge.PushBack(&fragmented{key: key, total: -1, firstNs: timeNs})
		t.byKey[key] = element
	}
	f := element.Value.(*fragmented)
	p := piece{offset: offset, data: data}

	at, repeated := slices.BinarySearchFunc(f.pieces, offset, func(p piece, offset int) int { return p.offset - offset })
	if repeated && len(f.pieces[at].data) == len(data) && (!more == (f.total == p.end())) {
		return whole{}, &t.stats.Malformed // a repeat: the first stays
	}
	bad := repeated ||
		at > 0 && f.pieces[at-1].end() > offset ||
		at < len(f.pieces) && f.pieces[at].offset < p.end() ||
		f.total >= 0 && (!more || p.end() > f.total) ||
		!more && at < len(f.pieces)
	if bad {
		t.drop(element)
		return whole{}, &t.stats.Malformed
	}
	if !more {
		f.total = p.end()
	}
	if offset == 0 {
		f.next = next
	}
	f.have += len(data)
	if f.have == f.total {
		return t.join(element, at, p), nil
	}

	charge := len(data) + pieceOverhead
	for len(t.byKey) > maxFragmented || t.bytes+charge > maxFragmentBytes {
		oldest := t.byAge.Front()
		t.drop(oldest)
		if oldest == element {
			return whole{}, &t.stats.FragmentsIncomplete
		}
	}
	p.data = slices.Clone(data)
	f.pieces = slices.Insert(f.pieces, at, p)
	f.charge += charge
	t.bytes += charge
	return whole{}, &t.stats.FragmentsWaiting
}

// join copies the pieces, with the one that was missing at its place, together.
func (t *fragmentTable) join(element *list.Element, at int, last piece) whole {
	f := element.Value.(*fragmented)
	t.scratch = t.scratch[:0]
	for _, p := range f.pieces[:at] {
		t.scratch = append(t.scratch, p.data...)
	}
	t.scratch = append(t.scratch, last.data...)
	for _, p := range f.pieces[at:] {
		t.scratch = append(t.scratch, p.data...)
	}
	t.remove(element)
	n := uint64(len(f.pieces))
	t.stats.FragmentsWaiting -= n
	t.stats.FragmentsUsed += n
	return whole{next: f.next, data: t.scratch}
}

// expire drops what has waited too long at capture time nowNs.
func (t *fragmentTable) expire(nowNs int64) {
	for {
		oldest := t.byAge.Front()
		if oldest == nil || nowNs-oldest.Value.(*fragmented).firstNs <= maxFragmentAge {
			return
		}
		t.drop(oldest)
	}
}

// giveUp drops all, at the capture's end.
func (t *fragmentTable) giveUp() {
	for t.byAge.Len() > 0 {
		t.drop(t.byAge.Front())
	}
}

// drop gives up a datagram; its fragments become incomplete ones.
func (t *fragmentTable) drop(element *list.Element) {
	n := uint64(len(element.Value.(*fragmented).pieces))
	t.stats.FragmentsWaiting -= n
	t.stats.FragmentsIncomplete += n
	t.remove(element)
}

func (t *fragmentTable) remove(element *list.Element) {
	f := element.Value.(*fragmented)
	t.byAge.Remove(element)
	delete(t.byKey, f.key)
	t.bytes -= f.charge
}
