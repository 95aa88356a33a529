package producer

import "github.com/weirflow/weir/decoders/template"

// Released is what became of a data set that waited for its template. It is
// valid only while the function that it is given to runs.
type Released struct {
	// Meta is that of the set's own datagram.
	Meta Meta
	// Key and Sequence are those of its message. The key has the source port.
	Key      template.Key
	Sequence uint32
	Protocol Protocol
	// Records were produced.
	Records int
	// DataRecords were read: those of options data too.
	DataRecords int
	// Expired: the template did not come.
	Expired bool
	// Decoded and Failed say that the datagram, which was held so far, was
	// counted as such now.
	Decoded, Failed bool
}

// waitKey returns the key by which a set of the message waits.
func (p *Producer) waitKey(m *message, id uint16) waitKey {
	k := waitKey{m.key, id}
	if p.store.PortPolicy() == template.PortsOff {
		k.key.Port = 0
	}
	return k
}

// hold keeps a set of the current datagram until its template is known, or, for
// one that is known, until those that came before it are decoded. It reports
// false where there is no room.
func (p *Producer) hold(m *message, t *Template, id uint16, body []byte) bool {
	h := &p.held
	if h.room == nil || len(body) == 0 {
		return false
	}
	k := p.waitKey(m, id)
	w := h.lists[k]
	if !h.room.reserve(&k, &w, len(body)) {
		p.Counters.Held.Overflow++
		return false
	}
	c, kept := h.store(body)
	if c == nil {
		h.room.unreserve(&k, len(body))
		p.Counters.Held.Overflow++
		return false
	}
	if p.current == none {
		p.current = h.newDatagram()
		h.grams[p.current] = heldDatagram{}
	}
	if t != nil {
		h.bind(k, t) // they came before it
	}
	i := h.newSet()
	h.slab[i] = heldSet{key: k, message: *m, body: kept, chunk: c, template: t, datagram: p.current}
	h.append(i)
	h.grams[p.current].sets++
	p.Counters.Held.Kept++
	p.Counters.Held.Sets++
	p.Counters.Held.Bytes += uint64(len(body))
	return true
}

// holdDatagram notes what the current datagram, of which sets wait, came to so
// far.
func (p *Producer) holdDatagram(res *Result) {
	g := &p.held.grams[p.current]
	g.meta, g.source, g.protocol = p.meta, p.source, res.Protocol
	g.first, g.small = p.first, p.small
	g.ended = p.useful > 0
	res.Held = !g.ended
	res.Decoded = g.ended
}

// learn binds the sets that wait for the template, which was added, to it, so
// that no redefinition can come between. The store says so to the others.
func (p *Producer) learn(m *message, domain *TemplateDomain, id uint16) {
	h := &p.held
	if h.sets == 0 {
		return
	}
	if t := domain.Template(id); t != nil {
		h.bind(p.waitKey(m, id), t)
	}
}

// bind binds the sets of a key that are not bound to a template. Each is bound
// once.
func (h *held) bind(k waitKey, t *Template) {
	w, ok := h.lists[k]
	if !ok || w.unbound == none {
		return
	}
	for i := w.unbound; i != none; i = h.slab[i].nextOfKey {
		h.slab[i].template = t
	}
	w.unbound = none
	h.lists[k] = w
}

// Holds says whether data waits for its template: Release and Expire have to be
// called from time to time, and the former before any further wait for
// datagrams.
func (p *Producer) Holds() bool { return p.held.sets > 0 }

// look finds the waiting sets whose template has become known, whichever
// worker learned it.
func (p *Producer) look() {
	h := &p.held
	if p.store.Added() != h.seen {
		before, all := h.seen, false
		h.seen, all = p.store.AddedSince(before, func(k template.Key, id uint16) { h.makeReady(waitKey{k, id}) })
		if all {
			h.again = true
			h.budget = min(h.budget+looksPerAddition*int(min(h.seen-before, looksAtOnce)), looksAtOnce)
		}
	}
	p.search()
}

const (
	// looksEach is how many sets are looked at in a call of Release where templates
	// were added that are not known one by one, looksPerAddition how many for each
	// of those, and looksAtOnce how many in a call at most.
	looksEach, looksPerAddition, looksAtOnce = 256, 16, 8192
)

// search goes on looking at all sets for those whose template is known, a few at a
// time. What is added meanwhile has it begin again at its end.
func (p *Producer) search() {
	h := &p.held
	if h.cursor == none && h.again {
		h.again, h.cursor = false, h.oldest
	}
	if h.cursor == none {
		return
	}
	left := looksEach + h.budget
	for h.budget = 0; left > 0 && h.cursor != none; left-- {
		s := &h.slab[h.cursor]
		if h.lists[s.key].first == h.cursor {
			if d := p.store.Lookup(&s.message.key); d != nil && d.Template(s.key.id) != nil {
				h.makeReady(s.key)
			}
		}
		h.cursor = s.next
	}
	h.budget = left - min(left, looksEach)
}

func (h *held) makeReady(k waitKey) {
	if w, ok := h.lists[k]; ok && !w.ready {
		w.ready = true
		h.lists[k] = w
		h.ready = append(h.ready, k)
	}
}

// maxReleases is how many sets one call of Release decodes.
const maxReleases = 4096

// Release decodes the sets that wait for a template that is known by now, in the
// order in which they came, with the header and receive time of their own
// datagrams. It appends their records to batch until that has size bytes. done,
// which may be nil, is called after each set. It reports whether there is more
// to do.
func (p *Producer) Release(batch *Batch, size int, done func(*Released)) (more bool) {
	h := &p.held
	if h.sets == 0 {
		return false
	}
	defer h.compact()
	p.look()
	left := maxReleases
	for ; len(h.ready) > 0; h.ready = h.ready[1:] {
		k := h.ready[0]
		w, ok := h.lists[k]
		if !ok {
			continue
		}
		for i := w.first; i != none; left-- {
			if left == 0 || len(batch.Buf) >= size {
				return true
			}
			next := h.slab[i].nextOfKey
			if !p.release(i, batch, done) {
				break // it was withdrawn again, and those that follow wait for the next
			}
			i = next
		}
		if w, ok = h.lists[k]; ok {
			w.ready = false
			h.lists[k] = w
		}
	}
	return false
}

// release decodes one set and reports whether its template is known.
func (p *Producer) release(i int32, batch *Batch, done func(*Released)) bool {
	s := &p.held.slab[i]
	g := &p.held.grams[s.datagram]
	domain := p.store.Lookup(&s.message.key)
	t := s.template
	if t == nil && domain != nil {
		t = domain.Template(s.key.id)
	}
	if t == nil {
		return false
	}
	if domain == nil { // evicted since
		if domain = p.store.Domain(&s.message.key, g.meta.ReceivedNs); domain == nil {
			return false
		}
	}
	m := s.message
	m.records = 0
	records := len(batch.Ends)
	p.start(&g.meta, g.source, batch)
	p.first, p.small = g.first, g.small
	p.knownSet(&m, domain, t, p.dataPlan(t), s.body)
	p.batch = nil
	g.small = p.small
	if records == 0 && len(batch.Ends) > 0 {
		batch.FirstNs = g.meta.ReceivedNs
	}
	g.first = p.first
	p.held.released = Released{Records: len(batch.Ends) - records, DataRecords: m.records}
	p.Counters.Records[g.protocol] += uint64(p.held.released.Records)
	p.encodedRest(p.held.released.Records)
	p.Counters.Held.Released++
	p.end(i, p.useful > 0 || p.first == ReasonNone, done)
	return true
}

// end takes a set, the first of its key, out, and counts its datagram where that is
// decided by it.
func (p *Producer) end(i int32, useful bool, done func(*Released)) {
	h := &p.held
	r := &h.released
	s := &h.slab[i]
	at := s.datagram
	g := &h.grams[at]
	r.Meta, r.Key, r.Sequence, r.Protocol = g.meta, s.message.key, s.message.sequence, g.protocol
	p.Counters.Held.Sets--
	p.Counters.Held.Bytes -= uint64(len(s.body))
	h.remove(i)
	g.sets--
	switch {
	case g.ended:
	case useful:
		g.ended, r.Decoded = true, true
		p.Counters.Held.Datagrams--
		p.Counters.Decoded[g.first]++
	case g.sets == 0:
		r.Failed = true
		p.Counters.Held.Datagrams--
		p.Counters.Failed[g.first]++
	}
	if g.sets == 0 {
		h.gslots = append(h.gslots, at)
		if len(h.gslots) == len(h.grams) && len(h.grams) > keepSlots {
			h.grams, h.gslots = nil, nil
		}
	}
	if done != nil {
		done(r)
	}
}

// askEvery is how often waiting data asks what others of its address have announced, in
// nanoseconds, and asksAtOnce how many sets are looked at for it.
const askEvery, asksAtOnce = 50e6, 1024

// takeOver has waiting sets use the templates of other ports of their address, where the
// store lets them.
func (p *Producer) takeOver(nowNs int64) {
	h := &p.held
	if since := nowNs - h.askedNs; p.store.PortPolicy() != template.PortsAuto || since > -askEvery && since < askEvery {
		return
	}
	h.askedNs = nowNs
	if h.asks == none {
		h.asks = h.oldest
	}
	for left := asksAtOnce; left > 0 && h.asks != none; left-- {
		s := &h.slab[h.asks]
		if w := h.lists[s.key]; w.first == h.asks && !w.ready && p.store.TakeOver(&s.key.key, s.key.id, nowNs) {
			h.makeReady(s.key)
		}
		h.asks = s.next
	}
}

// Expire gives up the sets that have waited for too long at nowNs (Unix
// nanoseconds). done, which may be nil, is called after each. Release has to follow: it
// decodes the sets that may now use what other ports of their address have announced.
func (p *Producer) Expire(nowNs int64, done func(*Released)) {
	h := &p.held
	defer h.compact()
	p.takeOver(nowNs)
	for h.oldest != none {
		// A clock that was set back must not hold them for ever.
		age := nowNs - h.grams[h.slab[h.oldest].datagram].meta.ReceivedNs
		if limit := h.room.limits.AgeNs; age < limit && age > -limit {
			return
		}
		p.expire(done)
	}
}

// Abandon gives up all sets that wait: no more datagrams will come.
func (p *Producer) Abandon(done func(*Released)) {
	for p.held.oldest != none {
		p.expire(done)
	}
}

// expire gives up the oldest set, which is the first of its key too.
func (p *Producer) expire(done func(*Released)) {
	h := &p.held
	g := &h.grams[h.slab[h.oldest].datagram]
	p.start(&g.meta, g.source, nil)
	p.first = g.first
	p.fault(ReasonTemplateMissing)
	g.first = p.first
	p.Counters.SetsWithoutTemplate++
	p.Counters.Held.Expired++
	h.released = Released{Expired: true}
	p.end(h.oldest, false, done)
}
