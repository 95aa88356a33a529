//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"unsafe"

	"github.com/weirflow/weir/producer/geo"
)

// fusedJSON says that this build writes JSON from plans.
const fusedJSON = true

// writeJSON appends the objects of all whole records in body to the batch and
// returns how many there were.
func (p *Producer) writeJSON(pl *fusedPlan, j *jsonPlan, c *fusedContext, body []byte) int {
	b := p.batch
	sep := p.cfg.Separator
	records := 0
	buf := b.Buf
	for ; len(body) >= pl.recordLen; body = body[pl.recordLen:] {
		rec := body[:pl.recordLen:pl.recordLen]
		if c.sampling != nil {
			p.recordPrefix(pl, c, rec)
		}
		if p.cfg.Geo != nil {
			c.src, c.dst = pl.enrich.find(p.cfg.Geo, rec)
		}
		need := len(c.prefix) + j.maxLen + jsonSlack + len(sep)
		if cap(buf)-len(buf) < need {
			buf = grow(buf, need)
		}
		out := buf[len(buf) : len(buf)+need : len(buf)+need]
		end := copy(out, c.prefix)
		end += j.write(pl, c, rec, out[end:])
		end += copy(out[end:], sep)
		buf = buf[:len(buf)+end]
		b.Ends = append(b.Ends, uint32(len(buf)))
		records++
	}
	b.Buf = buf
	p.useful += records
	return records
}

// putLetters writes a country, or nothing.
func putLetters(w unsafe.Pointer, c geo.Country) unsafe.Pointer {
	*(*uint16)(w) = uint16(c>>8) | uint16(c)<<8
	return unsafe.Add(w, 2&-int((uint64(c)+0xffff)>>16))
}

// write writes what stands behind the prefix of a record's object, and returns
// its length. The caller guarantees that rec is a whole record of the plan's
// template, and that out has room for the longest object and jsonSlack.
func (j *jsonPlan) write(pl *fusedPlan, c *fusedContext, rec, out []byte) int {
	r := unsafe.Pointer(unsafe.SliceData(rec))
	text := unsafe.Pointer(unsafe.SliceData(j.text))
	begin := unsafe.Pointer(unsafe.SliceData(out))
	w := begin
	// The offset of a number is that behind it, which may be the end of the
	// record's memory: no pointer is made of it.
	for i := range j.ops {
		o := &j.ops[i]
		w = putText(w, unsafe.Add(text, o.text.pos), uintptr(o.text.n))
		switch o.kind {
		case writesNumber:
			v := o.load.load(r) >> o.shift & o.load.mask
			switch {
			case v < 256:
				t := &octets[v]
				*(*uint32)(w) = t.text
				w = unsafe.Add(w, t.n-1)
			case v < 1e8:
				w = put8Digits(w, v)
			default:
				w = putBig(w, v)
			}
		case writesOctet:
			t := &octets[uint8(o.load.load(r)>>o.shift&o.load.mask)]
			*(*uint32)(w) = t.text
			w = unsafe.Add(w, t.n-1)
		case writesAddr4:
			w = putAddr4(w, load32(unsafe.Add(r, o.load.end)))
		case writesAddr16:
			w = putAddr16(w, load64(unsafe.Add(r, o.load.end)), load64(unsafe.Add(r, o.load.end+8)))
		case writesNet4:
			w = putNet4(w, load32(unsafe.Add(r, o.load.end)), o.bits.load(r)&o.bits.mask)
		case writesNet16:
			w = putNet16(w, load64(unsafe.Add(r, o.load.end)), load64(unsafe.Add(r, o.load.end+8)), o.bits.load(r)&o.bits.mask)
		case writesMAC:
			w = putMACText(w, o.load.load(r)&o.load.mask)
		case writesProto:
			w = putProtocol(w, uint32(o.load.load(r)&o.load.mask))
		case writesUptime:
			w = putNumber(w, c.uptime(load32(unsafe.Add(r, o.load.end))))
		case writesNTP:
			w = putNumber(w, c.ntp(load64(unsafe.Add(r, o.load.end))))
		case writesStart:
			w = putNumber(w, pl.start.loadOr(c, rec))
		case writesEnd:
			w = putNumber(w, pl.end.loadOr(c, rec))
		case writesDomain:
			w = putNumber(w, uint64(c.domain))
		case writesShared:
			from := uint32(0)
			if o.shift > 0 {
				from = c.ends[o.shift-1]
			}
			w = putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(c.shared)), from), uintptr(c.ends[o.shift]-from))
		case writesRate:
			w = putNumber(w, c.prefixRate)
		case writesLittle:
			w = putNumber(w, loadLittle(rec[o.load.end-uint32(o.shift):o.load.end])&o.load.mask)
		case writesHex:
			for _, x := range rec[o.load.end : o.load.end+o.bits.end] {
				*(*uint16)(w) = hexPairs[x]
				w = unsafe.Add(w, 2)
			}
		case writesSrcAS:
			w = putNumber(w, uint64(c.src.AS))
		case writesDstAS:
			w = putNumber(w, uint64(c.dst.AS))
		case writesSrcCountry:
			w = putLetters(w, c.src.Country)
		case writesDstCountry:
			w = putLetters(w, c.dst.Country)
		case writesValue:
			if v := o.load.load(r) >> o.shift & o.load.mask; v != 0 {
				w = putText(w, unsafe.Add(text, o.bits.end), uintptr(o.bits.mask))
				w = putNumber(w, v)
			}
		case writesICMP:
			w = putName(w, icmpTypeName(uint32(o.load.load(r)&o.load.mask), uint32(o.bits.load(r)&o.bits.mask)))
		}
	}
	w = putText(w, unsafe.Add(text, j.tail.pos), uintptr(j.tail.n))
	return int(uintptr(w) - uintptr(begin))
}
