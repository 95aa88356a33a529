package producer

import (
	"encoding/binary"
	"strconv"

	ie "github.com/weirflow/weir/decoders/elements"
	"github.com/weirflow/weir/decoders/template"
)

// list appends a list of RFC 6313, down to maxListDepth. It reports false for
// one that does not have the form of its kind.
func (w *rawWriter) list(kind ie.Type, v []byte) bool {
	if len(v) < 1 || w.depth >= maxListDepth {
		return false
	}
	w.depth++
	defer func() { w.depth-- }()
	w.b = append(w.b, '{')
	w.comma = false
	w.semantic(v[0])
	ok := false
	switch kind {
	case ie.BasicList:
		ok = w.basicList(v[1:])
	case ie.SubTemplateList:
		ok = w.subTemplateList(v[1:])
	case ie.SubTemplateMultiList:
		ok = w.subTemplateMultiList(v[1:])
	}
	w.close('}')
	return ok
}

// semantic appends what a list says about its elements: RFC 6313 section 4.4.
func (w *rawWriter) semantic(c byte) {
	names := [...]string{"noneOf", "exactlyOneOf", "oneOrMoreOf", "allOf", "ordered"}
	name := "undefined"
	if int(c) < len(names) {
		name = names[c]
	} else if c != 255 {
		name = strconv.Itoa(int(c))
	}
	w.string("semantic", []byte(name))
}

// basicList appends a list of values of one element: RFC 6313 section 4.5.1.
func (w *rawWriter) basicList(v []byte) bool {
	if len(v) < 4 {
		return false
	}
	f := template.Field{ID: binary.BigEndian.Uint16(v), Length: binary.BigEndian.Uint16(v[2:])}
	v = v[4:]
	if f.ID&0x8000 != 0 {
		if len(v) < 4 {
			return false
		}
		f.ID, f.PEN, v = f.ID&0x7fff, binary.BigEndian.Uint32(v), v[4:]
	}
	w.truth("pen-provided", f.PEN != 0)
	w.number("type", uint64(f.ID))
	w.number("pen", uint64(f.PEN))
	e, known := ie.Lookup(f.PEN, f.ID)
	if known {
		w.string("name", []byte(e.Name))
	}
	w.open("values", '[')
	for len(v) > 0 && f.Length > 0 {
		off, n := template.FieldSpan(&f, v, 0)
		if n < 0 {
			return false
		}
		w.next()
		at := len(w.b)
		if !known || !w.value(e.Type, v[off:off+n]) {
			w.b = w.b[:at]
			w.bytes(v[off : off+n])
		}
		w.comma = true
		v = v[off+n:]
	}
	w.close(']')
	return true
}

// subTemplateList appends a list of records of one template: RFC 6313 section
// 4.5.2.
func (w *rawWriter) subTemplateList(v []byte) bool {
	if len(v) < 2 {
		return false
	}
	w.subRecords(binary.BigEndian.Uint16(v), v[2:])
	return true
}

// subTemplateMultiList appends lists of records of several templates: RFC 6313
// section 4.5.3.
func (w *rawWriter) subTemplateMultiList(v []byte) bool {
	w.open("entries", '[')
	for len(v) >= 4 {
		id, size := binary.BigEndian.Uint16(v), int(binary.BigEndian.Uint16(v[2:]))
		if size < 4 || size > len(v) {
			return false
		}
		w.open("", '{')
		w.subRecords(id, v[4:size])
		w.close('}')
		v = v[size:]
	}
	w.close(']')
	return len(v) == 0
}

// subRecords appends the records of a template, as bytes if it is not known.
func (w *rawWriter) subRecords(id uint16, body []byte) {
	w.number("template-id", uint64(id))
	var t *Template
	if w.domain != nil {
		t = w.domain.Template(id)
	}
	if t == nil {
		w.base64("records", body)
		return
	}
	w.records(t, body)
}

// records appends the records of a set, or of a list, and returns their number.
func (w *rawWriter) records(t *Template, body []byte) (n uint64, fault template.Fault) {
	var recs template.Records[compiled]
	recs.Init(body, t)
	w.open("records", '[')
	for recs.Next() {
		w.open("", '{')
		if t.Options {
			pos := w.rawValues("scope-values", t, recs.Record, true, 0)
			w.rawValues("option-values", t, recs.Record, false, pos)
		} else {
			w.rawValues("values", t, recs.Record, false, 0)
		}
		w.close('}')
		n++
	}
	w.close(']')
	return n, recs.Fault
}
