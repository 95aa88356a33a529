package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/template"
)

// timed tells whether both times of a record are known, or none of them. A time that
// is not there is made of what else is, in a Flow.
func (pl *fusedPlan) timed(c *fusedContext, rec []byte) bool {
	switch pl.times {
	case timesUptime:
		return true // see timesFused
	case timesSecs:
		return binary.BigEndian.Uint32(rec[pl.start.offset:]) != 0 && binary.BigEndian.Uint32(rec[pl.end.offset:]) != 0
	}
	return pl.start.kind == timeExport || pl.start.load(c, rec) != 0 && pl.end.load(c, rec) != 0
}

// uptimeRangeNs is how far back the uptime clock reaches.
const uptimeRangeNs = 1 << 32 * 1e6

// timesFused tells whether a fused plan may read the times of records of such a
// header. Times on the uptime clock of an exporter that does not give its uptime say
// how long the flow took, and no more.
func (pl *fusedPlan) timesFused(exportNs uint64, uptimeMs uint32) bool {
	if pl.start.kind != timeUptime && pl.end.kind != timeUptime {
		return true
	}
	return uptimeMs != 0 && exportNs >= uptimeRangeNs
}

// An exception is a number in a record that has the record take the generic path,
// though its template has a fused plan: if it is not zero, or is the protocol ICMP or
// ICMPv6. So a template that can have rare records, such as those of flows that were
// answered, keeps its fused plan for all others.
type exception struct {
	number fusedInt
	icmp   bool
}

// holds tells whether the record takes the generic path.
func (e *exception) holds(rec []byte) bool {
	n := loadInt(rec, &e.number)
	if e.icmp {
		return n == protoICMP || n == protoICMPv6
	}
	return n != 0
}

// ordinary returns how many records body begins with that are no exceptions, of n.
func (pl *fusedPlan) ordinary(body []byte, n int) int {
	for i := range n {
		rec := body[i*pl.recordLen:][:pl.recordLen:pl.recordLen]
		for j := range pl.exceptions {
			if pl.exceptions[j].holds(rec) {
				return i
			}
		}
	}
	return n
}

// addReverse notes that records with a flow of the other direction, as reverse reads it,
// are exceptions; false if a number does not tell.
func (p *fusedPlan) addReverse(reverse *plan) bool {
	for _, ops := range [][]op{reverse.ops, reverse.late} {
		for i := range ops {
			o := &ops[i]
			switch {
			case !o.counts():
			case o.code != opNumber && o.code != opNumberIfZero || o.length > 8:
				return false
			default:
				p.exceptions = append(p.exceptions, exception{number: newFusedInt(o.field, o.offset, o.length, o.shift, 1<<o.bits-1)})
			}
		}
	}
	return true
}

// counts tells whether an op may set the bytes or packets of a flow.
func (o *op) counts() bool {
	switch o.code {
	case opFrameSize, opFrame, opPacket, opLabels:
		return true
	}
	return o.code != opSkip && (o.field == fieldBytes || o.field == fieldPackets)
}

// mayCount tells whether a record may have bytes or packets by this plan.
func (pl *plan) mayCount(rec []byte) bool {
	return pl.anyCount(pl.ops, rec) || pl.anyCount(pl.late, rec)
}

func (pl *plan) anyCount(ops []op, rec []byte) bool {
	next, off, n := 0, 0, 0
	for i := range ops {
		o := &ops[i]
		if !o.counts() {
			continue
		}
		if !pl.variable {
			off, n = int(o.offset), int(o.length)
		}
		for ; pl.variable && next <= int(o.index); next++ {
			off, n = template.FieldSpan(&pl.fields[next], rec, off+n)
		}
		if number := o.code == opNumber || o.code == opNumberIfZero; n > 0 && !(number && allZero(rec[off:off+n])) {
			return true
		}
	}
	return false
}
