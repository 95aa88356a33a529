package producer

import (
	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer/schema"
)

// follow reads on after the ports that the mapping names.
func (p *Producer) follow(l *layerProgram, b []byte, h *packet.Headers) {
	p.portLayers = 0
	if len(l.ports) == 0 {
		return
	}
	// Every turn adds a layer or ends the walk, so MaxLayers bounds them.
	for h.Layers > 0 && h.Layers < packet.MaxLayers {
		i := h.Layers - 1
		kind := h.LayerStack[i]
		if kind != packet.LayerUDP && kind != packet.LayerTCP || h.Truncated || h.Malformed || h.PayloadType != 0 {
			return
		}
		start, key, ok := l.portAt(kind == packet.LayerTCP, b[h.Offset(i):])
		if !ok {
			return
		}
		packet.Continue(b, start, h)
		if h.Layers == i+1 {
			return
		}
		h.LayerType[i+1] = 0 // a port announces it
		p.portLayer[i+1] = key
		p.portLayers |= 1 << (i + 1)
	}
}

// mapLayers puts what the mapping takes from a sampled header into the flow.
func (p *Producer) mapLayers(l *layerProgram, b []byte, h *packet.Headers, f *Flow) {
	for i := range l.whole {
		p.mapBits(&l.whole[i], b, 0, f)
	}
	off := 0
	for i := range h.Layers {
		kind := kindLayer
		if k := int(h.LayerStack[i]); k < kindLayer {
			kind = k
		}
		if l.any>>kind&1 != 0 {
			encap := i >= h.BaseLayers
			rules := l.kinds[kind]
			for j := range rules {
				if rules[j].encap == encap {
					p.mapBits(&rules[j], b, off, f)
				}
			}
		}
		if l.numbered {
			p.mapAnnounced(l, b, h, i, off, f)
		}
		off += int(h.LayerSize[i])
	}
	if len(l.etypes)+len(l.protos) > 0 && h.PayloadType != 0 && !h.Truncated && h.Payload < len(b) {
		// Something was announced that is no layer here.
		rules := l.protos
		if h.PayloadType >= 256 {
			rules = l.etypes
		}
		p.mapNumbered(rules, uint32(h.PayloadType), h.Layers > h.BaseLayers, b, h.Payload, f)
	}
	if len(l.payload) > 0 {
		p.mapPayload(l, b, h, f)
	}
}

// mapAnnounced maps layer i, which begins at off, by what announces it.
func (p *Producer) mapAnnounced(l *layerProgram, b []byte, h *packet.Headers, i, off int, f *Flow) {
	encap := i >= h.BaseLayers
	if t := uint32(h.LayerType[i]); t >= 256 {
		p.mapNumbered(l.etypes, t, encap, b, off, f)
	} else if t > 0 || h.LayerStack[i] == packet.LayerCustom && i > 0 && h.LayerStack[i-1] == packet.LayerIPv6 {
		p.mapNumbered(l.protos, t, encap, b, off, f)
	}
	if p.portLayers>>i&1 != 0 {
		p.mapNumbered(l.byPort, p.portLayer[i], encap, b, off, f)
	}
}

func (p *Producer) mapNumbered(rules []numberedRule, number uint32, encap bool, b []byte, off int, f *Flow) {
	for i := range rules {
		if r := &rules[i]; r.number == number && r.encap == encap {
			p.mapBits(&r.layerRule, b, off, f)
		}
	}
}

// mapPayload maps what lies after the transport header: that of the stack that
// carries, and that of the innermost one that is carried.
func (p *Producer) mapPayload(l *layerProgram, b []byte, h *packet.Headers, f *Flow) {
	off, base, inner := 0, -1, -1
	for i := range h.Layers {
		off += int(h.LayerSize[i])
		if k := h.LayerStack[i]; k != packet.LayerUDP && k != packet.LayerTCP {
			continue
		}
		if i < h.BaseLayers {
			base = off
		} else {
			inner = off
		}
	}
	for i := range l.payload {
		r := &l.payload[i]
		at := base
		if r.encap {
			at = inner
		}
		if at >= 0 && at < len(b) {
			p.mapBits(r, b, at, f)
		}
	}
}

// mapBits takes the bits of a rule from b, whose layer begins at off. Bits that
// the header was cut before are zero.
func (p *Producer) mapBits(r *layerRule, b []byte, off int, f *Flow) {
	t := &r.target
	at := off*8 + r.offset
	if t.number() && r.length%8 != 0 && !p.prog.compat {
		p.assignNumber(t, bitNumber(b, at, r.length), f, nil)
		return
	}
	if at%8 == 0 && r.length%8 == 0 && at/8+r.length/8 <= len(b) {
		from := at / 8
		p.assign(t, b[from:from+r.length/8], f, nil)
		return
	}
	p.assign(t, p.cutBits(b, at, r.length), f, nil)
}

// bitNumber reads length bits, at most 64, from bit at on, most significant
// first.
func bitNumber(b []byte, at, length int) uint64 {
	n := uint64(0)
	for length > 0 {
		c := uint64(0)
		if at/8 < len(b) {
			c = uint64(b[at/8])
		}
		take := min(8-at%8, length)
		c = c >> (8 - at%8 - take) & (1<<take - 1)
		n = n<<take | c
		at += take
		length -= take
	}
	return n
}

// cutBits returns length bits from bit at on, as bytes: the last one holds the
// rest of the bits in its low end. Beyond the end there are zeros; it returns
// nothing if all lies there. The bytes are valid until the next record.
func (p *Producer) cutBits(b []byte, at, length int) []byte {
	if at > len(b)*8 {
		return nil
	}
	begin := len(p.scratch)
	for ; length > 0; length -= 8 {
		p.scratch = append(p.scratch, byte(bitNumber(b, at, min(length, 8))))
		at += 8
	}
	return p.scratch[begin:len(p.scratch):len(p.scratch)]
}

// assign puts a value where its target says. A number of more than 8 bytes is
// left out.
func (p *Producer) assign(t *target, v []byte, f *Flow, c *recordContext) {
	if t.number() {
		n, ok := number(v)
		if !ok {
			return
		}
		if t.little {
			n = 0
			for i := len(v) - 1; i >= 0; i-- {
				n = n<<8 | uint64(v[i])
			}
		}
		p.assignNumber(t, n, f, c)
		return
	}
	switch {
	case t.custom != nil:
		f.setCustom(customValue{field: t.custom, bytes: v})
	case fieldTable[t.field].kind == kindBytesList:
		f.appendBytes(t.field, v)
	case fieldTable[t.field].form == schema.Text:
		f.setBytes(t.field, p.text(v))
	default:
		f.setBytes(t.field, v)
	}
}

// assignNumber puts a number where its target says.
func (p *Producer) assignNumber(t *target, n uint64, f *Flow, c *recordContext) {
	if t.custom != nil {
		f.setCustom(customValue{field: t.custom, num: n})
		return
	}
	if fieldTable[t.field].IsList() {
		f.appendNumber(t.field, n)
	} else {
		f.setNumber(t.field, n)
	}
	if c == nil {
		return
	}
	switch t.field {
	case fieldSamplingRate:
		c.mappedRate = n
	case fieldTimeFlowStartNs:
		c.absStart = true
	case fieldTimeFlowEndNs:
		c.absEnd = true
	}
}
