//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"slices"
	"unsafe"
)

// fastColumns are the columns of a program in one notation, in the form that is
// written by words: see json_unsafe.go for what that asks of callers.
type fastColumns struct {
	ops  []fastColumn
	text []byte // the names of all, and jsonSlack
}

// fastKind says how a column is written.
type fastKind uint8

const (
	fastSlow fastKind = iota // by appendColumn
	fastNumber32
	fastNumber64
	fastIP
	fastMAC
	fastNet
	fastEtype
	fastProto
	fastType
	fastICMP
	fastCustom // a number that may not be there
	fastExtra  // a field that goflow2 does not have

	// Of plain samples only: see sflow_columns_unsafe.go.
	fastRun   // columns that all samples of the datagram share
	fastText  // nothing but text
	fastStack // one of the values of all stacks of headers
	fastCommunities
	fastPath
	fastSizes
)

// fastColumn is a column: text, value, and what separates it from the next.
type fastColumn struct {
	kind   fastKind
	signs  uint8  // how many bytes of behind count
	behind uint16 // a quotation mark, if there is one, and the separator
	name   jsonSpan
	offset uintptr // of the value in a Flow, or in sampleParts
	addr   uintptr // of a prefix: its address
	custom *customField
	column *column
	extras int // how many columns of fastExtra begin here
	run    int // number of the run of columns that begins here, which samples share, from 1
	length int // of that run, in columns
	need   int // bytes that this and all fast columns after it take, up to a slow one
}

// fast tells whether write writes a column of the kind.
func (k fastKind) fast() bool { return k != fastSlow && k != fastExtra }

// fastMax bounds the value of a fast column.
const fastMax = 50

// compileFast makes the fast form of the program's columns.
func (p *Program) compileFast() {
	for n := range p.fast {
		f := &p.fast[n]
		var run *fastColumn // that the column before is of
		runs := 0
		f.ops = make([]fastColumn, 0, len(p.columns))
		for i := range p.columns {
			c := &p.columns[i]
			o, name := newFastColumn(c, notation(n), p.compat)
			if o.kind.fast() {
				o.name = f.put(name)
			}
			f.ops = append(f.ops, o)
			switch {
			case !sharedBySamples(c.id):
				run = nil
			case run == nil:
				run = &f.ops[i]
				runs++
				run.run, run.length = runs, 1
			default:
				run.length++
			}
		}
		for i := len(f.ops) - 1; i >= 0; i-- {
			o := &f.ops[i]
			o.need = int(o.name.n) + fastMax + 2
			if i+1 < len(f.ops) && f.ops[i+1].kind.fast() {
				o.need += f.ops[i+1].need
			}
			if o.kind == fastExtra {
				o.extras = 1
				if i+1 < len(f.ops) {
					o.extras += f.ops[i+1].extras
				}
			}
		}
		f.text = append(f.text, make([]byte, jsonSlack)...)
	}
}

// put keeps a piece of text.
func (f *fastColumns) put(text []byte) jsonSpan {
	f.text = append(f.text, text...)
	return jsonSpan{uint32(len(f.text) - len(text)), uint32(len(text))}
}

// newFastColumn finds the way to write a column, and the text before its value.
func newFastColumn(c *column, n notation, compat bool) (o fastColumn, name []byte) {
	o = fastColumn{column: c}
	kind, quoted := o.fit(c, compat)
	o.kind = kind
	return o, o.around(n, quoted)
}

// around sets what stands after a column's value and returns what stands before.
func (o *fastColumn) around(n notation, quoted bool) []byte {
	if n == notationText {
		o.behind, o.signs = ' ', 1
		return o.column.text
	}
	o.behind, o.signs = ',', 1
	if quoted {
		o.behind, o.signs = '"'|','<<8, 2
		return append(slices.Clone(o.column.json), '"')
	}
	return o.column.json
}

// fit finds the way to write a column, and says whether JSON quotes its value.
func (o *fastColumn) fit(c *column, compat bool) (kind fastKind, quoted bool) {
	var f Flow
	at := func(p unsafe.Pointer) uintptr { return uintptr(p) - uintptr(unsafe.Pointer(&f)) }
	switch {
	case isExtra(c.id):
		return fastExtra, false
	case c.id == fieldICMPName:
		return fastICMP, true
	case c.id == fieldCustom:
		o.custom = c.custom
		if c.custom.varint && !c.custom.array && !c.asked {
			return fastCustom, false
		}
		return fastSlow, false
	case c.kind == kindType && c.render == RenderNone:
		return fastType, true
	case c.kind == kindBytes && c.render == RenderIP:
		o.offset = at(unsafe.Pointer(f.bytes(c.id)))
		return fastIP, true
	case c.kind == kindUint64:
		o.offset = at(unsafe.Pointer(f.u64(c.id)))
		switch c.render {
		case RenderNone:
			return fastNumber64, false
		case RenderMAC:
			return fastMAC, true
		}
		return fastSlow, false
	case c.kind != kindUint32:
		return fastSlow, false
	}
	o.offset = at(unsafe.Pointer(f.u32(c.id)))
	switch c.render {
	case RenderNone:
		return fastNumber32, false
	case RenderEtype:
		return fastEtype, true
	case RenderProto:
		return fastProto, true
	case RenderNetwork:
		if compat {
			return fastSlow, true
		}
		o.addr = at(unsafe.Pointer(&f.SrcAddr))
		if c.id == fieldDstNet {
			o.addr = at(unsafe.Pointer(&f.DstAddr))
		}
		return fastNet, true
	}
	return fastSlow, false
}

// sampleColumns makes the runs of columns that flow samples share.
func (c *fusedContext) sampleColumns(prog *Program, f *Flow, n notation) {
	c.shared, c.ends = c.shared[:0], c.ends[:0]
	ops := prog.fast[n].ops
	for i := range ops {
		for j := range ops[i:][:ops[i].length] {
			c.shared = prog.appendSlow(c.shared, f, ops[i+j].column, n)
		}
		if ops[i].run > 0 {
			c.ends = append(c.ends, uint32(len(c.shared)))
		}
	}
	if cap(c.shared)-len(c.shared) < jsonSlack { // it is copied in words
		c.shared = grow(c.shared, jsonSlack)
	}
}

// sharedRun returns the text of a run by its number, from 1.
func (c *fusedContext) sharedRun(number int) []byte {
	from := uint32(0)
	if number > 1 {
		from = c.ends[number-2]
	}
	return c.shared[from:c.ends[number-1]]
}

// appendFast is appendText by words, the same byte for byte. c has the values of
// the runs of columns that all samples of the datagram share; nil for other flows.
func (p *Program) appendFast(b []byte, f *Flow, n notation, c *fusedContext) []byte {
	fast := &p.fast[n]
	if n == notationJSON {
		b = append(b, '{')
	}
	begin := len(b)
	for i := 0; i < len(fast.ops); {
		o := &fast.ops[i]
		switch {
		case c != nil && o.run > 0:
			b = append(b, c.sharedRun(o.run)...)
			i += o.length
			continue
		case o.kind == fastExtra && !f.anyExtra():
			i += o.extras
			continue
		case !o.kind.fast():
			b = p.appendSlow(b, f, o.column, n)
			i++
			continue
		}
		need := o.need + jsonSlack
		if cap(b)-len(b) < need {
			b = grow(b, need)
		}
		from := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), len(b))
		w := from
		for ; i < len(fast.ops) && fast.ops[i].kind.fast() && (c == nil || fast.ops[i].run == 0); i++ {
			w = fast.write(&fast.ops[i], f, w)
		}
		b = b[:len(b)+int(uintptr(w)-uintptr(from))]
	}
	if n == notationJSON {
		if len(b) == begin {
			return append(b, '}')
		}
		b[len(b)-1] = '}'
		return b
	}
	return b[:max(len(b)-1, begin)]
}

// appendSlow appends a column and its separator.
func (p *Program) appendSlow(b []byte, f *Flow, c *column, n notation) []byte {
	at, sep := len(b), byte(',')
	if n == notationJSON {
		b = append(b, c.json...)
	} else {
		b, sep = append(b, c.text...), ' '
	}
	b, there := p.appendColumn(b, f, c, n)
	if !there {
		return b[:at]
	}
	return append(b, sep)
}

// write writes one column of a flow at w and returns its end.
func (c *fastColumns) write(o *fastColumn, f *Flow, w unsafe.Pointer) unsafe.Pointer {
	if o.kind == fastCustom {
		return c.writeCustom(o, f, w)
	}
	w = c.putName(o, w)
	switch o.kind {
	case fastType:
		w = putName(w, typeName(f.Type))
	case fastICMP:
		w = putName(w, icmpTypeName(f.Proto, f.ICMPType))
	default:
		w = o.value(unsafe.Pointer(f), w)
	}
	return o.end(w)
}

// writeCustom writes an added number, or nothing if the flow does not have it.
func (c *fastColumns) writeCustom(o *fastColumn, f *Flow, w unsafe.Pointer) unsafe.Pointer {
	value, _ := f.firstCustom(o.custom, 0)
	if value == nil {
		return w
	}
	return o.end(putNumber(c.putName(o, w), value.num))
}

// putName writes the text before a column's value.
func (c *fastColumns) putName(o *fastColumn, w unsafe.Pointer) unsafe.Pointer {
	return putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(c.text)), o.name.pos), uintptr(o.name.n))
}

// end writes what stands after a column's value.
func (o *fastColumn) end(w unsafe.Pointer) unsafe.Pointer {
	*(*uint16)(w) = o.behind
	return unsafe.Add(w, o.signs)
}

// value writes the value of a column of a Flow or of sampleParts.
func (o *fastColumn) value(base, w unsafe.Pointer) unsafe.Pointer {
	at := unsafe.Add(base, o.offset)
	switch o.kind {
	case fastNumber32:
		v := *(*uint32)(at)
		if v < 256 {
			octet := &octets[v]
			*(*uint32)(w) = octet.text
			return unsafe.Add(w, octet.n-1)
		}
		return putNumber(w, uint64(v))
	case fastNumber64:
		return putNumber(w, *(*uint64)(at))
	case fastIP:
		return putIP(w, *(*[]byte)(at))
	case fastMAC:
		return putMACText(w, *(*uint64)(at))
	case fastNet:
		return putNet(w, *(*[]byte)(unsafe.Add(base, o.addr)), *(*uint32)(at))
	case fastEtype:
		return putName(w, etypeName(*(*uint32)(at)))
	case fastProto:
		return putProtocol(w, *(*uint32)(at))
	}
	return w
}
