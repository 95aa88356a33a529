//go:build (amd64 || arm64) && !weirsafe

package producer

import "unsafe"

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
)

// fastColumn is a column: text, value, and what separates it from the next.
type fastColumn struct {
	kind   fastKind
	signs  uint8  // how many bytes of behind count
	behind uint16 // a quotation mark, if there is one, and the separator
	name   jsonSpan
	offset uintptr // of the value in a Flow
	addr   uintptr // of a prefix: its address
	custom *customField
	column *column
	shared int // number of the column among the slow ones that samples share, from 1
	need   int // bytes that this and all fast columns behind it take, up to a slow one
}

// fastMax bounds the value of a fast column.
const fastMax = 50

// compileFast makes the fast form of the program's columns.
func (p *Program) compileFast() {
	for n := range p.fast {
		f := &p.fast[n]
		shared := 0
		for i := range p.columns {
			c := &p.columns[i]
			f.add(c, notation(n), p.compat)
			if f.ops[i].kind == fastSlow && sharedBySamples(c.id) {
				shared++
				f.ops[i].shared = shared
			}
		}
		for i := len(f.ops) - 1; i >= 0; i-- {
			o := &f.ops[i]
			o.need = int(o.name.n) + fastMax + 2
			if i+1 < len(f.ops) && f.ops[i+1].kind != fastSlow {
				o.need += f.ops[i+1].need
			}
		}
		f.text = append(f.text, make([]byte, jsonSlack)...)
	}
}

func (f *fastColumns) add(c *column, n notation, compat bool) {
	o := fastColumn{column: c, signs: 1, behind: ','}
	name := c.json
	if n == notationText {
		o.behind, name = ' ', c.text
	}
	kind, quoted := o.fit(c, compat)
	o.kind = kind
	if quoted && n == notationJSON {
		name = append(append([]byte(nil), name...), '"')
		o.behind, o.signs = '"'|','<<8, 2
	}
	if o.kind != fastSlow {
		o.name = jsonSpan{uint32(len(f.text)), uint32(len(name))}
		f.text = append(f.text, name...)
	}
	f.ops = append(f.ops, o)
}

// fit finds the way to write a column, and says whether JSON quotes its value.
func (o *fastColumn) fit(c *column, compat bool) (kind fastKind, quoted bool) {
	var f Flow
	at := func(p unsafe.Pointer) uintptr { return uintptr(p) - uintptr(unsafe.Pointer(&f)) }
	switch {
	case c.id == fieldICMPName:
		return fastICMP, true
	case c.id == fieldCustom:
		o.custom = c.custom
		if c.custom.varint && !c.custom.array && !c.asked {
			return fastCustom, false
		}
		return fastSlow, false
	case c.kind == kindType && c.render == RenderNone:
		o.offset = at(unsafe.Pointer(&f.Type))
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

// sampleColumns makes the values of the columns that flow samples share and that
// take long to write.
func (c *fusedContext) sampleColumns(prog *Program, f *Flow, n notation) {
	c.shared, c.ends = c.shared[:0], c.ends[:0]
	for i := range prog.fast[n].ops {
		if o := &prog.fast[n].ops[i]; o.shared > 0 {
			c.shared, _ = prog.appendColumn(c.shared, f, o.column, n) // fields are always there
			c.ends = append(c.ends, uint32(len(c.shared)))
		}
	}
}

// appendFast is appendText by words, the same byte for byte. c has the values of
// the slow columns that all samples of the datagram share; nil for other flows.
func (p *Program) appendFast(b []byte, f *Flow, n notation, c *fusedContext) []byte {
	fast := &p.fast[n]
	if n == notationJSON {
		b = append(b, '{')
	}
	begin := len(b)
	for i := 0; i < len(fast.ops); {
		if fast.ops[i].kind == fastSlow {
			if o := &fast.ops[i]; c != nil && o.shared > 0 {
				b = p.appendShared(b, o, n, c)
			} else {
				b = p.appendSlow(b, f, o.column, n)
			}
			i++
			continue
		}
		need := fast.ops[i].need + jsonSlack
		if cap(b)-len(b) < need {
			b = grow(b, need)
		}
		from := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), len(b))
		w := from
		for ; i < len(fast.ops) && fast.ops[i].kind != fastSlow; i++ {
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

// appendShared appends a column whose value samples share.
func (p *Program) appendShared(b []byte, o *fastColumn, n notation, c *fusedContext) []byte {
	sep := byte(',')
	if n == notationJSON {
		b = append(b, o.column.json...)
	} else {
		b, sep = append(b, o.column.text...), ' '
	}
	return append(append(b, c.sharedColumn(o.shared)...), sep)
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

// write writes one column at w and returns its end.
func (c *fastColumns) write(o *fastColumn, f *Flow, w unsafe.Pointer) unsafe.Pointer {
	var value *customValue
	if o.kind == fastCustom {
		if value, _ = f.firstCustom(o.custom, 0); value == nil {
			return w
		}
	}
	w = putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(c.text)), o.name.pos), uintptr(o.name.n))
	at := unsafe.Add(unsafe.Pointer(f), o.offset)
	switch o.kind {
	case fastNumber32:
		if v := *(*uint32)(at); v < 256 {
			octet := &octets[v]
			*(*uint32)(w) = octet.text
			w = unsafe.Add(w, octet.n-1)
		} else {
			w = putNumber(w, uint64(v))
		}
	case fastNumber64:
		w = putNumber(w, *(*uint64)(at))
	case fastIP:
		w = putIP(w, *(*[]byte)(at))
	case fastMAC:
		w = putMACText(w, *(*uint64)(at))
	case fastNet:
		w = putNet(w, *(*[]byte)(unsafe.Add(unsafe.Pointer(f), o.addr)), *(*uint32)(at))
	case fastEtype:
		w = putName(w, etypeName(*(*uint32)(at)))
	case fastProto:
		w = putProtocol(w, *(*uint32)(at))
	case fastType:
		w = putName(w, typeName(*(*uint32)(at)))
	case fastICMP:
		w = putName(w, icmpTypeName(f.Proto, f.ICMPType))
	case fastCustom:
		w = putNumber(w, value.num)
	}
	*(*uint16)(w) = o.behind
	return unsafe.Add(w, o.signs)
}
