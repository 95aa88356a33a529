package producer

import (
	"slices"
	"strconv"
)

// A keyPlan computes the keys of records that are written without a Flow, from
// the records' bytes. There is one for each template, in addition to its fused plan.
//
// A key is a chain of steps, each of which needs what the one before it gave: a
// processor would wait for most of them. So each op is done for all records of
// a set before the next, in short pieces, and the chains of several records
// overlap.
type keyPlan struct {
	ops []keyOp
	// lead is how many of the ops, the first ones, give the same for all
	// records of a set.
	lead int
	// shared says that there are ops of fields that a set's records share.
	shared bool
}

// keyKind says what a keyOp adds to a key.
type keyKind uint8

const (
	keyText    keyKind = iota // text
	keyShared                 // a field that the records of a set share
	keyAddress                // an address of four bytes
	keyBytes                  // any other string of bytes
	keyOctet                  // a number of one byte
	keyHalf                   // of two, in big-endian order
	keyWord                   // of four
	keyNumber                 // of any width and order, or a part of its bits
	keyStart                  // the times of the flow
	keyEnd
)

// keyOp adds a part of the printed fields to the keys of records.
type keyOp struct {
	kind   keyKind
	offset uint32 // in the record
	length uint32 // of a string of bytes
	number fusedInt
	field  *keyField // that is shared
	text   string
}

// keyPlanOf makes the plan of a program's key for a plan that is fused; nil if
// keys have to be made of the messages.
func keyPlanOf(pl *plan, version uint16, prog *Program) *keyPlan {
	b := newFuser()
	if !b.collect(pl, version) {
		return nil
	}
	w := keyWriter{fuser: &b, k: &keyPlan{}}
	for i := range prog.key {
		if !w.field(&prog.key[i]) {
			return nil
		}
	}
	w.flush()
	k := w.k
	for k.lead < len(k.ops) && k.ops[k.lead].kind <= keyShared {
		k.lead++
	}
	return k
}

// keyWriter adds ops to a plan.
type keyWriter struct {
	*fuser
	k    *keyPlan
	text string // that no op has yet
}

func (w *keyWriter) flush() {
	if w.text != "" {
		w.k.ops = append(w.k.ops, keyOp{kind: keyText, text: w.text})
		w.text = ""
	}
}

func (w *keyWriter) op(o keyOp) {
	w.flush()
	w.k.ops = append(w.k.ops, o)
}

func (w *keyWriter) share(k *keyField) {
	w.k.shared = true
	w.op(keyOp{kind: keyShared, field: k})
}

// field adds a field of the key; false if it is not in the record's bytes.
func (w *keyWriter) field(k *keyField) bool {
	switch k.id {
	case fieldCustom:
		w.customs(k.custom)
		return true
	case fieldType, fieldSequenceNum, fieldSamplerAddress, fieldTimeReceivedNs, fieldObservationDomainID:
		w.share(k)
		return true
	case fieldSamplingRate:
		if w.plan.interval.width != 0 || w.plan.sampler.width != 0 {
			return false
		}
		w.share(k)
		return true
	case fieldICMPType, fieldICMPCode:
		if w.plan.icmp {
			return false
		}
	case fieldTimeFlowStartNs:
		w.time(k, keyStart, &w.plan.start)
		return true
	case fieldTimeFlowEndNs:
		w.time(k, keyEnd, &w.plan.end)
		return true
	case fieldEtype:
		w.text += strconv.Itoa(int(w.plan.etype))
		return true
	}
	if isExtra(k.id) {
		return w.extra(k)
	}
	switch k.kind {
	case kindUint32, kindUint64:
		if i, ok := w.ints[k.id]; ok {
			w.number(i)
		} else {
			w.text += "0"
		}
	case kindBytes:
		a := w.addrs[k.id]
		w.bytes(a.offset, uint32(a.length))
	default: // lists, which templates that are fused do not have
		w.text += "[]"
	}
	return true
}

// extra adds an extra field, or nothing where the template does not have it. Whether
// a record has it must not depend on its value.
func (w *keyWriter) extra(k *keyField) bool {
	if i, ok := w.ints[k.id]; ok {
		w.number(i)
		return fieldTable[k.id].ZeroIsValue
	}
	if a, ok := w.addrs[k.id]; ok {
		w.bytes(a.offset, uint32(a.length))
		return !fieldTable[k.id].ZeroIsNone
	}
	return w.texts[k.id].length == 0
}

// time adds a time of the flow.
func (w *keyWriter) time(k *keyField, kind keyKind, t *fusedTime) {
	if t.kind == timeExport {
		w.share(k)
		return
	}
	w.op(keyOp{kind: kind})
}

// number adds an integer of the record.
func (w *keyWriter) number(i fusedInt) {
	o := keyOp{kind: keyNumber, offset: i.offset, number: i}
	if !i.little && i.shift == 0 {
		switch {
		case i.width == 1 && i.mask >= 1<<8-1:
			o.kind = keyOctet
		case i.width == 2 && i.mask >= 1<<16-1:
			o.kind = keyHalf
		case i.width == 4 && i.mask >= 1<<32-1:
			o.kind = keyWord
		}
	}
	w.op(o)
}

// bytes adds a string of bytes of the record.
func (w *keyWriter) bytes(offset, length uint32) {
	switch length {
	case 0:
		w.text += "[]"
	case 4:
		w.op(keyOp{kind: keyAddress, offset: offset})
	default:
		w.op(keyOp{kind: keyBytes, offset: offset, length: length})
	}
}

// customs adds a field that a mapping adds, or nothing where the template does
// not have it.
func (w *keyWriter) customs(f *customField) {
	sign := "["
	for i := range w.plan.custom {
		c := &w.plan.custom[i]
		if c.field != f {
			continue
		}
		if f.array {
			w.text += sign
			sign = " "
		}
		if f.varint {
			w.number(c.src)
		} else {
			w.bytes(c.offset, uint32(c.length))
		}
	}
	if sign == " " {
		w.text += "]"
	}
}

// recordKeys adds the keys of the first n records of body, whose messages are
// the last of the batch.
func (p *Producer) recordKeys(pl *plan, c *fusedContext, body []byte, n int) {
	b := p.batch
	k := pl.keys
	if k == nil || p.prog.keyASes && p.cfg.Geo != nil {
		p.shareKey()
		p.fusedKeys(b, len(b.Ends)-n)
		return
	}
	var f *Flow
	if k.shared {
		f = p.sharedFlow(c)
	}
	h := fnv(fnvOffset)
	for i := range k.ops[:k.lead] {
		if o := &k.ops[i]; o.kind == keyText {
			h = h.text(o.text)
		} else {
			h = o.field.hash(h, f)
		}
	}
	before := len(b.Keys)
	b.Keys = slices.Grow(b.Keys, n)[:before+n]
	keys := b.Keys[before:]
	for i := range keys {
		keys[i] = uint32(h)
	}
	for i := k.lead; i < len(k.ops); i++ {
		k.ops[i].add(keys, pl.fused, c, f, body)
	}
}

// sharedFlow returns a flow with the values that the records of a set share.
func (p *Producer) sharedFlow(c *fusedContext) *Flow {
	f := p.begin(c.flowType)
	f.SequenceNum, f.ObservationDomainID = c.sequence, c.domain
	f.SamplingRate = p.samplingOr(c.rate)
	f.TimeFlowStartNs, f.TimeFlowEndNs = c.exportNs, c.exportNs
	return f
}

// add adds what the op is for to the keys of the records that body begins with.
func (o *keyOp) add(keys []uint32, pl *fusedPlan, c *fusedContext, f *Flow, body []byte) {
	step, at := pl.recordLen, int(o.offset)
	switch o.kind {
	case keyText:
		for i, h := range keys {
			keys[i] = uint32(fnv(h).text(o.text))
		}
	case keyShared:
		for i, h := range keys {
			keys[i] = uint32(o.field.hash(fnv(h), f))
		}
	case keyAddress:
		o.addAddresses(keys, step, body)
	case keyBytes:
		o.addBytes(keys, step, body)
	case keyOctet:
		for i, h := range keys {
			keys[i] = uint32(fnv(h).octet(body[at]))
			at += step
		}
	case keyHalf:
		o.addHalves(keys, step, body)
	case keyWord:
		for i, h := range keys {
			keys[i] = uint32(fnv(h).number(uint64(keyLoad32(body, at))))
			at += step
		}
	case keyNumber:
		for i, h := range keys {
			keys[i] = uint32(fnv(h).number(loadInt(body[i*step:], &o.number)))
		}
	case keyStart:
		for i, h := range keys {
			rec := body[i*step:]
			keys[i] = uint32(fnv(h).number(c.start(pl.start.load(c, rec), pl.end.load(c, rec))))
		}
	case keyEnd:
		for i, h := range keys {
			keys[i] = uint32(fnv(h).number(pl.end.load(c, body[i*step:])))
		}
	}
}

// addAddresses adds addresses of four bytes.
func (o *keyOp) addAddresses(keys []uint32, step int, body []byte) {
	at := int(o.offset)
	for i, key := range keys {
		v := keyLoad32(body, at)
		h := fnv(key).byte('[').spaced(byte(v >> 24)).spaced(byte(v >> 16))
		keys[i] = uint32(h.spaced(byte(v >> 8)).spaced(byte(v)).instead(']'))
		at += step
	}
}

// addBytes adds strings of bytes: their chains are long, so that four of them
// are made to overlap.
func (o *keyOp) addBytes(keys []uint32, step int, body []byte) {
	at, n := int(o.offset), int(o.length)
	for ; len(keys) >= 4; keys = keys[4:] {
		a := body[at : at+n]
		b := body[at+step:][:len(a)]
		c := body[at+2*step:][:len(a)]
		d := body[at+3*step:][:len(a)]
		h0, h1, h2, h3 := fnv(keys[0]).byte('['), fnv(keys[1]).byte('['), fnv(keys[2]).byte('['), fnv(keys[3]).byte('[')
		for i, v := range a {
			h0 = h0.spaced(v)
			h1 = h1.spaced(b[i])
			h2 = h2.spaced(c[i])
			h3 = h3.spaced(d[i])
		}
		keys[0], keys[1] = uint32(h0.instead(']')), uint32(h1.instead(']'))
		keys[2], keys[3] = uint32(h2.instead(']')), uint32(h3.instead(']'))
		at += 4 * step
	}
	for i, h := range keys {
		keys[i] = uint32(fnv(h).bytes(body[at : at+n]))
		at += step
	}
}

// addHalves adds numbers of two bytes.
func (o *keyOp) addHalves(keys []uint32, step int, body []byte) {
	at := int(o.offset)
	for i, key := range keys {
		keys[i] = uint32(fnv(key).short(shortDigits(keyLoad16(body, at))))
		at += step
	}
}
