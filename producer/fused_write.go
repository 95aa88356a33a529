package producer

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/geo"
)

// storeSlack is how far behind the end of a message stores may reach: they are
// done in words of 8 bytes.
const storeSlack = 48

// fusedContext is what the records of a set share, encoded and not, or the samples
// of an sFlow datagram. It is made again for each of them (renew).
type fusedContext struct {
	sharedValues

	// Memory, emptied for each set.
	prefix  []byte   // encoded fields
	between []byte   // of sFlow's JSON: more of them, after the sampling rate
	shared  []byte   // the columns that all records have in common, as text
	ends    []uint32 // where each of them ends

	long bool // a guess: the next message's length takes two bytes, as the last one's did
}

// renew forgets the set before.
func (c *fusedContext) renew() {
	c.sharedValues = sharedValues{}
	c.prefix, c.between, c.shared, c.ends = c.prefix[:0], c.between[:0], c.shared[:0], c.ends[:0]
}

// sharedValues are those of a fusedContext that are not encoded.
type sharedValues struct {
	rate     uint64 // sampling rate of records that name none
	exportNs uint64
	uptimeMs uint32
	sampling *template.Sampling // nil: the rate does not depend on the record
	// rateKnown reports that all records of the set have one rate, which is in the prefix.
	rateKnown bool
	// rateAsked reports that this was checked: once a set, which can have thousands of pieces.
	rateAsked bool

	src, dst       geo.Answer // what databases know about the addresses of the record in work
	startNs, endNs uint64     // its times, for JSON and text

	// What the prefix of JSON is made of again when a record's rate differs.
	flowType, sequence, domain uint32
	prefixRate                 uint64

	samplerID, samplerRate uint64 // the sampler that was looked up last
	samplerSource          SamplingSource
	samplerLooked          bool                    // one was
	rateSource             SamplingSource          // of the rate of the last record
	sources                [NumSamplingSources]int // of the records' rates, where they name any
	fallback               uint64                  // the configured default rate
	key                    uint32                  // of all messages, where they share one
	keyFields              keyFields               // of those that they share otherwise

	timeLost  bool // a time of a record is out of range
	startLate bool // a record's start was after its end
}

// beginFused encodes what all records of a set share.
func (p *Producer) beginFused(pl *fusedPlan, flowType, sequence, domain uint32, exportNs uint64, uptimeMs uint32, rate uint64, sampling *template.Sampling) *fusedContext {
	c := &p.fused
	c.renew()
	c.exportNs, c.uptimeMs = exportNs, uptimeMs
	c.rate, c.fallback = rate, p.cfg.SamplingRate
	if (pl.interval.width != 0 || pl.sampler.width != 0) && p.forcedRate() == 0 {
		c.sampling = sampling
	}
	c.flowType, c.sequence, c.domain = flowType, sequence, domain
	if p.cfg.Format == FormatColumns {
		return c
	}
	if p.cfg.Format != FormatBin {
		if p.prog.plain {
			p.jsonPrefix(c, p.samplingOr(rate))
		} else {
			p.columnSet(c, p.samplingOr(rate))
		}
		return c
	}
	b := c.prefix[:0]
	b = appendUint(b, numberType, uint64(flowType))
	if c.sampling == nil {
		b = appendUint(b, numberSamplingRate, p.samplingOr(rate))
	}
	b = appendUint(b, numberSequenceNum, uint64(sequence))
	b = appendBytes(b, numberSamplerAddress, p.samplerAddress())
	b = appendUint(b, numberEtype, uint64(pl.etype))
	b = appendUint(b, numberObservationDomainID, uint64(domain))
	b = appendUint(b, numberTimeReceivedNs, uint64(p.meta.ReceivedNs))
	if pl.start.kind == timeExport {
		b = appendUint(b, numberTimeFlowStartNs, exportNs)
	}
	if pl.end.kind == timeExport {
		b = appendUint(b, numberTimeFlowEndNs, exportNs)
	}
	if cap(b)-len(b) < jsonSlack { // it is copied in words
		b = grow(b, jsonSlack)
	}
	c.prefix = b
	return c
}

// samplerOr returns the rate of a sampler, or else that of the whole domain.
func (c *fusedContext) samplerOr(pl *fusedPlan, id uint64) uint64 {
	if rate := c.sampling.SamplerRate(id); rate != 0 {
		c.samplerSource = pl.samplerSource
		return rate
	}
	c.samplerSource = SamplingDomain
	return c.sampling.Whole()
}

// recordRate returns the sampling rate of a record that may name one, and counts
// where it came from for n records.
func (c *fusedContext) recordRate(pl *fusedPlan, rec []byte, n int) uint64 {
	if pl.interval.width != 0 {
		if rate := loadInt(rec, &pl.interval); rate != 0 {
			return c.rated(rate, SamplingRecord, n)
		}
	}
	if pl.sampler.width != 0 {
		if id := loadInt(rec, &pl.sampler); id != c.samplerID || !c.samplerLooked {
			c.samplerID, c.samplerRate, c.samplerLooked = id, c.samplerOr(pl, id), true
		}
		return c.rated(c.samplerRate, c.samplerSource, n)
	}
	return c.rated(c.rate, SamplingDomain, n)
}

// shareRate tells whether the first n records in body, which are all that are left of the
// set, have one sampling rate, by what they name, and returns it. It says so once a set.
func (c *fusedContext) shareRate(pl *fusedPlan, body []byte, n int) (rate uint64, ok bool) {
	if c.rateAsked {
		return 0, false
	}
	c.rateAsked = true
	if !pl.interval.same(body, pl.recordLen, n) || !pl.sampler.same(body, pl.recordLen, n) {
		return 0, false
	}
	rate = c.recordRate(pl, body, n)
	if rate == 0 {
		rate = c.fallback
	}
	c.rateKnown = true
	return rate, true
}

// oneRate, once for the records of a set, tells whether the first n records in body
// have one sampling rate and nothing else for writeRest to write; the rate is in the
// prefix then.
func (c *fusedContext) oneRate(pl *fusedPlan, body []byte, n int) bool {
	if !pl.rest || c.rateKnown || pl.rates && c.sampling == nil {
		return true
	}
	if !pl.rates {
		return false
	}
	rate, ok := c.shareRate(pl, body, n)
	if ok {
		c.prefix = appendUint(c.prefix, numberSamplingRate, rate)
	}
	return ok
}

// same tells whether the first n records in body, at least one, have the same
// value in a field; all do if there is none.
func (f *fusedInt) same(body []byte, recordLen, n int) bool {
	at := int(f.offset)
	switch f.width {
	case 0:
	case 1:
		for first := body[at]; n > 1; n-- {
			if at += recordLen; body[at] != first {
				return false
			}
		}
	case 2:
		for first := binary.NativeEndian.Uint16(body[at:]); n > 1; n-- {
			if at += recordLen; binary.NativeEndian.Uint16(body[at:]) != first {
				return false
			}
		}
	case 4:
		for first := binary.NativeEndian.Uint32(body[at:]); n > 1; n-- {
			if at += recordLen; binary.NativeEndian.Uint32(body[at:]) != first {
				return false
			}
		}
	default:
		first := body[at : at+int(f.width)]
		for ; n > 1; n-- {
			if at += recordLen; !bytes.Equal(body[at:at+int(f.width)], first) {
				return false
			}
		}
	}
	return true
}

// writesFused says whether the records of a plan are written without a Flow.
func (p *Producer) writesFused(pl *plan) bool {
	switch {
	case pl.fused == nil, p.perInterface(), p.prog.sourced, p.cfg.Format == FormatLine:
		return false
	case p.cfg.Format == FormatBin:
		return true
	case p.cfg.Format == FormatColumns:
		return pl.fused.columns != nil
	}
	if !fusedJSON || p.prog.Keyed() && (pl.keys == nil || p.prog.keyASes && p.cfg.Geo != nil) {
		return false
	}
	if p.prog.plain {
		return len(pl.targets) == 0 && len(pl.fused.texts) == 0 && !pl.fused.formed
	}
	return p.cfg.Geo == nil && pl.columns[p.notation()] != nil
}

// writeRecords appends the messages of the first records (a number) of body to the batch,
// with their keys, and returns how many it wrote: it stops at a record whose times are not
// known. body has all records of the set that are left. beginFused came before it.
func (p *Producer) writeRecords(pl *plan, version uint16, c *fusedContext, body []byte, records int) int {
	n := p.writeMessages(pl, version, c, body, records)
	if p.prog.Keyed() {
		p.recordKeys(pl, c, body, n)
	}
	return n
}

func (p *Producer) writeMessages(pl *plan, version uint16, c *fusedContext, body []byte, records int) int {
	if p.cfg.Format == FormatBin {
		return p.writeFused(pl.fused, c, body, records)
	}
	if p.cfg.Format == FormatColumns {
		return p.fillColumns(pl.fused, c, body, records)
	}
	j, path := pl.columns[p.notation()], PathPlanColumns
	if j == nil {
		path = PathPlan
		if p.cfg.Geo != nil {
			path = PathPlanEnriched
		}
		form := textForm{p.notation(), p.cfg.Geo != nil}
		made := &pl.json[form.index()]
		if j = made.Load(); j == nil {
			j = jsonFused(pl, version, form)
			made.Store(j)
		}
	}
	if c.sampling != nil && !c.rateKnown && records > 0 {
		if rate, ok := c.shareRate(pl.fused, body, len(body)/pl.fused.recordLen); ok {
			p.ratePrefix(c, rate)
		}
	}
	n := p.writeJSON(pl.fused, j, c, body[:records*pl.fused.recordLen])
	p.encoded(path, n)
	return n
}

// jsonPrefix encodes the members that all records of a set share, in the format in use,
// up to the value of sampler_address.
func (p *Producer) jsonPrefix(c *fusedContext, rate uint64) {
	c.prefixRate = rate
	if p.cfg.Format == FormatText {
		p.textPrefix(c, rate)
		return
	}
	b := append(c.prefix[:0], `{"type":"`...)
	b = append(b, typeName(c.flowType)...)
	b = append(b, '"')
	b = jsonUint(b, `,"time_received_ns":`, uint64(p.meta.ReceivedNs))
	b = jsonUint(b, `,"sequence_num":`, uint64(c.sequence))
	b = jsonUint(b, `,"sampling_rate":`, rate)
	b = jsonAddr(b, `,"sampler_address":`, p.samplerAddress())
	c.prefix = b[:len(b)-1] // the quote is part of what follows
}

// textPrefix is jsonPrefix for text.
func (p *Producer) textPrefix(c *fusedContext, rate uint64) {
	b := append(c.prefix[:0], "type="...)
	b = append(b, typeName(c.flowType)...)
	b = jsonUint(b, " time_received_ns=", uint64(p.meta.ReceivedNs))
	b = jsonUint(b, " sequence_num=", uint64(c.sequence))
	b = jsonUint(b, " sampling_rate=", rate)
	b = append(b, " sampler_address="...)
	c.prefix = notationText.bytes(b, p.samplerAddress(), RenderIP)
}

// recordPrefix rebuilds the prefix for a record of another sampling rate.
func (p *Producer) recordPrefix(pl *fusedPlan, c *fusedContext, rec []byte) {
	rate := c.recordRate(pl, rec, 1)
	if rate == 0 {
		rate = c.fallback
	}
	p.ratePrefix(c, rate)
}

// ratePrefix makes the prefix of a sampling rate.
func (p *Producer) ratePrefix(c *fusedContext, rate uint64) {
	if rate == c.prefixRate {
		return
	}
	c.prefixRate = rate
	if p.prog.plain {
		p.jsonPrefix(c, rate)
	}
}

// writeFused appends the messages of the first records (a number) of body to the batch,
// and returns how many it wrote: it stops at a record whose times are not known.
func (p *Producer) writeFused(pl *fusedPlan, c *fusedContext, body []byte, records int) int {
	if p.cfg.Geo != nil {
		return p.writeEnriched(pl, c, body[:records*pl.recordLen])
	}
	if records > 0 && c.oneRate(pl, body, len(body)/pl.recordLen) {
		if n, ok := p.writeSet(pl, c, body, records); ok {
			p.useful += n
			p.encoded(PathPlanAssembly, n)
			return n
		}
	}
	need := p.fusedRoom(pl, c)
	n := 0
	for ; n < records; n++ {
		rec := body[:pl.recordLen:pl.recordLen]
		if !pl.timed(c, rec) {
			break
		}
		p.writeOne(pl, c, rec, need)
		body = body[pl.recordLen:]
	}
	p.useful += n
	p.encoded(PathPlan, n)
	return n
}

// fusedRoom is what the longest message of a set needs in the batch.
func (p *Producer) fusedRoom(pl *fusedPlan, c *fusedContext) int {
	return prefixRoom + 1 + len(c.prefix) + pl.maxLen + storeSlack + len(p.cfg.Separator)
}

// writeOne appends the message of one record, which needs so much room at most.
func (p *Producer) writeOne(pl *fusedPlan, c *fusedContext, rec []byte, need int) {
	b := p.batch
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	room := 1
	if c.long {
		room = 2
	}
	end := room + pl.write(c, rec, out[room:])
	end = putLength(out, room, end, c)
	end += copy(out[end:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+end]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
}

func grow(buf []byte, need int) []byte {
	grown := make([]byte, len(buf), 2*cap(buf)+need)
	copy(grown, buf)
	return grown
}

// putLength writes the message's length into the room before it. The room was
// guessed from the message before: where the guess was wrong, the message
// moves. It returns the message's end.
func putLength(out []byte, room, end int, c *fusedContext) int {
	n := end - room
	switch {
	case room == 2 && n >= 0x80 && n < 1<<14:
		out[0], out[1] = byte(n)|0x80, byte(n>>7)
		return end
	case room == 1 && n < 0x80:
		out[0] = byte(n)
		return end
	}
	want := varintLen(uint64(n))
	copy(out[want:want+n], out[room:end])
	appendVarint(out[:0], uint64(n))
	c.long = want == 2
	return want + n
}

// writeRest writes the fields that are not in a table of plain integers, after
// the o bytes that are there, and returns the message's length.
func (pl *fusedPlan) writeRest(c *fusedContext, rec, out []byte, o int) int {
	for i := range pl.custom {
		o = pl.custom[i].write(rec, out, o)
	}
	for i := range pl.other {
		f := &pl.other[i]
		o = putInt(out, o, f.tag, f.tagLen, loadInt(rec, f))
	}
	for i := range pl.otherFlags {
		f := &pl.otherFlags[i]
		binary.LittleEndian.PutUint16(out[o:], f.tag)
		o = len(appendVarint(out[:o+int(f.tagLen)], loadInt(rec, f)))
	}
	for i := range pl.texts {
		o = pl.texts[i].write(rec, out, o)
	}
	if pl.times == timesNone {
		if pl.start.kind != timeExport { // and so is the end's
			o = c.putTimes(out, o, pl.start.load(c, rec), pl.end.load(c, rec))
		}
	}
	if c.sampling != nil && !c.rateKnown {
		rate := c.recordRate(pl, rec, 1)
		if rate == 0 {
			rate = c.fallback
		}
		o = putInt(out, o, tagSamplingRate, 1, rate)
	}
	return o
}

// start returns the start of a flow, or its end if that is before it.
func (c *fusedContext) start(start, end uint64) uint64 {
	if start > end {
		c.startLate = true
		return end
	}
	return start
}

// putTimes writes start and end, which are both there.
func (c *fusedContext) putTimes(out []byte, o int, start, end uint64) int {
	start = c.start(start, end)
	const ours, below = 1 << 56, 1<<63 - 1<<56
	if start-ours >= below || end-ours >= below {
		return putTime(out, putTime(out, o, tagTimeFlowStartNs, start), tagTimeFlowEndNs, end)
	}
	b := out[o : o+30]
	binary.LittleEndian.PutUint16(b, tagTimeFlowStartNs)
	binary.LittleEndian.PutUint64(b[2:], spread56(start))
	b[10] = byte(start >> 56)
	binary.LittleEndian.PutUint16(b[11:], tagTimeFlowEndNs)
	binary.LittleEndian.PutUint64(b[13:], spread56(end))
	b[21] = byte(end >> 56)
	return o + 22
}

// spread32 returns the bytes of v, below 1<<32, as a varint, first byte lowest,
// and their number.
func spread32(v uint64) (x uint64, n int) {
	n = (bits.Len32(uint32(v)|1)*9 + 64) >> 6
	x = v&0x7f | v<<1&0x7f00 | v<<2&0x7f0000 | v<<3&0x7f000000 | v<<4&0xf00000000
	x |= 0x80808080 & (1<<(8*(n-1)&63) - 1)
	return x, n
}

// spread16 is spread32 for v below 1<<16.
func spread16(v uint64) (x uint64, n int) {
	two, three := (0x7f-v)>>63, (0x3fff-v)>>63
	x = v&0x7f | two<<7 | v<<1&0x7f00 | three<<15 | v<<2&0x30000
	return x, 1 + int(two) + int(three)
}

// spread56 returns the low 56 bits of v as eight bytes of a varint that goes
// on, first byte lowest.
func spread56(v uint64) uint64 {
	v = v&0x000000000fffffff | v&0x00fffffff0000000<<4
	v = v&0x00003fff00003fff | v&0x0fffc0000fffc000<<2
	v = v&0x007f007f007f007f | v&0x3f803f803f803f80<<1
	return v | 0x8080808080808080
}

// putInt writes a field of any size, unless it is zero.
func putInt(out []byte, o int, tag uint16, tagLen uint8, v uint64) int {
	if v < 1<<32 {
		if v == 0 {
			return o
		}
		x, n := spread32(v)
		binary.LittleEndian.PutUint64(out[o:], x<<(8*tagLen&63)|uint64(tag))
		return o + int(tagLen) + n
	}
	binary.LittleEndian.PutUint16(out[o:], tag)
	o += int(tagLen)
	for v >= 0x80 {
		out[o] = byte(v) | 0x80
		v >>= 7
		o++
	}
	out[o] = byte(v)
	return o + 1
}

// putTime writes a time in nanoseconds. One of our age takes nine bytes.
func putTime(out []byte, o int, tag uint16, v uint64) int {
	if v-1<<56 >= 1<<63-1<<56 {
		return putInt(out, o, tag, 2, v)
	}
	binary.LittleEndian.PutUint16(out[o:], tag)
	binary.LittleEndian.PutUint64(out[o+2:], spread56(v))
	out[o+10] = byte(v >> 56)
	return o + 11
}

// loadInt reads an integer of any width.
func loadInt(rec []byte, f *fusedInt) uint64 {
	if f.little {
		return loadLittle(rec[f.offset:f.offset+uint32(f.width)]) & f.mask
	}
	var v uint64
	switch b := rec[f.offset : f.offset+uint32(f.width)]; len(b) {
	case 1:
		v = uint64(b[0])
	case 2:
		v = uint64(binary.BigEndian.Uint16(b))
	case 4:
		v = uint64(binary.BigEndian.Uint32(b))
	case 8:
		v = binary.BigEndian.Uint64(b)
	default:
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
	}
	return v >> f.shift & f.mask
}

// load reads a time and converts it to Unix nanoseconds.
func (t *fusedTime) load(c *fusedContext, rec []byte) uint64 {
	f := fusedInt{offset: t.offset, width: t.width, mask: 1<<64 - 1}
	v := loadInt(rec, &f)
	ns := uint64(0)
	switch t.kind {
	case timeUptime:
		return c.uptime(uint32(v))
	case timeBoot:
		boot := loadInt(rec, &fusedInt{offset: t.boot, width: t.bootWidth, mask: 1<<64 - 1})
		if boot == 0 {
			return 0
		}
		return uptimeToUnix(c.exportNs, bootUptime(c.exportNs, boot), uint32(v))
	case timeSeconds:
		ns = scaleTime(v, 1e9)
	case timeMillis:
		ns = scaleTime(v, 1e6)
	case timeNTP:
		return c.ntp(v)
	default:
		ns = since(c.exportNs, v, 1e3)
	}
	if ns == 0 && v != 0 {
		c.timeLost = true
	}
	return ns
}

// uptime is uptimeToUnix, and notes a time that is out of range.
func (c *fusedContext) uptime(at uint32) uint64 {
	ns := uptimeToUnix(c.exportNs, c.uptimeMs, at)
	if ns == 0 {
		c.timeLost = true
	}
	return ns
}

// ntp is ntpToUnix, and notes a time that is out of range.
func (c *fusedContext) ntp(v uint64) uint64 {
	ns := ntpToUnix(v)
	if ns == 0 && v != 0 {
		c.timeLost = true
	}
	return ns
}
