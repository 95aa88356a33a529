package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
)

// mappedPlan is a template's plan under one program.
type mappedPlan struct {
	program *Program
	plan    *plan
}

// planOf returns the plan of a data template under the program in force. The
// template has that of no mapping; one under a mapping is made when a worker
// first needs it, and kept for all workers until the program is another. Two
// workers may make the same one at the same time, or each its own while a new
// program spreads: any of them is good.
func (p *Producer) planOf(t *Template) *plan {
	pl := t.Compiled.data
	if !p.prog.plans {
		return pl
	}
	m := pl.mapped.Load()
	if m == nil || m.program != p.prog {
		mapping := p.prog.ipfix
		if t.Version == template.V9 {
			mapping = p.prog.v9
		}
		m = &mappedPlan{p.prog, pl}
		if p.prog.compat || !p.prog.plain || p.prog.Keyed() || p.prog.hidden != (extraSet{}) || touches(t, mapping) {
			m.plan = compileMapped(t, mapping, p.prog)
			m.plan.makePlans(p.prog, t.Version)
		}
		pl.mapped.Store(m)
	}
	return m.plan
}

// makePlans makes the plans of the program's columns and of its key, if it has
// any and the template allows it. The plan is not shared yet.
func (pl *plan) makePlans(prog *Program, version uint16) {
	if pl.fused == nil || prog.compat {
		return
	}
	if fusedJSON && !prog.plain {
		for n := range pl.columns {
			pl.columns[n] = columnPlan(pl, version, prog, notation(n))
		}
	}
	if prog.Keyed() {
		pl.keys = keyPlanOf(pl, version, prog)
	}
}

// makeFixed makes the plans of the program for the fixed layouts.
func (p *Program) makeFixed() {
	if p.plain && !p.Keyed() || p.compat {
		return
	}
	p.fixed = makeFixedPlans()
	for _, pl := range p.fixed {
		pl.makePlans(p, template.V9)
	}
}

// fixedPlan returns the plan of the records of a fixed layout.
func (p *Program) fixedPlan(l *netflow.Layout) *plan {
	if p.fixed != nil {
		return p.fixed[l.Index]
	}
	return fixedPlans[l.Index]
}

// touches tells whether a mapping is about any of the template's fields.
func touches(t *Template, mapping map[elementKey]target) bool {
	for _, f := range t.Fields {
		if _, ok := mapping[elementKey{f.PEN, f.ID}]; ok {
			return true
		}
	}
	return false
}

// fusedCustom is a field that a mapping adds, of a fixed place in the record.
type fusedCustom struct {
	field   *customField
	src     fusedInt // of a varint
	offset  uint32   // of a string of bytes
	length  uint16
	head    uint64 // tag, and length of a string of bytes, as written
	headLen uint8
}

// addMapped notes where an element goes by the mapping; false if that depends on
// other fields.
func (b *fuser) addMapped(t *target, o op) bool {
	if t.custom != nil {
		return b.addCustom(t, o)
	}
	switch t.field {
	case fieldEtype, fieldSamplingRate, fieldSequenceNum, fieldTimeReceivedNs, fieldTimeFlowStartNs, fieldTimeFlowEndNs, fieldObservationDomainID:
		return false
	}
	info := &fieldTable[t.field]
	if info.form == schema.Text {
		return false
	}
	mask := uint64(1<<32 - 1)
	switch info.kind {
	case kindUint64:
		mask = 1<<64 - 1
	case kindUint32:
	case kindBytes:
		if o.length != 4 && o.length != 16 || t.field != fieldNextHop && t.field != fieldBGPNextHop {
			return false
		}
		b.addrs[t.field] = fusedSource{o.offset, o.length}
		return true
	default:
		return false
	}
	if o.length <= 8 {
		i := newFusedInt(t.field, o.offset, o.length, 0, mask)
		i.little = t.little
		b.ints[t.field] = i
	}
	return true
}

// addCustom notes an added field.
func (b *fuser) addCustom(t *target, o op) bool {
	c := fusedCustom{field: t.custom, offset: o.offset, length: o.length}
	head := t.custom.tag
	if t.custom.varint {
		if o.length > 8 {
			return true // no number
		}
		c.src = fusedInt{offset: o.offset, width: uint8(o.length), little: t.little, mask: 1<<64 - 1}
	} else {
		head = appendVarint(append([]byte(nil), head...), uint64(o.length))
	}
	c.headLen = uint8(len(head))
	for i, x := range head {
		c.head |= uint64(x) << (8 * i)
	}
	if !t.custom.array {
		for i := range b.plan.custom {
			if b.plan.custom[i].field == t.custom {
				b.plan.custom[i] = c
				return true
			}
		}
	}
	b.plan.custom = append(b.plan.custom, c)
	return true
}

// maxLen bounds the bytes that write writes.
func (c *fusedCustom) maxLen() int {
	if c.field.varint {
		return int(c.headLen) + 10
	}
	return int(c.headLen) + int(c.length)
}

// write writes the field after the o bytes of out that are there, zero too.
func (c *fusedCustom) write(rec, out []byte, o int) int {
	binary.LittleEndian.PutUint64(out[o:], c.head)
	o += int(c.headLen)
	if !c.field.varint {
		return o + copy(out[o:], rec[c.offset:c.offset+uint32(c.length)])
	}
	v := loadInt(rec, &c.src)
	if v < 1<<32 {
		x, n := spread32(v)
		binary.LittleEndian.PutUint64(out[o:], x)
		return o + n
	}
	return len(appendVarint(out[:o], v))
}

func loadLittle(b []byte) uint64 {
	v := uint64(0)
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// parseHeader reads a sampled header, with the ports of the mapping.
func (p *Producer) parseHeader(b []byte, start packet.Start, h *packet.Headers) {
	packet.Parse(b, start, h)
	if l := p.prog.layers; l != nil {
		p.follow(l, b, h)
	}
}

// fusesSamples tells whether flow samples may be written without a Flow.
func (p *Program) fusesSamples() bool {
	return !p.compat && !p.sourced && (p.layers == nil || p.layers.fused)
}

// sampleCustom returns what the mapping takes from a sampled header, whose layers
// h has unless the frame is plain. It is valid until the next record.
func (p *Producer) sampleCustom(l *layerProgram, s *sampleParts, h *packet.Headers) []customValue {
	p.scratch = p.scratch[:0]
	p.flow.custom = p.flow.custom[:0]
	if s.stack >= 0 {
		p.mapPlain(l, s, &p.flow)
	} else {
		p.mapLayers(l, s.frame, h, &p.flow)
	}
	return p.flow.custom
}
