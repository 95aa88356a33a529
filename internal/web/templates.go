package web

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// templatesHandler lists all templates as JSON: by exporter, then by a number
// made of version, observation domain and template id, as goflow2 does. Where
// ports are a part of an exporter's identity, it is named with its port.
//
// ?limit=N is a page of N templates. If there are more, its last member is "next",
// the value of after for the next page.
//
// A request holds up to 2*keyChunk keys, however many domains there are. It takes no
// lock and keeps no template that the store releases.
type templatesHandler struct {
	store *producer.TemplateStore
	works *works
	each  func(func(*producer.TemplateDomain)) // walks the store
}

func newTemplatesHandler(s *producer.TemplateStore) *templatesHandler {
	return &templatesHandler{s, newWorks(listSlots, listQueue), s.Each}
}

// eachKey returns a function that calls f for the key of every domain of a walk.
func eachKey(each func(func(*producer.TemplateDomain))) func(f func(*template.Key)) {
	return func(f func(*template.Key)) {
		each(func(d *producer.TemplateDomain) {
			key := d.Key()
			f(&key)
		})
	}
}

// templatePlace is the place of a template in the order of the page.
type templatePlace struct {
	key template.Key
	id  uint16
}

// cursorLen is the number of bytes of a place in a cursor.
const cursorLen = 16 + 2 + 2 + 4 + 2

// cursor returns the place as a value of after.
func (p *templatePlace) cursor() string {
	b := append([]byte(nil), p.key.Exporter[:]...)
	b = binary.BigEndian.AppendUint16(b, p.key.Port)
	b = binary.BigEndian.AppendUint16(b, p.key.Version)
	b = binary.BigEndian.AppendUint32(b, p.key.Domain)
	return hex.EncodeToString(binary.BigEndian.AppendUint16(b, p.id))
}

// parsePlace reads a cursor, or an address, which stands for the last place of
// that exporter.
func parsePlace(text string) (p templatePlace, ok bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		p.key = template.Key{Exporter: addr.As16(), Port: 1<<16 - 1, Version: 1<<16 - 1, Domain: 1<<32 - 1}
		p.id = 1<<16 - 1
		return p, true
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != cursorLen {
		return p, false
	}
	copy(p.key.Exporter[:], b)
	p.key.Port = binary.BigEndian.Uint16(b[16:])
	p.key.Version = binary.BigEndian.Uint16(b[18:])
	p.key.Domain = binary.BigEndian.Uint32(b[20:])
	p.id = binary.BigEndian.Uint16(b[24:])
	return p, true
}

// ServeHTTP writes the page.
func (h *templatesHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want, err := newPaging(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	page := templatesPage{store: h.store, left: want.limit}
	if want.after != "" {
		var ok bool
		if page.after, ok = parsePlace(want.after); !ok {
			http.Error(w, `after: want the "next" of a page, or an address`, http.StatusBadRequest)
			return
		}
		page.resumed = true
	}
	w.Header().Set("Content-Type", "application/json")
	if headOnly(r) {
		return
	}
	k := h.works.enter(r.Context(), w)
	if k == nil {
		busy(w)
		return
	}
	defer k.leave()
	page.list = newList(k)
	page.write(newEntries((*template.Key).Compare, eachKey(h.each)))
}

// templatesPage is a page in the making.
type templatesPage struct {
	list    list
	store   *producer.TemplateStore
	left    int           // templates to write; negative for all
	after   templatePlace // the last place that was written, or passed
	resumed bool          // after is a place, not the zero value
	open    string        // the exporter whose object is open; "" for none
	members int           // of the page
	buf     []byte
}

// write writes the templates of the domains. It collects as many keys for a small
// page as for a large one, because domains may have no templates.
func (p *templatesPage) write(domains *entries[template.Key]) {
	p.list.string("{")
	if p.resumed {
		domains.seek(p.after.key)
	}
	for key := domains.next(); key != nil && p.domain(key); key = domains.next() {
	}
	if p.open != "" {
		p.list.string("\n  }")
	}
	p.list.string("\n}\n")
	p.list.end()
}

// domain writes the templates of a domain that come after p.after. It reports
// false when the page is full.
func (p *templatesPage) domain(key *template.Key) bool {
	var ids []uint16
	if d := p.store.Find(key); d != nil {
		for _, t := range d.Templates() {
			if !p.resumed || p.after.key != *key || t.ID > p.after.id {
				ids = append(ids, t.ID)
			}
		}
	}
	for _, id := range ids {
		// Looked up each time: while the client reads, the store may let it go.
		d := p.store.Find(key)
		if d == nil {
			break
		}
		t := d.Template(id)
		if t == nil {
			continue
		}
		if p.left == 0 {
			p.next()
			return false
		}
		p.template(key, t)
		p.after, p.resumed = templatePlace{*key, id}, true
		p.left--
	}
	p.after, p.resumed = templatePlace{*key, 1<<16 - 1}, true
	return true
}

// next ends a page that is not the last.
func (p *templatesPage) next() {
	if !p.resumed {
		return // limit=0: there is no place yet
	}
	if p.open != "" {
		p.list.string("\n  }")
		p.open = ""
	}
	if p.members > 0 {
		p.list.string(",")
	}
	p.list.string("\n  \"next\": \"" + p.after.cursor() + "\"")
}

// template writes a template, and before it the exporter if it is another one.
func (p *templatesPage) template(key *template.Key, t *producer.Template) {
	b := p.buf[:0]
	if name := exporterName(key); name == p.open {
		b = append(b, ',')
	} else {
		if p.open != "" {
			b = append(b, "\n  }"...)
		}
		if p.members > 0 {
			b = append(b, ',')
		}
		p.members++
		p.open = name
		b = append(append(append(b, "\n  \""...), name...), "\": {"...) // an address: nothing to escape
	}
	number := uint64(t.Version)<<48 | uint64(key.Domain)<<16 | uint64(t.ID)
	b = append(strconv.AppendUint(append(b, "\n    \""...), number, 10), "\": "...)
	p.buf = appendTemplate(b, key, t)
	p.list.text(p.buf)
}

// exporterName is an exporter's address, with its port where that counts.
func exporterName(key *template.Key) string {
	addr := netip.AddrFrom16(key.Exporter).Unmap()
	if key.Port != 0 {
		return netip.AddrPortFrom(addr, key.Port).String()
	}
	return addr.String()
}

// object appends the members of a JSON object, one a line.
type object struct {
	b      []byte
	indent string
	n      int
}

func (o *object) name(name string) {
	if o.n++; o.n > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(append(append(o.b, '\n'), o.indent...), '"'), name...), "\": "...)
}

func (o *object) number(name string, v uint64) {
	o.name(name)
	o.b = strconv.AppendUint(o.b, v, 10)
}

func (o *object) time(name string, ns int64) {
	o.name(name)
	o.b = append(o.b, '"')
	o.b = time.Unix(0, ns).UTC().AppendFormat(o.b, time.RFC3339Nano)
	o.b = append(o.b, '"')
}

// fields appends the fields for which keep returns true as a list, unless there
// are none.
func (o *object) fields(name string, t *producer.Template, keep func(*template.Field) bool) {
	n := 0
	for i := range t.Fields {
		f := &t.Fields[i]
		if !keep(f) {
			continue
		}
		if n++; n == 1 {
			o.name(name)
			o.b = append(o.b, '[')
		} else {
			o.b = append(o.b, ',')
		}
		o.b = append(append(o.b, '\n'), o.indent...)
		o.b = append(o.b, `  {"pen-provided": `...)
		o.b = strconv.AppendBool(o.b, f.PEN != 0)
		o.b = strconv.AppendUint(append(o.b, `, "type": `...), uint64(f.ID), 10)
		o.b = strconv.AppendUint(append(o.b, `, "length": `...), uint64(f.Length), 10)
		o.b = strconv.AppendUint(append(o.b, `, "pen": `...), uint64(f.PEN), 10)
		o.b = append(o.b, '}')
	}
	if n > 0 {
		o.b = append(append(append(o.b, '\n'), o.indent...), ']')
	}
}

// appendTemplate appends a template as JSON: goflow2's members in the order of its
// kinds of templates, and after them those of weir.
func appendTemplate(b []byte, key *template.Key, t *producer.Template) []byte {
	o := object{b: append(b, '{'), indent: "      "}
	fields, scopes := len(t.Fields), 0
	for i := range t.Fields {
		if t.Fields[i].Scope {
			scopes++
		}
	}
	o.number("template-id", uint64(t.ID))
	switch {
	case !t.Options:
		o.number("field-count", uint64(fields))
		o.fields("fields", t, func(*template.Field) bool { return true })
	case t.Version == template.V9:
		o.number("scope-length", uint64(4*scopes))
		o.number("option-length", uint64(4*(fields-scopes)))
	default:
		o.number("field-count", uint64(fields))
		o.number("scope-field-count", uint64(scopes))
	}
	if t.Options {
		o.fields("scopes", t, func(f *template.Field) bool { return f.Scope })
		o.fields("options", t, func(f *template.Field) bool { return !f.Scope })
	}
	o.number("version", uint64(t.Version))
	o.number("observation-domain-id", uint64(key.Domain))
	o.number("source-port", uint64(t.Port()))
	o.time("last-seen", t.LastSeenNs())
	if ns := t.LastUsedNs(); ns != 0 {
		o.time("last-used", ns)
	} else {
		o.name("last-used")
		o.b = append(o.b, "null"...)
	}
	o.number("records", t.Records())
	return append(o.b, "\n    }"...)
}
