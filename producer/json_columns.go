package producer

import "strings"

// A program with columns of its own has JSON written from plans too: for each
// template a jsonPlan of the columns. What all records of a set have in common
// is made once a set; columns that the template has no field for are constant.

// columnPlan makes the plan of a program's columns for a plan that is fused; nil
// if one of them has to take the generic path.
func columnPlan(pl *plan, version uint16, prog *Program, n notation) *jsonPlan {
	b := newFuser()
	if !b.collect(pl, version) {
		return nil
	}
	w := columnWriter{fuser: &b, j: &jsonPlan{}, text: n.open(), quote: n.mark()}
	empty := &Flow{Etype: b.plan.etype}
	shared := 0
	for i := range prog.columns {
		c := &prog.columns[i]
		before := w.text
		w.text += string(c.title(n))
		switch {
		case isShared(c.id):
			w.op(jsonOp{kind: writesShared, shift: uint8(shared)}, sharedMax)
			shared++
		case c.id == fieldSamplingRate:
			if c.render != RenderNone {
				return nil
			}
			w.op(jsonOp{kind: writesRate}, 20)
		case isExtra(c.id):
			if !w.sourced(c.id) {
				w.text = before
				continue
			}
			if fieldTable[c.id].ZeroIsNone {
				title := strings.TrimPrefix(w.text, before)
				if w.text = before; c.render != RenderIP || w.member(c.id, "") != columnWritten {
					return nil
				}
				w.j.some(title+w.quote, w.quote+n.sign())
				continue
			}
			if !fieldTable[c.id].ZeroIsValue && c.kind != kindBytes || w.field(c) != columnWritten {
				return nil
			}
		case c.id == fieldCustom && w.customs(c) == 0:
			if value, there := prog.appendColumn(nil, empty, c, n); there {
				w.text += string(value)
			} else {
				w.text = before
				continue
			}
		case c.id == fieldCustom:
			if !w.custom(c) {
				return nil
			}
		default:
			switch w.field(c) {
			case columnConstant:
				value, _ := prog.appendColumn(nil, empty, c, n) // fields are always there
				w.text += string(value)
			case columnSlow:
				return nil
			}
		}
		w.text += n.sign()
	}
	if last := len(w.j.ops) - 1; w.text == "" && last >= 0 && w.j.ops[last].kind >= writesSome4 && w.j.ops[last].kind <= writesSome16 {
		return nil // where there is no address, the sign of the column before it would be the last
	}
	w.text = strings.TrimSuffix(w.text, n.sign()) + n.end()
	j := w.j
	j.tail = jsonSpan{uint32(len(j.text)), uint32(len(w.text))}
	j.text = append(j.text, w.text...)
	j.maxLen += len(j.text)
	j.text = append(j.text, make([]byte, jsonSlack)...)
	return j
}

// collect notes the sources of all fields; false if they depend on each other.
func (b *fuser) collect(pl *plan, version uint16) bool {
	mapped := 0
	for _, o := range pl.ops {
		if o.code == opMapped {
			to := &pl.targets[mapped]
			mapped++
			if !b.addMapped(to, o) {
				return false
			}
			continue
		}
		if !b.add(o, version) {
			return false
		}
	}
	b.usePort(pl)
	return b.setBoot()
}

// sharedMax bounds the value of a column that a set's records share.
const sharedMax = 128

// isShared tells whether all records of a set have the same value of a field.
// Times are shared only where a template has none: they are not among these.
func isShared(id fieldID) bool {
	switch id {
	case fieldType, fieldTimeReceivedNs, fieldSequenceNum, fieldSamplerAddress, fieldObservationDomainID:
		return true
	}
	return false
}

// columnSet makes the values that the records of a set share.
func (p *Producer) columnSet(c *fusedContext, rate uint64) {
	c.prefix, c.prefixRate = c.prefix[:0], rate
	f := p.begin(c.flowType)
	f.SequenceNum, f.ObservationDomainID = c.sequence, c.domain
	c.shared, c.ends = c.shared[:0], c.ends[:0]
	for i := range p.prog.columns {
		if col := &p.prog.columns[i]; isShared(col.id) {
			c.shared, _ = p.prog.appendColumn(c.shared, f, col, p.notation()) // fields are always there
			c.ends = append(c.ends, uint32(len(c.shared)))
		}
	}
	if cap(c.shared)-len(c.shared) < jsonSlack { // it is copied in words
		c.shared = grow(c.shared, jsonSlack)
	}
}

// sharedBySamples tells whether all flow samples of an sFlow datagram have the
// same value of a field.
func sharedBySamples(id fieldID) bool {
	return isShared(id) || id == fieldTimeFlowStartNs || id == fieldTimeFlowEndNs
}

// sampleSet makes what the flow samples of a datagram share: the values of columns
// of the program, and their key.
func (p *Producer) sampleSet(agent []byte, sequence uint32) {
	key := p.prog.Keyed() && p.prog.keyShared
	columns := p.cfg.Format != FormatBin && !p.prog.plain
	if l := p.prog.layers; l != nil && !l.fused {
		columns = false // the mapping may set them
	}
	if !key && !columns {
		return
	}
	c := &p.fused
	f := p.begin(TypeSFlow5)
	f.SamplerAddress, f.SequenceNum = agent, sequence
	f.TimeFlowStartNs, f.TimeFlowEndNs = f.TimeReceivedNs, f.TimeReceivedNs
	if key {
		c.key = p.prog.keyOf(f)
	}
	if columns {
		c.sampleColumns(p.prog, f, p.notation())
		p.samples = c
	}
}

// columnWriter adds ops to a plan.
type columnWriter struct {
	*fuser
	j     *jsonPlan
	text  string // that no op has yet
	quote string // of words
}

func (w *columnWriter) op(o jsonOp, most int) {
	o.text = jsonSpan{uint32(len(w.j.text)), uint32(len(w.text))}
	w.j.text = append(w.j.text, w.text...)
	w.j.ops = append(w.j.ops, o)
	w.j.maxLen += most
	w.text = ""
}

// columnFit says what became of a column.
type columnFit uint8

const (
	columnSlow     columnFit = iota // it has to take the generic path
	columnConstant                  // the template has no field for it
	columnWritten
)

// field adds a field of FlowMessage.
func (w *columnWriter) field(c *column) columnFit {
	if c.id == fieldICMPName {
		proto, known := w.ints[fieldProto]
		if !known {
			return columnConstant
		}
		icmp, known := w.ints[fieldICMPType]
		if !known {
			icmp = fusedInt{}
		}
		if w.plan.icmp {
			icmp = fusedInt{offset: w.plan.port, width: 1, mask: 1<<8 - 1}
		}
		if proto.little || icmp.little || icmp.shift != 0 || proto.shift != 0 {
			return columnSlow
		}
		w.text += w.quote
		w.op(jsonOp{kind: writesICMP, load: loadOf(proto), bits: loadOf(icmp)}, 32)
		w.text = w.quote
		return columnWritten
	}
	switch c.id {
	case fieldICMPType, fieldICMPCode:
		if w.plan.icmp {
			if c.render != RenderNone {
				return columnSlow
			}
			return w.member(c.id, "")
		}
	case fieldEtype:
		return columnConstant
	case fieldTimeFlowStartNs, fieldTimeFlowEndNs:
		if c.render != RenderNone {
			return columnSlow
		}
		o, _ := w.jsonOp(c.id)
		w.op(o, 20)
		return columnWritten
	}
	if _, ok := w.addrs[c.id]; ok && c.kind == kindBytes {
		if c.render != RenderIP {
			return columnSlow
		}
		return w.member(c.id, w.quote)
	}
	if c.id == fieldSrcNet || c.id == fieldDstNet {
		if _, ok := w.addrs[netAddr(c.id)]; ok && c.render == RenderNetwork {
			if i, known := w.ints[c.id]; known {
				if i.little {
					return columnSlow
				}
				return w.member(c.id, w.quote)
			}
			w.text += w.quote + w.jsonDefault(c.id) + w.quote
			return columnWritten
		}
	}
	i, ok := w.ints[c.id]
	if !ok || c.render == RenderNetwork {
		return columnConstant
	}
	return w.number(&i, c.render, c.kind == kindUint64)
}

// loadOf returns how an integer is read.
func loadOf(i fusedInt) jsonLoad {
	mask := i.mask
	if i.width < 8 {
		mask &= 1<<(8*i.width-i.shift) - 1
	}
	return jsonLoad{i.offset + uint32(i.width), mask}
}

// member adds a field in the form that it has without a mapping.
func (w *columnWriter) member(id fieldID, quote string) columnFit {
	o, _ := w.jsonOp(id) // the caller has looked
	w.text += quote
	w.op(o, jsonMax[o.kind])
	w.text = quote
	return columnWritten
}

// number adds a number in some form.
func (w *columnWriter) number(i *fusedInt, r Renderer, wide bool) columnFit {
	o := jsonOp{shift: i.shift, load: loadOf(*i)}
	o.kind = numberKind(o.load.mask)
	if i.little {
		o = jsonOp{kind: writesLittle, shift: i.width, load: jsonLoad{i.offset + uint32(i.width), i.mask}}
	}
	quote := ""
	switch {
	case r == RenderMAC && wide || r == RenderProto:
		if i.little || i.shift != 0 {
			return columnSlow
		}
		o.kind, quote = writesMAC, w.quote
		if r == RenderProto {
			o.kind = writesProto
		}
	case r == RenderEtype, r == RenderType, r == RenderDateTime, r == RenderDateTimeNano && wide:
		return columnSlow
	}
	w.text += quote
	w.op(o, 32)
	w.text = quote
	return columnWritten
}

// sourced tells whether the template has a field.
func (w *columnWriter) sourced(id fieldID) bool {
	_, number := w.ints[id]
	_, addr := w.addrs[id]
	_, text := w.texts[id]
	return number || addr || text
}

// customs returns how many sources an added field has.
func (w *columnWriter) customs(c *column) int {
	n := 0
	for i := range w.plan.custom {
		if w.plan.custom[i].field == c.custom {
			n++
		}
	}
	return n
}

// custom adds an added field that the template has; false if it cannot.
func (w *columnWriter) custom(c *column) bool {
	if c.custom.array {
		w.text += "["
	}
	first := true
	for i := range w.plan.custom {
		f := &w.plan.custom[i]
		if f.field != c.custom {
			continue
		}
		if !first {
			w.text += ","
		}
		first = false
		switch {
		case f.field.varint:
			if w.number(&f.src, c.render, true) == columnSlow {
				return false
			}
		case c.render == RenderIP && (f.length == 4 || f.length == 16):
			kind := writesAddr4
			if f.length == 16 {
				kind = writesAddr16
			}
			w.text += w.quote
			w.op(jsonOp{kind: kind, load: jsonLoad{end: f.offset}}, jsonMax[kind])
			w.text = w.quote
		case c.render == RenderNone || c.render == RenderDefault:
			w.text += w.quote
			w.op(jsonOp{kind: writesHex, load: jsonLoad{end: f.offset}, bits: jsonLoad{end: uint32(f.length)}}, 2*int(f.length))
			w.text = w.quote
		default:
			return false
		}
	}
	if c.custom.array {
		w.text += "]"
	}
	return true
}
