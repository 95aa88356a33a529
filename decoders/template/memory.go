package template

// What things take, in bytes. That of the compiled part is a bound that holds for
// the producers of this module.
const (
	domainCost  = 512
	slotCost    = 16  // of a slot of a domain's table
	ownCost     = 320 // of a template, without its record
	walkCost    = 12  // of a field that is in its list of bytes
	contentCost = 704 // of what is compiled, without its fields
	fieldCost   = 96  // of a field, with what is compiled of it
	// domainShare is the part of the whole that one domain may have: the
	// reciprocal.
	domainShare = 8
)

// sharedPart is what templates have in common that were compiled to the same.
type sharedPart struct {
	templates int
	bytes     int64
}

// alone returns the memory that is a template's alone.
func (t *Template[C]) alone() int64 { return ownCost + int64(len(t.raw)) + walkCost*int64(len(t.walk)) }

// content returns the memory that it shares with those that were compiled to
// the same.
func (t *Template[C]) content() int64 { return contentCost + fieldCost*int64(len(t.Fields)) }

// cost returns the memory of a template that shares nothing.
func (t *Template[C]) cost() int64 { return t.alone() + t.content() }

// price returns what a template will add to the store's memory. The store is
// locked.
func (s *Store[C]) price(t *Template[C]) int64 {
	if s.shared[t.Compiled] != nil {
		return t.alone()
	}
	return t.cost()
}

// hold adds a template to the store's memory. The store is locked.
func (s *Store[C]) hold(t *Template[C]) {
	s.totals.Bytes += t.alone()
	if t.uncompiled() {
		s.totals.Bytes += t.content()
		return
	}
	p := s.shared[t.Compiled]
	if p == nil {
		p = &sharedPart{bytes: t.content()}
		s.shared[t.Compiled] = p
		s.totals.Bytes += p.bytes
	}
	p.templates++
}

// letGo takes it away again. Readers may hold it still. The store is locked.
func (s *Store[C]) letGo(t *Template[C]) {
	before := s.totals.Bytes
	defer func() { s.released.Add(uint64(before - s.totals.Bytes)) }()
	s.totals.Bytes -= t.alone()
	if t.uncompiled() {
		s.totals.Bytes -= t.content()
		return
	}
	p := s.shared[t.Compiled]
	if p.templates--; p.templates == 0 {
		s.totals.Bytes -= p.bytes
		delete(s.shared, t.Compiled)
	}
}

// uncompiled tells whether the compile function made nothing of the template.
func (t *Template[C]) uncompiled() bool {
	var none C
	return t.Compiled == none
}
