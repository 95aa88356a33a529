package producer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A column is one field of a textual message.
type column struct {
	id     fieldID
	custom *customField
	render Renderer
	asked  bool // the mapping asks for a renderer
	kind   fieldKind
	json   []byte // `"name":`
	text   []byte // `name=`
}

// columns compiles formatter.fields, rename and render.
func (c *compiler) columns() {
	m, p := c.mapping, c.program
	names := m.Fields
	if len(names) == 0 {
		names = FieldNames()
	}
	p.plain = len(m.Fields) == 0 && !p.compat
	titles := map[string]int{}
	rename, render := c.renames(), c.renderers()
	for i, name := range names {
		path := fmt.Sprintf("formatter.fields[%d]", i)
		col, ok := c.column(name)
		if !ok {
			c.fault(path, name, "unknown field", c.names(true))
			continue
		}
		title := name
		if to, ok := rename[c.canonical(name)]; ok {
			title, p.plain = to, false
		}
		if c.enriched && (title == "src_country" || title == "dst_country") {
			c.fault(path, name, fmt.Sprintf("field is called %q, as one is that enrichment adds", title), "each name once")
		}
		if first, twice := titles[title]; twice {
			c.fault(path, name, fmt.Sprintf("field is called %q, as entry %d is", title, first+1), "each name once")
			continue
		}
		titles[title] = i
		if r, ok := render[c.canonical(name)]; ok {
			col.render, col.asked, p.plain = r, true, false
		}
		col.name(title)
		p.columns = append(p.columns, col)
	}
}

// column resolves a field that may be written.
func (c *compiler) column(name string) (column, bool) {
	if f := c.customByName(name); f != nil {
		return column{id: fieldCustom, custom: f}, true
	}
	if name == icmpName {
		return column{id: fieldICMPName}, true
	}
	id, ok := fieldByName(name)
	if !ok {
		return column{}, false
	}
	return newColumn(id, name), true
}

// newColumn returns the column of a field in the form that it has without a mapping.
func newColumn(id fieldID, title string) column {
	c := column{id: id, kind: fieldTable[id].kind, render: defaultRenderer(id)}
	c.name(title)
	return c
}

// title returns what stands before the value.
func (c *column) title(n notation) []byte {
	if n == notationText {
		return c.text
	}
	return c.json
}

// name sets what stands before the value.
func (c *column) name(title string) {
	c.json = append(appendJSONString(nil, []byte(title)), ':')
	c.text = append(appendTextString(nil, []byte(title)), '=')
}

// canonical returns the one name of a field that has two.
func (c *compiler) canonical(name string) string {
	if c.customByName(name) == nil {
		if id, ok := fieldByName(name); ok {
			return fieldTable[id].name
		}
	}
	return name
}

func (c *compiler) renames() map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.mapping.Rename)) {
		path, to := "formatter.rename."+name, c.mapping.Rename[name]
		if _, ok := c.column(name); !ok {
			c.fault(path, name, "unknown field", c.names(true))
		}
		if to == "" {
			c.fault(path, to, "empty name", "the name to write")
		}
		out[c.canonical(name)] = to
	}
	return out
}

func (c *compiler) renderers() map[string]Renderer {
	out := map[string]Renderer{}
	for _, name := range slices.Sorted(maps.Keys(c.mapping.Render)) {
		path, r := "formatter.render."+name, c.mapping.Render[name]
		col, ok := c.column(name)
		switch {
		case !ok:
			c.fault(path, name, "unknown field", c.names(true))
		case col.id == fieldICMPName:
			c.fault(path, rendererNames[r], icmpName+" is made of other fields and has one form only", "no such key")
		case r == RenderNetwork && col.id != fieldSrcNet && col.id != fieldDstNet:
			c.fault(path, rendererNames[r], "network is the form of src_net and dst_net", "another renderer")
		}
		out[c.canonical(name)] = r
	}
	return out
}

// appendText appends a flow in the notation, with the columns of the program.
func (p *Program) appendText(b []byte, f *Flow, n notation) []byte {
	end, sep := byte('}'), byte(',')
	if n == notationJSON {
		b = append(b, '{')
	} else {
		sep = ' '
	}
	begin := len(b)
	for i := range p.columns {
		c := &p.columns[i]
		at := len(b)
		if n == notationJSON {
			b = append(b, c.json...)
		} else {
			b = append(b, c.text...)
		}
		var there bool
		if b, there = p.appendColumn(b, f, c, n); !there {
			b = b[:at]
			continue
		}
		b = append(b, sep)
	}
	if len(b) > begin {
		b = b[:len(b)-1]
	}
	if n == notationJSON {
		b = append(b, end)
	}
	return b
}

// appendColumn appends a field's value. It reports false for one that the flow
// does not have, of the added ones.
func (p *Program) appendColumn(b []byte, f *Flow, c *column, n notation) ([]byte, bool) {
	if isExtra(c.id) && !f.has(c.id) {
		return b, false
	}
	switch c.id {
	case fieldCustom:
		return p.appendCustomColumn(b, f, c, n)
	case fieldICMPName:
		return n.quoted(b, icmpTypeName(f.Proto, f.ICMPType)), true
	case fieldSrcNet, fieldDstNet:
		if c.render == RenderNetwork {
			addr, bits := f.SrcAddr, f.SrcNet
			if c.id == fieldDstNet {
				addr, bits = f.DstAddr, f.DstNet
			}
			return n.network(b, addr, bits, p.compat), true
		}
	}
	switch c.kind {
	case kindUint32:
		return n.number(b, uint64(*f.u32(c.id)), false, c.render), true
	case kindUint64:
		return n.number(b, *f.u64(c.id), true, c.render), true
	case kindBytes:
		return n.bytes(b, *f.bytes(c.id), c.render), true
	case kindUints, kindLayers:
		b = append(b, '[')
		for i, v := range *f.uints(c.id) {
			if i > 0 {
				b = append(b, ',')
			}
			if c.kind == kindLayers {
				b = n.enum(b, layerName(v), c.render)
			} else {
				b = n.number(b, uint64(v), false, c.render)
			}
		}
		return append(b, ']'), true
	case kindBytesList:
		b = append(b, '[')
		if c.id != fieldRoutingAddresses {
			for i, v := range *f.byteLists(c.id) {
				if i > 0 {
					b = append(b, ',')
				}
				b = n.bytes(b, v, c.render)
			}
			return append(b, ']'), true
		}
		for a := f.RoutingAddresses; len(a) >= 16; a = a[16:] {
			if len(a) != len(f.RoutingAddresses) {
				b = append(b, ',')
			}
			b = n.bytes(b, a[:16], c.render)
		}
		return append(b, ']'), true
	default: // kindType
		return n.enum(b, typeName(f.Type), c.render), true
	}
}

// enum appends the name of a value of an enumeration.
func (n notation) enum(b []byte, name string, r Renderer) []byte {
	if r == RenderEtype || r == RenderProto {
		name = "unknown"
	}
	return n.quoted(b, name)
}

// appendCustomColumn appends the values of an added field.
func (p *Program) appendCustomColumn(b []byte, f *Flow, c *column, n notation) ([]byte, bool) {
	v, at := f.firstCustom(c.custom, 0)
	switch {
	case v == nil && !c.asked:
		return b, false
	case c.custom.array:
		b = append(b, '[')
		for first := true; v != nil; v, at = f.firstCustom(c.custom, at+1) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = n.custom(b, v, c.render)
		}
		return append(b, ']'), true
	case v != nil:
		return n.custom(b, v, c.render), true
	case c.render == RenderEtype || c.render == RenderProto || c.render == RenderType:
		return n.quoted(b, "unknown"), true
	}
	return b, false
}

// custom appends one value of an added field.
func (n notation) custom(b []byte, v *customValue, r Renderer) []byte {
	if v.field.varint {
		return n.number(b, v.num, true, r)
	}
	return n.bytes(b, v.bytes, r)
}

// appendDecimal appends a number as fmt prints it.
func appendDecimal(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }
