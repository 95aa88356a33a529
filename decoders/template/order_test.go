package template

import "testing"

func (q *queue[any]) len() int {
	n := 0
	for d := q.first; d != nil; d = d.place.next {
		n++
	}
	return n
}

// TestMovesAreBounded: after the store filled with domains that are used by now, no
// more than maxMoves of them are moved while the store is locked. Then least finds all
// where they belong.
func TestMovesAreBounded(t *testing.T) {
	const all = 10 * maxMoves
	s := NewStore[any](DefaultLimits(), nil)
	for i := range all {
		key := Key{Version: IPFIX, Exporter: [16]byte{byte(i), byte(i >> 8)}}
		d := s.Domain(&key, 1)
		tpl := putOne(t, d, 256, 1)
		d.Used(tpl, 1, 2*second)
		d.Used(tpl, 1, 2*second+established)
	}
	s.limits.Domains = all // full from here on
	s.order.tidy(maxMoves)
	if left := s.order.queues[0].len(); left != all-maxMoves {
		t.Fatalf("%d domains are left where they do not belong, want %d", left, all-maxMoves)
	}
	if d := s.Domain(&Key{Version: IPFIX, Domain: all}, 3*second+established); d != nil {
		t.Error("a domain in use made room")
	}
	if left := s.order.queues[0].len(); left != 0 || s.order.queues[1+inUseStanding].len() != all {
		t.Errorf("%d domains are left where they do not belong", left)
	}
}

// TestKeptPlace: what must not make room for its own templates is still the first to
// make room for others.
func TestKeptPlace(t *testing.T) {
	s := NewStore[any](DefaultLimits(), nil)
	var domains []*Domain[any]
	for i := range 3 {
		domains = append(domains, s.Domain(&Key{Version: IPFIX, Domain: uint32(i)}, 1))
	}
	for _, keep := range domains[:2] {
		want := domains[0]
		if keep == want {
			want = domains[1]
		}
		if got := s.order.least(1, keep, 0, nil); got != want {
			t.Errorf("without %d: %d makes room, want %d", keep.key.Domain, got.key.Domain, want.key.Domain)
		}
		if got := s.order.least(1, nil, 0, nil); got != domains[0] {
			t.Errorf("after %d was kept: %d makes room, want 0", keep.key.Domain, got.key.Domain)
		}
	}
}

// TestDroppedTemplatesAreApart: who remembers a template of a domain that is gone keeps
// no other one.
func TestDroppedTemplatesAreApart(t *testing.T) {
	s := NewStore[any](DefaultLimits(), nil)
	d := s.Domain(&Key{Version: IPFIX}, 1)
	var all []*Template[any]
	for id := range uint16(3) {
		all = append(all, putOne(t, d, 256+id, 1))
	}
	s.mu.Lock()
	s.drop(d)
	s.mu.Unlock()
	for _, tpl := range all {
		if tpl.prev != nil || tpl.next != nil {
			t.Errorf("template %d leads to others", tpl.ID)
		}
	}
}

// putOne announces a template of one field.
func putOne(t *testing.T, d *Domain[any], id, port uint16) *Template[any] {
	t.Helper()
	var defs Definitions
	defs.Init([]byte{byte(id >> 8), byte(id), 0, 1, 0, 8, 0, 4}, IPFIX, false)
	if more, ok := defs.Next(); !more || !ok {
		t.Fatal(defs.Fault)
	}
	if change, fault := d.Put(&defs.Def, port, 1); change != Added {
		t.Fatal(change, fault)
	}
	return d.Template(id)
}
