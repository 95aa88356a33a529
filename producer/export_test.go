package producer

import "github.com/weirflow/weir/decoders/template"

// Waiting is a data set that waits for its template, for tests.
type Waiting struct {
	Meta     Meta
	Key      template.Key
	Sequence uint32
	ExportNs uint64
	UptimeMs uint32
	ID       uint16
	Body     []byte
	// Template is what it is bound to, nil if that is not known.
	Template *template.Template
}

// WaitingSets returns the data sets that wait, by the address of their first byte,
// which is another for each of them.
func (p *Producer) WaitingSets() map[*byte]Waiting {
	all := map[*byte]Waiting{}
	for i := p.held.oldest; i != none; i = p.held.slab[i].next {
		s := &p.held.slab[i]
		g := &p.held.grams[s.datagram]
		all[&s.body[0]] = Waiting{
			Meta: g.meta, Key: g.message.key, Sequence: g.message.sequence, ExportNs: g.message.exportNs, UptimeMs: g.message.uptimeMs,
			ID: s.key.id, Body: s.body, Template: s.template,
		}
	}
	return all
}
