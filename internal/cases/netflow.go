package cases

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirflow/weir/decoders/elements"
)

// templateField is a field of a template.
type templateField struct {
	element elements.Element
	length  uint16 // variable: 65535
	scope   bool
}

const variable = 0xffff

// sets is a message of NetFlow version 9 or IPFIX.
type sets struct {
	v9                       bool
	domain, time, uptime, no uint32
	count                    uint32   // of the header of v9; 0: that of the records
	behind                   uint32   // not 0: in the datagram before
	all                      [][]byte // sets without header
	ids                      []uint16
	records                  int
	open                     uint16 // the data set that records are added to
}

// begin begins the datagram of a line.
func begin(words []string) (message, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("%s of which domain or agent?", words[0])
	}
	options, err := pairs(words[2:])
	if err != nil {
		return nil, err
	}
	if words[0] == "sflow" {
		return beginSFlow(words[1], options)
	}
	m := &sets{v9: words[0] == "v9", time: 1_700_000_000, uptime: 60_000, no: 1}
	err = numbers(map[string]string{"domain": words[1]}, map[string]*uint32{"domain": &m.domain})
	if err != nil {
		return nil, err
	}
	return m, numbers(options, map[string]*uint32{"time": &m.time, "uptime": &m.uptime, "sequence": &m.no, "count": &m.count, "behind": &m.behind})
}

// numbers reads the values of options.
func numbers(options map[string]string, into map[string]*uint32) error {
	for name, value := range options {
		to := into[name]
		n, err := strconv.ParseUint(value, 0, 32)
		if to == nil || err != nil {
			return fmt.Errorf("option %s=%s is not known, or no number", name, value)
		}
		*to = uint32(n)
	}
	return nil
}

func (m *sets) add(p *parser, words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("%s of which id?", words[0])
	}
	n, err := strconv.ParseUint(words[1], 0, 16)
	if err != nil {
		return err
	}
	id, key := uint16(n), fmt.Sprint(m.v9, m.domain, n)
	switch words[0] {
	case "template", "options":
		fields, err := m.fields(words[2:], words[0] == "options")
		if err != nil {
			return err
		}
		p.templates[key], p.templates[fmt.Sprint(p.source, key)] = fields, fields
		m.template(id, fields, words[0] == "options")
		return nil
	case "data":
		fields := p.templates[fmt.Sprint(p.source, key)]
		if fields == nil { // the exporter had another port
			fields = p.templates[key]
		}
		return m.data(id, fields, words[2:])
	case "set":
		b, err := unhex(words[2:])
		m.append(id, b)
		m.open = 0
		return err
	}
	return fmt.Errorf("%s in a message of NetFlow or IPFIX", words[0])
}

func (m *sets) append(id uint16, body []byte) {
	m.ids, m.all = append(m.ids, id), append(m.all, body)
	m.records++
}

// scopes are those of NetFlow version 9: RFC 3954 section 6.1.
var scopes = map[string]uint16{"system": 1, "interface": 2, "lineCard": 3, "cache": 4, "template": 5}

// fields reads the fields of a template, those in front of ":" as scopes.
func (m *sets) fields(words []string, options bool) (fields []templateField, err error) {
	scope := options
	for _, w := range words {
		if w == ":" {
			scope = false
			continue
		}
		at := strings.LastIndexByte(w, '/')
		if at < 0 {
			return nil, fmt.Errorf("%q has no length", w)
		}
		f := templateField{length: variable, scope: scope}
		if w[at+1:] != "v" {
			n, err := strconv.ParseUint(w[at+1:], 0, 16)
			if err != nil {
				return nil, err
			}
			f.length = uint16(n)
		}
		if id := scopes[w[:at]]; id != 0 && scope && m.v9 {
			f.element = elements.Element{ID: id, Type: elements.Unsigned64}
		} else if f.element, err = elements.Parse(w[:at], m.v9); err != nil {
			return nil, fmt.Errorf("element %q: %w", w[:at], err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// template adds a set with one template.
func (m *sets) template(id uint16, fields []templateField, options bool) {
	be := binary.BigEndian
	scopes := 0
	for _, f := range fields {
		if f.scope {
			scopes++
		}
	}
	b := be.AppendUint16(nil, id)
	set := uint16(2)
	switch {
	case options && m.v9:
		set = 1
		b = be.AppendUint16(be.AppendUint16(b, uint16(4*scopes)), uint16(4*(len(fields)-scopes)))
	case options:
		set = 3
		b = be.AppendUint16(be.AppendUint16(b, uint16(len(fields))), uint16(scopes))
	case m.v9:
		set = 0
		b = be.AppendUint16(b, uint16(len(fields)))
	default:
		b = be.AppendUint16(b, uint16(len(fields)))
	}
	for _, f := range fields {
		id := f.element.ID
		if f.element.PEN != 0 {
			id |= 0x8000
		}
		b = be.AppendUint16(be.AppendUint16(b, id), f.length)
		if f.element.PEN != 0 {
			b = be.AppendUint32(b, f.element.PEN)
		}
	}
	m.append(set, b)
	m.open = 0
}

// data adds a record, to the set of the record before if that has the id.
func (m *sets) data(id uint16, fields []templateField, values []string) error {
	if len(values) != len(fields) {
		return fmt.Errorf("%d values for the %d fields of template %d", len(values), len(fields), id)
	}
	var rec []byte
	for i, f := range fields {
		v, err := encode(f, values[i])
		if err != nil {
			return fmt.Errorf("value %q of %v: %w", values[i], &f.element, err)
		}
		if f.length == variable {
			rec = append(rec, byte(len(v)))
		}
		rec = append(rec, v...)
	}
	if m.open == id {
		m.all[len(m.all)-1] = append(m.all[len(m.all)-1], rec...)
		m.records++
		return nil
	}
	m.append(id, rec)
	m.open = id
	return nil
}

func (m *sets) bytes() []byte {
	be := binary.BigEndian
	var body []byte
	for i, set := range m.all {
		if m.v9 {
			for len(set)%4 != 0 {
				set = append(set, 0)
			}
		}
		body = be.AppendUint16(be.AppendUint16(body, m.ids[i]), uint16(4+len(set)))
		body = append(body, set...)
	}
	if m.v9 {
		if m.count == 0 {
			m.count = uint32(m.records)
		}
		b := be.AppendUint16(be.AppendUint16(nil, 9), uint16(m.count))
		for _, n := range []uint32{m.uptime, m.time, m.no, m.domain} {
			b = be.AppendUint32(b, n)
		}
		return append(b, body...)
	}
	b := be.AppendUint16(be.AppendUint16(nil, 10), uint16(16+len(body)))
	for _, n := range []uint32{m.time, m.no, m.domain} {
		b = be.AppendUint32(b, n)
	}
	return append(b, body...)
}

// unhex reads hexadecimal digits, in as many words as one likes.
func unhex(words []string) ([]byte, error) { return hex.DecodeString(strings.Join(words, "")) }
