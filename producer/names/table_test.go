package names

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
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
	sum, owned := int64(len(table.heads))*8, int64(len(table.heads))*8
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

// TestFindWithoutLock: readers do not wait for a writer, and do not allocate; nor does what
// is known already.
func TestFindWithoutLock(t *testing.T) {
	table := NewTable(DefaultBytes)
	table.Learn(key(1, 0), VRF, 7, []byte("red"), 1)
	table.mu.Lock()
	defer table.mu.Unlock()
	name := []byte("red")
	if n := testing.AllocsPerRun(100, func() {
		k, none := *key(1, 0), *key(1, 1)
		if d := table.Find(&k); d == nil || string(d.Name(VRF, 7)) != "red" || table.Find(&none) != nil {
			t.Fatal("not found")
		}
		if !table.Learn(&k, VRF, 7, name, 2) || !table.Count(&k, NotSentFlows, 1, 2) {
			t.Fatal("not learned")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestChains: domains are found, and only those, while others come and go.
func TestChains(t *testing.T) {
	table := NewTable(64 << 10)
	r := rand.New(rand.NewPCG(1, 2))
	now, evicted := int64(0), 0
	for i := range 20_000 {
		now += staleNs / 20
		table.Learn(key(r.IntN(300), r.IntN(2)), Interface, 1, []byte("x"), now)
		if i%100 > 0 {
			continue
		}
		listed := map[Key]bool{}
		for at, d := range table.all {
			listed[d.key] = true
			if d.at != at || table.Find(&d.key) != d {
				t.Fatalf("domain %d of the list is not found", at)
			}
		}
		for exporter := range 300 {
			for domain := range 2 {
				k := key(exporter, domain)
				if (table.Find(k) != nil) != listed[*k] {
					t.Fatalf("%v is found: %v, listed: %v", k, table.Find(k) != nil, listed[*k])
				}
			}
		}
		if len(listed) < 600 {
			evicted++
		}
	}
	if evicted == 0 {
		t.Error("nothing was evicted")
	}
}

// TestReadWhileWriting is for the race detector: what stays is found at any moment.
func TestReadWhileWriting(t *testing.T) {
	table := NewTable(64 << 10)
	stays := key(9999, 0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	table.Learn(stays, VRF, 1, []byte("red"), 1<<62)
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if d := table.Find(stays); d == nil || string(d.Name(VRF, 1)) != "red" {
					t.Error("a domain that stays is not found")
					return
				}
				table.Find(key(3, 0))
			}
		})
	}
	for i := range 20_000 {
		table.Learn(key(i%400, i%2), Interface, 1, []byte("x"), int64(i)*staleNs/10)
	}
	close(done)
	wg.Wait()
}
