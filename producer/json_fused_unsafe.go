//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"unsafe"

	"github.com/weirflow/weir/producer/geo"
)

// fusedJSON says that this build writes JSON from plans.
const fusedJSON = true

// writeJSON appends the objects of the whole records in body to the batch, up to the
// first of which the times are not known, and returns how many there were.
func (p *Producer) writeJSON(pl *fusedPlan, j *jsonPlan, c *fusedContext, body []byte) int {
	b := p.batch
	sep := p.cfg.Separator
	records := 0
	buf := b.Buf
	for ; len(body) >= pl.recordLen; body = body[pl.recordLen:] {
		rec := body[:pl.recordLen:pl.recordLen]
		if !pl.readTimes(c, rec) {
			break
		}
		if c.sampling != nil && !c.rateKnown {
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

// readTimes notes start and end of a record in c. It tells whether both are known, or
// none of them: a time that is not there is made of what else is, in a Flow.
func (pl *fusedPlan) readTimes(c *fusedContext, rec []byte) bool {
	src := unsafe.Pointer(unsafe.SliceData(rec))
	var start, end uint64
	switch pl.times {
	case timesUptime:
		start = c.uptime(load32(unsafe.Add(src, pl.start.offset)))
		end = c.uptime(load32(unsafe.Add(src, pl.end.offset)))
		c.startNs, c.endNs = c.start(start, end), end
		return true // see timesFused
	case timesNTP:
		start = c.ntp(load64(unsafe.Add(src, pl.start.offset)))
		end = c.ntp(load64(unsafe.Add(src, pl.end.offset)))
	default:
		if pl.start.kind == timeExport {
			c.startNs, c.endNs = c.exportNs, c.exportNs
			return true
		}
		start, end = pl.start.load(c, rec), pl.end.load(c, rec)
	}
	if start == 0 || end == 0 {
		return false
	}
	c.startNs, c.endNs = c.start(start, end), end
	return true
}

// putLetters writes a country, or nothing.
func putLetters(w unsafe.Pointer, c geo.Country) unsafe.Pointer {
	*(*uint16)(w) = uint16(c>>8) | uint16(c)<<8
	return unsafe.Add(w, 2&-int((uint64(c)+0xffff)>>16))
}

// putPorts writes type and code of ICMP at port over the zeros of the op's text.
func (o *jsonOp) putPorts(w, text, port unsafe.Pointer) unsafe.Pointer {
	w = put8Digits(w, uint64(*(*uint8)(port)))
	w = putText(w, unsafe.Add(text, o.text.pos+o.text.n-uint32(o.shift)-1), uintptr(o.shift))
	return put8Digits(w, uint64(*(*uint8)(unsafe.Add(port, 1))))
}

// write writes what stands after the prefix of a record's object, and returns
// its length. The caller guarantees that rec is a whole record of the plan's
// template, and that out has room for the longest object and jsonSlack.
func (j *jsonPlan) write(pl *fusedPlan, c *fusedContext, rec, out []byte) int {
	r := unsafe.Pointer(unsafe.SliceData(rec))
	text := unsafe.Pointer(unsafe.SliceData(j.text))
	begin := unsafe.Pointer(unsafe.SliceData(out))
	w := begin
	// The offset of a number is that after it, which may be the end of the
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
		case writesStart:
			w = putNumber(w, c.startNs)
		case writesEnd:
			w = putNumber(w, c.endNs)
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
		case writesPorts:
			if isICMP(*(*uint8)(unsafe.Add(r, pl.proto))) {
				w = o.putPorts(unsafe.Add(w, -int(o.shift)-2), text, unsafe.Add(r, pl.port))
			}
		case writesSome4:
			if v := load32(unsafe.Add(r, o.load.end)); v != 0 {
				w = putText(w, unsafe.Add(text, o.bits.end), uintptr(o.bits.mask))
				w = putAddr4(w, v)
				w = putText(w, unsafe.Add(text, uintptr(o.bits.end)+uintptr(o.bits.mask)), uintptr(o.shift))
			}
		case writesSome16:
			if hi, lo := load64(unsafe.Add(r, o.load.end)), load64(unsafe.Add(r, o.load.end+8)); hi|lo != 0 {
				w = putText(w, unsafe.Add(text, o.bits.end), uintptr(o.bits.mask))
				w = putAddr16(w, hi, lo)
				w = putText(w, unsafe.Add(text, uintptr(o.bits.end)+uintptr(o.bits.mask)), uintptr(o.shift))
			}
		case writesPort:
			v := uint8(0)
			if isICMP(uint8(o.bits.load(r))) {
				v = uint8(o.load.load(r) >> o.shift)
			}
			t := &octets[v]
			*(*uint32)(w) = t.text
			w = unsafe.Add(w, t.n-1)
		case writesICMP:
			w = putName(w, icmpTypeName(uint32(o.load.load(r)&o.load.mask), uint32(o.bits.load(r)&o.bits.mask)))
		}
	}
	w = putText(w, unsafe.Add(text, j.tail.pos), uintptr(j.tail.n))
	return int(uintptr(w) - uintptr(begin))
}
