package producer

import "github.com/weirflow/weir/decoders/template"

// Waiting is a data set that waits for its template, for tests.
type Waiting struct {
	Meta     Meta
	Key      template.Key
	Sequence uint32
	ExportNs uint64
	UptimeMs uint32
	Count    uint16 // of the header of v9
	ID       uint16
	Body     []byte
	// Template is what it is bound to, nil if that is not known.
	Template *Template
}

// WaitingSets returns the data sets that wait, by the address of their first byte,
// which is another for each of them.
func (p *Producer) WaitingSets() map[*byte]Waiting {
	all := map[*byte]Waiting{}
	for i := p.held.oldest; i != none; i = p.held.slab[i].next {
		s := &p.held.slab[i]
		g := &p.held.grams[s.datagram]
		all[&s.body[0]] = Waiting{
			Meta: g.meta, Key: s.message.key, Sequence: s.message.sequence, ExportNs: s.message.exportNs, UptimeMs: s.message.uptimeMs, Count: uint16(s.message.count),
			ID: s.key.id, Body: s.body, Template: s.template,
		}
	}
	return all
}

// Builds says whether assembly is used here, and whether this build writes JSON, text
// and samples without a Flow.
func Builds() (assembly, fused bool) { return fastBits, fusedJSON && fusedSamples }
