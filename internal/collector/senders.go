package collector

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

// sender is what a worker knows about a source address.
type sender struct {
	*Exporter
	next *atomic.Int64 // the exporter's, or its own where the exporter is shared
	// askAgain is when to look for an entry of its own, in Unix ns; 0 if it has one.
	askAgain int64
	goflow2  *Goflow2Exporter

	source netip.Addr
	at     int // in senders.list
}

// senders is a worker's table of the source addresses that it has met, which
// anyone can forge. It belongs to the worker.
//
// A look-up costs O(1). So does a new entry: it looks at sweepEach others, and
// forgets those whose exporter was evicted, so that their memory is a third of
// that of the exporters in the table at most. Where exporters share an entry the
// table may still fill up. The table is then cleared. The cost is amortized over the
// insertions that filled it, and active senders are inserted again with their next
// datagram.
type senders struct {
	limit int
	all   map[netip.Addr]*sender
	list  []*sender        // the same, in no order
	hand  int              // which of list is looked at next
	met   [metSize]meeting // those that sent last, by metSlot
}

const (
	// A worker finds metSize of its senders without a look into its table.
	metBits = 10
	metSize = 1 << metBits
	// sweepEach is how many senders are looked at for each new one.
	sweepEach = 4
	// askAgain is after how long a sender for which the exporter table had no room
	// is looked for again.
	askAgain = 10 * time.Second
)

// meeting is an address and what is known about it; nil is nobody.
type meeting struct {
	addr netip.Addr
	s    *sender
}

func newSenders(exporters int) senders {
	return senders{limit: exporters + exporters/4 + 1024, all: map[netip.Addr]*sender{}}
}

// metSlot returns where to look for an address (Fibonacci hashing).
func metSlot(addr netip.Addr) uint64 {
	b := addr.As16()
	bits := binary.BigEndian.Uint64(b[:8]) ^ binary.BigEndian.Uint64(b[8:])
	return bits * 0x9e3779b97f4a7c15 >> (64 - metBits)
}

// add puts a sender into the table, in the place of the one with its address.
func (t *senders) add(s *sender) {
	if len(t.list) >= t.limit {
		t.clear()
	}
	if old := t.all[s.source]; old != nil {
		t.remove(old)
	}
	for range min(sweepEach, len(t.list)) {
		if t.hand++; t.hand >= len(t.list) {
			t.hand = 0
		}
		if old := t.list[t.hand]; old.gone.Load() {
			t.remove(old)
		}
	}
	s.at = len(t.list)
	t.list = append(t.list, s)
	t.all[s.source] = s
}

// clear takes all senders out of the table.
func (t *senders) clear() {
	clear(t.all)
	clear(t.met[:])
	clear(t.list)
	t.list = t.list[:0]
}

// remove takes a sender out of the table.
func (t *senders) remove(s *sender) {
	delete(t.all, s.source)
	if m := &t.met[metSlot(s.source)]; m.s == s {
		*m = meeting{}
	}
	last := len(t.list) - 1
	t.list[s.at] = t.list[last]
	t.list[s.at].at = s.at
	t.list[last] = nil
	t.list = t.list[:last]
}

// sender returns what is known about a source address, nil for one that may not
// send. The worker keeps those that it has met in a table of its own.
func (w *Worker) sender(addr netip.Addr) *sender {
	m := &w.senders.met[metSlot(addr)]
	if m.s == nil || m.addr != addr || m.s.askAgain != 0 {
		s := w.look(addr)
		if s == nil {
			return nil
		}
		*m = meeting{addr, s}
	}
	return m.s
}

// look does it by the table, and puts there who is new.
func (w *Worker) look(addr netip.Addr) *sender {
	s, ok := w.senders.all[addr]
	if ok && s.askAgain != 0 && w.polledAt.UnixNano() > s.askAgain {
		ok = false
	}
	if !ok {
		if !w.admission.allowed(addr) {
			return nil
		}
		e := w.parts.Exporters.Get(addr)
		before := s
		s = &sender{Exporter: e, next: &e.next, source: addr}
		if e.addr != addr {
			s.next = new(atomic.Int64)
			if before != nil {
				s.next = before.next
			}
			s.askAgain = w.polledAt.Add(askAgain).UnixNano()
		}
		s.goflow2 = w.goflow2.exporter(e.addr)
		w.senders.add(s)
	}
	return s
}

// keep forgets a sender whose exporter has made room for another. What was
// counted after it did is handed on.
func (w *Worker) keep(s *sender) {
	if s.gone.Load() {
		w.parts.Exporters.settle(s.Exporter)
		if w.senders.all[s.source] == s {
			w.senders.remove(s)
		}
	}
}
