package producer

import (
	"cmp"
	"encoding/binary"

	"github.com/weirflow/weir/producer/geo"
)

// Numbers of the fields that enrichment adds; they are no part of the schema.
const (
	numberSrcCountry = 1000
	numberDstCountry = 1001
)

// appendCountries appends the countries of a flow to its protobuf message.
func appendCountries(b []byte, f *Flow) []byte {
	return appendCountry(appendCountry(b, numberSrcCountry, f.SrcCountry), numberDstCountry, f.DstCountry)
}

func appendCountry(b []byte, field int, c geo.Country) []byte {
	if c == 0 {
		return b
	}
	return append(appendTag(b, field, wireBytes), 2, byte(c>>8), byte(c))
}

// AppendCountriesJSON puts the countries of f into the JSON object that b ends
// with, as its last two members.
func AppendCountriesJSON(b []byte, f *Flow) []byte {
	b = b[:len(b)-1]
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, `"src_country":"`...)
	b = appendLetters(b, f.SrcCountry)
	b = append(b, `","dst_country":"`...)
	return append(appendLetters(b, f.DstCountry), '"', '}')
}

// AppendCountriesText puts the countries of f after the text that b ends with.
func AppendCountriesText(b []byte, f *Flow) []byte {
	b = appendLetters(append(b, " src_country="...), f.SrcCountry)
	return appendLetters(append(b, " dst_country="...), f.DstCountry)
}

// appendWhereabouts puts the countries into a message that b ends with; into
// protobuf they were written with the rest.
func appendWhereabouts(b []byte, f *Flow, format Format) []byte {
	switch format {
	case FormatJSON:
		return AppendCountriesJSON(b, f)
	case FormatText:
		return AppendCountriesText(b, f)
	}
	return b
}

func appendLetters(b []byte, c geo.Country) []byte {
	if c == 0 {
		return b
	}
	return append(b, byte(c>>8), byte(c))
}

// Enrich adds to the flow what the cache knows about its addresses. What it does not
// know stays as it is.
func (f *Flow) Enrich(c *geo.Cache) {
	src, dst := c.Find(f.SrcAddr), c.Find(f.DstAddr)
	f.SrcAS, f.DstAS = cmp.Or(src.AS, f.SrcAS), cmp.Or(dst.AS, f.DstAS)
	f.SrcCountry, f.DstCountry = cmp.Or(src.Country, f.SrcCountry), cmp.Or(dst.Country, f.DstCountry)
}

// fusedEnrich is what enriching the records of a fused plan takes.
type fusedEnrich struct {
	// plan is the fused plan without the AS numbers, which are written after
	// it, by whoever knows them best.
	plan         *fusedPlan
	src, dst     fusedSource // addresses; length 0: not there
	srcAS, dstAS fusedInt    // width 0: not there
}

// enrich makes it of what the fuser has collected; the plan is finished.
func (b *fuser) enrich() fusedEnrich {
	e := fusedEnrich{src: b.addrs[fieldSrcAddr], dst: b.addrs[fieldDstAddr], srcAS: b.ints[fieldSrcAS], dstAS: b.ints[fieldDstAS]}
	plain := *b.plan
	// They have the highest numbers of those whose tag is one byte: they are
	// the last in their tables.
	for _, table := range []*[]fusedOp{&plain.int1Tag1, &plain.int2Tag1, &plain.int4Tag1, &plain.int8Tag1} {
		for n := len(*table); n > 0 && (*table)[n-1].tag >= tagSrcAS; n-- {
			*table = (*table)[:n-1]
		}
	}
	plain.other = nil
	for _, f := range b.plan.other {
		if f.tagLen != 1 || f.tag < tagSrcAS {
			plain.other = append(plain.other, f)
		}
	}
	e.plan = &plain
	return e
}

// Tags of the countries, as they are written: first byte lowest.
const (
	tagSrcCountry = (numberSrcCountry<<3|wireBytes)&0x7f | 0x80 | numberSrcCountry<<3>>7<<8
	tagDstCountry = (numberDstCountry<<3|wireBytes)&0x7f | 0x80 | numberDstCountry<<3>>7<<8
)

// enrichRoom is what writeEnriched may add to a message.
const enrichRoom = 2*6 + 2*5

// writeEnriched is writeFused with what the cache knows about the addresses.
func (p *Producer) writeEnriched(pl *fusedPlan, c *fusedContext, body []byte) int {
	b, e := p.batch, &pl.enrich
	sep := p.cfg.Separator
	need := prefixRoom + 1 + len(c.prefix) + pl.maxLen + enrichRoom + storeSlack + len(sep)
	records := 0
	buf := b.Buf
	for len(body) >= pl.recordLen {
		if cap(buf)-len(buf) < need {
			buf = grow(buf, need)
		}
		out := buf[len(buf) : len(buf)+need : len(buf)+need]
		room := 1
		if c.long {
			room = 2
		}
		rec := body[:pl.recordLen:pl.recordLen]
		if !pl.timed(c, rec) {
			break
		}
		end := room + e.plan.write(c, rec, out[room:])
		end = e.append(p.cfg.Geo, rec, out, end)
		end = putLength(out, room, end, c)
		end += copy(out[end:], sep)
		buf = buf[:len(buf)+end]
		b.Ends = append(b.Ends, uint32(len(buf)))
		body = body[pl.recordLen:]
		records++
	}
	b.Buf = buf
	p.useful += records
	p.encoded(PathPlanEnriched, records)
	return records
}

// append writes the AS numbers and countries of a record after the o bytes that
// are there, and returns where the message ends.
func (e *fusedEnrich) append(cache *geo.Cache, rec, out []byte, o int) int {
	src, dst := e.find(cache, rec)
	o = putInt(out, o, tagSrcAS, 1, uint64(src.AS))
	o = putInt(out, o, tagDstAS, 1, uint64(dst.AS))
	o = writeCountry(out, o, tagSrcCountry, src.Country)
	return writeCountry(out, o, tagDstCountry, dst.Country)
}

// find returns what is known about a record's addresses, with the AS numbers of the record
// where the databases have none.
func (e *fusedEnrich) find(cache *geo.Cache, rec []byte) (src, dst geo.Answer) {
	src = cache.Find(rec[e.src.offset : e.src.offset+uint32(e.src.length)])
	dst = cache.Find(rec[e.dst.offset : e.dst.offset+uint32(e.dst.length)])
	if src.AS == 0 && e.srcAS.width != 0 {
		src.AS = uint32(loadInt(rec, &e.srcAS))
	}
	if dst.AS == 0 && e.dstAS.width != 0 {
		dst.AS = uint32(loadInt(rec, &e.dstAS))
	}
	return src, dst
}

// writeCountry writes a country after its tag, or nothing.
func writeCountry(out []byte, o int, tag uint64, c geo.Country) int {
	binary.LittleEndian.PutUint64(out[o:], tag|2<<16|uint64(c>>8)<<24|uint64(c&0xff)<<32)
	return o + 5&-int((uint64(c)+0xffff)>>16)
}

// PlainProgram returns the program of no mapping.
func PlainProgram() *Program { return noProgram() }

// AppendJSON is the function of that name, faster where the machine allows it.
func (p *Program) AppendJSON(dst []byte, f *Flow) []byte { return appendJSON(dst, f) }

// AppendText appends f as key=value pairs with spaces between them, without a line
// end: the same values as AppendJSON.
func (p *Program) AppendText(dst []byte, f *Flow) []byte { return p.appendText(dst, f, notationText) }
