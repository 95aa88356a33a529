package names

import (
	"fmt"
	"strings"
	"testing"
)

func key(exporter, domain int) *Key {
	return &Key{Exporter: [16]byte{14: byte(exporter >> 8), 15: byte(exporter)}, Domain: uint32(domain), Version: 9}
}

// TestNames: names are found by exporter, domain, kind and id, and replaced in place.
func TestNames(t *testing.T) {
	table := NewTable(DefaultBytes)
	for id := range uint64(1000) {
		table.Learn(key(1, 0), Interface, id<<40|id, fmt.Appendf(nil, "if%d", id), 1)
	}
	table.Learn(key(1, 0), VRF, 7, []byte("red"), 1)
	table.Learn(key(1, 0), VRF, 7, []byte("blue"), 1)
	table.Learn(key(1, 0), VRF, 8, nil, 1)
	before := table.Changes()
	table.Learn(key(1, 0), VRF, 7, []byte("blue"), 2)
	if table.Changes() != before {
		t.Error("the same name again is a change")
	}
	d := table.Find(key(1, 0))
	for id := range uint64(1000) {
		if got, want := string(d.Name(Interface, id<<40|id)), fmt.Sprintf("if%d", id); got != want {
			t.Fatalf("interface %d: %q, want %q", id, got, want)
		}
	}
	if got := d.Names(VRF); len(got) != 1 || got[0] != (Entry{7, "blue"}) || table.Len(VRF) != 1 || table.Len(Interface) != 1000 {
		t.Errorf("VRFs %v, %d, %d", got, table.Len(VRF), table.Len(Interface))
	}
	if table.Find(key(1, 1)) != nil || table.Find(key(2, 0)) != nil || d.Name(Application, 7) != nil {
		t.Error("names of another domain, exporter or kind")
	}
	table.Learn(key(1, 0), Sampler, 1, []byte(strings.Repeat("x", 300)), 2)
	if n := len(d.Name(Sampler, 1)); n != MaxName {
		t.Errorf("a name of %d bytes", n)
	}
}

// TestRoom: one address takes no more than its share, later ones find room, and what was
// not announced for an hour makes room.
func TestRoom(t *testing.T) {
	table := NewTable(1 << 20)
	fill := func(exporter int, now int64) (n int) {
		for id := range uint64(5000) {
			if table.Learn(key(exporter, int(id%8)), Interface, id, []byte("interface"), now) {
				n++
			}
		}
		return n
	}
	first := fill(1, 0)
	if first == 5000 || table.Refused() == 0 {
		t.Fatalf("%d names of one address", first)
	}
	for exporter := 2; exporter < 200; exporter++ {
		fill(exporter, 0)
	}
	if table.used > table.limit {
		t.Errorf("%d bytes used", table.used)
	}
	if n := fill(300, staleNs); n < 100 {
		t.Errorf("%d names of a new address after an hour, want 100", n)
	}
	sum, owned := int64(0), int64(0)
	for _, d := range table.all {
		sum += d.charged
	}
	for _, n := range table.owned {
		owned += n
	}
	if sum != table.used || owned != table.used {
		t.Errorf("%d bytes used, of domains %d, of addresses %d", table.used, sum, owned)
	}
	total := 0
	table.Each(func(d *Domain) { total += d.Len(Interface) })
	if total != table.Len(Interface) {
		t.Errorf("%d names, counted %d", total, table.Len(Interface))
	}
}

// TestCounters: what an exporter never said is not there.
func TestCounters(t *testing.T) {
	table := NewTable(DefaultBytes)
	c, ok := CounterOf(166)
	table.Count(key(1, 0), c, 0, 1)
	d := table.Find(key(1, 0))
	if n, said := d.Counter(NotSentFlows); !ok || n != 0 || !said {
		t.Errorf("%d, %v", n, said)
	}
	if _, said := d.Counter(ExportedFlows); said {
		t.Error("a counter that was not said")
	}
	if _, ok := CounterOf(1); ok {
		t.Error("element 1 is a counter")
	}
}
