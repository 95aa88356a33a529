//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"slices"
	"unsafe"
)

// The columns of a program for plain samples are written from the parts that
// gather took, without a Flow. See json_unsafe.go for what that asks of callers.

// sampleColumns are these columns in one notation.
type sampleColumns struct {
	fastColumns
	stacks [][numStacks]jsonSpan // values by the stack of headers, text of fastColumns
	most   int                   // bytes that they take, but for lists, added fields and runs
}

// compileSamples makes the form of the program's columns for plain samples, which
// is nil where one of them needs a Flow. The fast form and the layers are there.
func (p *Program) compileSamples() {
	for n := range p.samples {
		if p.fusesSamples() {
			p.samples[n] = p.sampleColumns(notation(n))
		}
	}
}

// sampleColumns makes that form in one notation. What is the same in all plain
// samples becomes part of the text between the values.
func (p *Program) sampleColumns(n notation) *sampleColumns {
	s := &sampleColumns{}
	text := []byte(nil) // that no op has yet
	if n == notationJSON {
		text = append(text, '{')
	}
	add := func(o fastColumn, name []byte) {
		o.name = s.put(append(text, name...))
		s.ops = append(s.ops, o)
		s.most += int(o.name.n) + fastMax + 2
		text = text[:0]
	}
	usual := &Flow{Packets: 1}
	for i := 0; i < len(p.columns); i++ {
		c := &p.columns[i]
		if o := &p.fast[n].ops[i]; o.run > 0 {
			add(fastColumn{kind: fastRun, run: o.run}, nil)
			i += o.length - 1
			continue
		}
		o, name := newFastColumn(c, n, false)
		switch s.place(&o, &name, p, n) {
		case columnSlow:
			return nil
		case columnConstant:
			text = p.appendSlow(text, usual, c, n)
			continue
		}
		if c.id == fieldCustom && len(text) > 0 { // the name goes with the value only
			add(fastColumn{kind: fastText}, nil)
		}
		add(o, name)
	}
	if len(text) > 0 {
		add(fastColumn{kind: fastText}, nil)
	}
	s.text = append(s.text, make([]byte, jsonSlack)...)
	return s
}

// place says where the value of a column is in sampleParts, and which text stands
// before it.
func (s *sampleColumns) place(o *fastColumn, name *[]byte, p *Program, n notation) columnFit {
	var parts sampleParts
	at := func(p unsafe.Pointer) uintptr { return uintptr(p) - uintptr(unsafe.Pointer(&parts)) }
	c := o.column
	list := func(kind fastKind) columnFit {
		if c.render != RenderNone {
			return columnSlow
		}
		*name = append(slices.Clone(o.around(n, false)), '[')
		o.kind, o.behind, o.signs = kind, o.behind<<8|']', 2
		return columnWritten
	}
	if isExtra(c.id) {
		return columnConstant // samples that have any are not gathered
	}
	switch c.id {
	case fieldCustom:
		if p.layers == nil {
			return columnConstant
		}
		return columnWritten // of any kind: the flow has those
	case fieldPackets, fieldForwardingStatus, fieldFragmentOffset, fieldMPLSTTL, fieldMPLSLabel, fieldMPLSIP,
		fieldObservationPointID, fieldRoutingAddresses, fieldRoutingSegLeft:
		return columnConstant
	case fieldEtype, fieldProto, fieldLayerStack:
		o.kind = fastStack
		*name = o.around(n, false) // it is part of the value
		o.offset = uintptr(len(s.stacks))
		s.stacks = append(s.stacks, [numStacks]jsonSpan{})
		for stack := range stackLayers {
			value, _ := p.appendColumn(nil, stackFlow(stack), c, n) // fields are always there
			s.stacks[o.offset][stack] = s.put(value)
			s.most += len(value)
		}
		return columnWritten
	case fieldBGPCommunities:
		return list(fastCommunities)
	case fieldASPath:
		return list(fastPath)
	case fieldLayerSize:
		return list(fastSizes)
	case fieldBytes:
		if c.render != RenderNone {
			return columnSlow
		}
		o.kind, o.offset = fastNumber32, at(unsafe.Pointer(&parts.bytes))
		return columnWritten
	case fieldICMPName:
		return columnWritten
	}
	if o.kind == fastSlow {
		return columnSlow
	}
	o.addr = at(unsafe.Pointer(&parts.src))
	if c.id == fieldDstNet {
		o.addr = at(unsafe.Pointer(&parts.dst))
	}
	switch c.id {
	case fieldSamplingRate:
		o.offset = at(unsafe.Pointer(&parts.rate))
	case fieldSrcAddr:
		o.offset = at(unsafe.Pointer(&parts.src))
	case fieldDstAddr:
		o.offset = at(unsafe.Pointer(&parts.dst))
	case fieldSrcMAC:
		o.offset = at(unsafe.Pointer(&parts.srcMAC))
	case fieldDstMAC:
		o.offset = at(unsafe.Pointer(&parts.dstMAC))
	case fieldNextHop:
		o.offset = at(unsafe.Pointer(&parts.nextHop))
	case fieldBGPNextHop:
		o.offset = at(unsafe.Pointer(&parts.bgpNextHop))
	default:
		place := partPlaces[c.id]
		if place == 0 {
			return columnSlow
		}
		o.offset = at(unsafe.Pointer(&parts.numbers[place-1]))
	}
	return columnWritten
}

// stackFlow returns a flow with what all plain frames of a stack of headers have
// in common.
func stackFlow(stack int) *Flow {
	f := &Flow{Etype: etherTypeIPv4, Proto: uint32(stackProtos[stack&3])}
	if stack&stackV6 != 0 {
		f.Etype = etherTypeIPv6
	}
	for _, l := range stackLayers[stack] {
		f.LayerStack = append(f.LayerStack, uint32(l.kind))
	}
	return f
}

// writeSampleColumns appends the message of a plain sample that gather took.
func (p *Producer) writeSampleColumns(s *sampleParts, n notation) {
	b, c, cols := p.batch, &p.fused, p.prog.samples[n]
	need := cols.most + len(c.shared) + 11*(len(s.communities)/4+s.pathLen) + jsonSlack + len(p.cfg.Separator)
	if l := p.prog.layers; l != nil {
		for _, v := range p.sampleCustom(l, s, nil) {
			need += fastMax + 6*len(v.bytes) // each may be escaped
		}
	}
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	begin := unsafe.Pointer(unsafe.SliceData(out))
	w := begin
	for i := range cols.ops {
		o := &cols.ops[i]
		if o.kind == fastSlow { // an added field, whose text is of any length
			at := int(uintptr(w) - uintptr(begin))
			text := p.prog.appendSlow(out[:at], &p.flow, o.column, n)
			w = unsafe.Pointer(&out[len(text)]) // checked: it is not elsewhere
			continue
		}
		w = cols.writeSample(o, c, s, &p.flow, w)
	}
	at := int(uintptr(w) - uintptr(begin))
	switch {
	case n == notationText:
		at = max(at-1, 0)
	case at == 1:
		out[at] = '}'
		at++
	default:
		out[at-1] = '}'
	}
	at += copy(out[at:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+at]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// writeSample writes one column of a sample at w and returns its end. f has the
// added fields.
func (cols *sampleColumns) writeSample(o *fastColumn, c *fusedContext, s *sampleParts, f *Flow, w unsafe.Pointer) unsafe.Pointer {
	if o.kind == fastCustom {
		return cols.writeCustom(o, f, w)
	}
	w = cols.putName(o, w)
	switch o.kind {
	case fastText:
		return w
	case fastRun:
		text := c.sharedRun(o.run)
		return putText(w, unsafe.Pointer(unsafe.SliceData(text)), uintptr(len(text)))
	case fastStack:
		span := &cols.stacks[o.offset][s.stack&(numStacks-1)]
		w = putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(cols.text)), span.pos), uintptr(span.n))
	case fastICMP:
		w = putName(w, icmpTypeName(uint32(s.plain.Proto), s.numbers[numICMPType]))
	case fastCommunities:
		w = endNumbers(w, putWordTexts(w, s.communities))
	case fastPath:
		w = s.putPathTexts(w)
	case fastSizes:
		layers := stackLayers[s.stack&(numStacks-1)]
		for i := range layers[:len(layers)-1] {
			w = putNumber(w, uint64(layers[i].size))
			*(*byte)(w) = ','
			w = unsafe.Add(w, 1)
		}
		w = putNumber(w, uint64(s.transportSize()))
	default:
		w = o.value(unsafe.Pointer(s), w)
	}
	return o.end(w)
}
