package producer

import (
	"encoding/binary"
	"slices"

	"github.com/weirflow/weir/producer/columns"
)

// columnPlan makes the plan that reads the numbers and addresses of a fused plan's records by
// column. It returns nil where a number is not big-endian.
func (b *fuser) columnPlan() *columns.Plan {
	p := columns.NewPlan(b.plan.recordLen)
	for _, id := range byNumber(b.addrs) {
		src := b.addrs[id]
		p.Address(uint8(id), src.offset, uint8(src.length), fieldTable[id].ZeroIsNone)
	}
	for _, id := range byNumber(b.ints) {
		i := b.ints[id]
		if i.little {
			return nil
		}
		if id == fieldObservationDomainID {
			return nil // see fillColumns
		}
		p.Number(uint8(id), i.offset, i.width, i.shift, i.mask, fieldTable[id].ZeroIsValue)
	}
	for id, src := range b.texts {
		b.plan.columnTexts = append(b.plan.columnTexts, columnText{uint8(id), src})
	}
	return p
}

// columnText is where a text stands.
type columnText struct {
	field uint8
	fusedSource
}

// fillColumns appends the first records (a number) of body to the columns of the batch, and
// returns how many it read: it stops at a record whose times are not known.
func (p *Producer) fillColumns(pl *fusedPlan, c *fusedContext, body []byte, records int) int {
	b := p.batch.Columns
	n := records
	if pl.start.kind == timeExport {
		b.SetNumber(uint8(fieldTimeFlowStartNs), n, c.exportNs)
		b.SetNumber(uint8(fieldTimeFlowEndNs), n, c.exportNs)
	} else if n = p.fillTimes(pl, c, body, n); n == 0 {
		return 0
	}
	b.Fill(pl.columns, body, n)
	b.SetNumber(uint8(fieldType), n, uint64(c.flowType))
	b.SetNumber(uint8(fieldTimeReceivedNs), n, uint64(p.meta.ReceivedNs))
	b.SetNumber(uint8(fieldSequenceNum), n, uint64(c.sequence))
	b.SetBytes(uint8(fieldSamplerAddress), n, p.samplerAddress())
	b.SetNumber(uint8(fieldObservationDomainID), n, uint64(c.domain))
	b.SetNumber(uint8(fieldEtype), n, uint64(pl.etype))
	p.fillRates(pl, c, body, n)
	size := pl.recordLen
	if pl.icmp {
		for i := range n {
			if rec := body[i*size:]; isICMP(rec[pl.proto]) {
				b.SetAt(uint8(fieldICMPType), i, uint64(rec[pl.port]))
				b.SetAt(uint8(fieldICMPCode), i, uint64(rec[pl.port+1]))
			}
		}
	}
	for _, t := range pl.columnTexts {
		for i := range n {
			p.scratch = p.scratch[:0]
			b.SetTextAt(t.field, i, p.text(body[i*size+int(t.offset):][:t.length]))
		}
	}
	b.Commit(n)
	was := len(p.batch.Ends)
	p.batch.Ends = slices.Grow(p.batch.Ends, n)[:was+n]
	clear(p.batch.Ends[was:])
	p.useful += n
	p.encoded(PathPlanBatch, n)
	return n
}

// fillRates sets the sampling rate of n records.
func (p *Producer) fillRates(pl *fusedPlan, c *fusedContext, body []byte, n int) {
	b := p.batch.Columns
	if c.sampling == nil {
		b.SetNumber(uint8(fieldSamplingRate), n, p.samplingOr(c.rate))
		return
	}
	if !c.rateKnown {
		rate, ok := c.shareRate(pl, body, len(body)/pl.recordLen)
		if !ok {
			for i := range n {
				rate = c.recordRate(pl, body[i*pl.recordLen:][:pl.recordLen], 1)
				if rate == 0 {
					rate = c.fallback
				}
				b.SetAt(uint8(fieldSamplingRate), i, rate)
			}
			return
		}
		c.prefixRate = rate
	}
	b.SetNumber(uint8(fieldSamplingRate), n, c.prefixRate)
}

// fillTimes sets the times of n records, or of those before the first that does not have
// both, and returns how many that were.
func (p *Producer) fillTimes(pl *fusedPlan, c *fusedContext, body []byte, n int) int {
	b := p.batch.Columns
	first, last := b.Numbers(uint8(fieldTimeFlowStartNs), n), b.Numbers(uint8(fieldTimeFlowEndNs), n)
	last = last[:len(first)]
	size, read := pl.recordLen, 0
	switch pl.times {
	case timesMillis:
		for ; read < len(first); read++ {
			rec := body[read*size:][:size]
			start, end := binary.BigEndian.Uint64(rec[pl.start.offset:]), binary.BigEndian.Uint64(rec[pl.end.offset:])
			if start-1 >= maxMillis || end-1 >= maxMillis {
				break
			}
			first[read], last[read] = start*1e6, end*1e6
		}
	case timesUptime:
		from, to := body[pl.start.offset:], body[pl.end.offset:]
		for at := 0; read < len(first); read, at = read+1, at+size {
			start := uptimeToUnix(c.exportNs, c.uptimeMs, binary.BigEndian.Uint32(from[at:]))
			end := uptimeToUnix(c.exportNs, c.uptimeMs, binary.BigEndian.Uint32(to[at:]))
			if start == 0 || end == 0 {
				c.timeLost = true
			}
			if start > end {
				start = c.start(start, end)
			}
			first[read], last[read] = start, end
		}
		return read
	}
	for ; read < len(first); read++ {
		rec := body[read*size:][:size:size]
		if !pl.timed(c, rec) {
			break
		}
		first[read], last[read] = pl.start.load(c, rec), pl.end.load(c, rec)
	}
	if read < n {
		b.Cut(uint8(fieldTimeFlowStartNs), read)
		b.Cut(uint8(fieldTimeFlowEndNs), read)
		first = first[:read]
	}
	for i, start := range first {
		if start > last[i] {
			first[i] = c.start(start, last[i])
		}
	}
	return read
}

// maxMillis is how many milliseconds are in range as nanoseconds.
const maxMillis = (1<<64 - 1) / 1_000_000

// appendColumns appends a flow to columns.
func appendColumns(b *columns.Batch, f *Flow) {
	for id := fieldID(0); id < numCore; id++ {
		if !f.setColumn(b, id) {
			b.SetNumber(uint8(id), 1, uint64(*f.u32(id)))
		}
	}
	present := f.present
	for id := present.take(); id != numFields; id = present.take() {
		switch {
		case f.setColumn(b, id):
		case fieldTable[id].ZeroIsValue:
			b.SetOptional(uint8(id), 1, uint64(*f.u32(id)))
		default:
			b.SetNumber(uint8(id), 1, uint64(*f.u32(id)))
		}
	}
	b.Commit(1)
}

// setColumn sets the column of a field that is no number of 32 bits; false for one that is.
func (f *Flow) setColumn(b *columns.Batch, id fieldID) bool {
	if id == fieldRoutingAddresses {
		b.SetSplit(uint8(id), f.RoutingAddresses, 16)
		return true
	}
	switch fieldTable[id].kind {
	case kindUint64:
		if fieldTable[id].ZeroIsValue {
			b.SetOptional(uint8(id), 1, *f.u64(id))
			break
		}
		b.SetNumber(uint8(id), 1, *f.u64(id))
	case kindBytes:
		b.SetBytes(uint8(id), 1, *f.bytes(id))
	case kindUints, kindLayers:
		b.SetList(uint8(id), *f.uints(id))
	case kindBytesList:
		b.SetTexts(uint8(id), *f.byteLists(id))
	default:
		return false
	}
	return true
}
