//go:build !weirsafe

package producer

import (
	"slices"
	"unsafe"
)

// fusedRun is what writeTables in assembly is given, and what it returns. It
// lives on the stack: only whole numbers are written to it.
type fusedRun struct {
	src    unsafe.Pointer // the first record
	buf    unsafe.Pointer // the batch's buffer, from its beginning
	prefix unsafe.Pointer // with jsonSlack after it
	ends   unsafe.Pointer // where the first message's end goes, 4 bytes each

	at        uint64 // length of what is in buf; then with the messages
	records   uint64 // to write; then those that are left
	prefixLen uint64
	room      uint64 // for the length before a message, 1 or 2 bytes; then that of the last one
	open      uint64 // not 0: one record, without length and separator
	separator uint64 // its bytes, first one lowest
	sepLen    uint64 // at most 8
	exportNs  uint64
	uptimeMs  uint64
	late      uint64 // 1 if a start was after its end, which became the start
}

// writeTables writes the messages of r.records records: into r.buf after r.at
// bytes, where there must be room for the longest ones and storeSlack. It stops
// at a record that it cannot write: one whose message's length takes more than two
// bytes, or whose times are not of our age. Implemented in fused_amd64.s.
//
//go:noescape
func writeTables(t *fusedTables, r *fusedRun)

// varintTable has what the length of a varint depends on, by the number of
// leading zeros of its value, below 1<<56: the bits that say that it goes on,
// and by how much the output advances after a tag of one and of two bytes. A
// value of zero is left out: no advance.
//
//lint:ignore U1000 the assembly reads it
type varintTable struct {
	more [65]uint64
	tag1 [65]uint8
	tag2 [65]uint8
	flag [65]uint8 // as tag2, but zero is written too
}

//lint:ignore U1000 the assembly reads it
var varints = func() (t varintTable) {
	for zeros := range 64 {
		n := (64 - zeros + 6) / 7
		t.more[zeros] = 0x8080808080808080 & (1<<(8*(n-1)) - 1)
		t.tag1[zeros], t.tag2[zeros] = uint8(1+n), uint8(2+n)
		t.flag[zeros] = uint8(2 + n)
	}
	t.flag[64] = 3
	return t
}()

// writeSet appends the messages of the first n records in body, for which
// c.oneRate holds, all in one go, up to the first of which the times are not known, and
// returns how many there were. It returns false if it cannot: they have to be
// written one by one then.
func (p *Producer) writeSet(pl *fusedPlan, c *fusedContext, body []byte, n int) (written int, ok bool) {
	sep := p.cfg.Separator
	if !fastBits || pl.tables == nil || len(sep) > 8 {
		return 0, false
	}
	all := n
	b := p.batch
	need := p.fusedRoom(pl, c)
	b.Ends = slices.Grow(b.Ends, n)
	r := fusedRun{
		prefix:    unsafe.Pointer(unsafe.SliceData(c.prefix)),
		prefixLen: uint64(len(c.prefix)),
		sepLen:    uint64(len(sep)),
		exportNs:  c.exportNs,
		uptimeMs:  uint64(c.uptimeMs),
		room:      1,
	}
	if c.long {
		r.room = 2
	}
	for i, s := range sep {
		r.separator |= uint64(s) << (8 * i)
	}
	for n > 0 {
		fit := (cap(b.Buf) - len(b.Buf)) / need
		if fit == 0 {
			b.Buf = grow(b.Buf, need)
			continue
		}
		fit = min(fit, n)
		r.src = unsafe.Pointer(unsafe.SliceData(body))
		r.buf = unsafe.Pointer(unsafe.SliceData(b.Buf))
		r.ends = unsafe.Pointer(unsafe.SliceData(b.Ends[len(b.Ends):cap(b.Ends)]))
		r.at, r.records = uint64(len(b.Buf)), uint64(fit)
		writeTables(pl.tables, &r)
		done := fit - int(r.records)
		b.Buf, b.Ends = b.Buf[:r.at], b.Ends[:len(b.Ends)+done]
		n -= done
		body = body[done*pl.recordLen:]
		c.long, c.startLate = r.room == 2, c.startLate || r.late != 0
		if done < fit {
			if !pl.timed(c, body[:pl.recordLen:pl.recordLen]) {
				return all - n, true
			}
			p.writeOne(pl, c, body[:pl.recordLen:pl.recordLen], need)
			n--
			body = body[pl.recordLen:]
			r.room = 1
			if c.long {
				r.room = 2
			}
		}
	}
	return all, true
}

// write is writeSafe without bounds checks. The caller guarantees what the
// checks would: rec holds a whole record of the plan's template, so that every
// offset and width lies in it, and out has room for the longest message of the
// plan and storeSlack after it, so that stores of whole words stay in it.
func (pl *fusedPlan) write(c *fusedContext, rec, out []byte) int {
	if !fastBits || pl.tables == nil {
		return pl.writeGo(c, rec, out)
	}
	r := fusedRun{
		src:       unsafe.Pointer(unsafe.SliceData(rec)),
		buf:       unsafe.Pointer(unsafe.SliceData(out)),
		prefix:    unsafe.Pointer(unsafe.SliceData(c.prefix)),
		prefixLen: uint64(len(c.prefix)),
		exportNs:  c.exportNs,
		uptimeMs:  uint64(c.uptimeMs),
		records:   1,
		open:      1,
	}
	writeTables(pl.tables, &r)
	if r.records != 0 {
		return pl.writeGo(c, rec, out)
	}
	c.startLate = c.startLate || r.late != 0
	o := int(r.at)
	if pl.rest {
		o = pl.writeRest(c, rec, out, o)
	}
	return o
}
