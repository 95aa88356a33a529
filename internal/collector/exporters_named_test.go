package collector

import (
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
)

// TestNamed: forged sources that came first do not keep exporters that send for minutes
// from having metrics of their own, and no sum decreases when these get them.
func TestNamed(t *testing.T) {
	const named, forged = 8, 100
	table := NewExporterTable(ExportersConfig{Named: named})
	now := time.Unix(1e9, 0)
	send := func(i int) {
		e := table.Get(numberedAddr(i))
		e.datagrams.Add(1)
		e.records.Add(1)
		e.lastSeen.Store(now.UnixNano())
	}
	for i := range forged {
		send(i)
	}
	others := uint64(0)
	step := func(exporters int) (have map[int]uint64) {
		t.Helper()
		for i := range exporters {
			send(forged + i)
		}
		now = now.Add(time.Second)
		table.Sweep(now, sequence.Network)
		first, other := table.Stats(named)
		sum := other.Datagrams
		have = map[int]uint64{}
		for _, s := range first {
			sum += s.Datagrams
			for i := range exporters {
				if s.Addr == numberedAddr(forged+i) {
					have[i] = s.Datagrams
				}
			}
		}
		all := uint64(0)
		table.mu.RLock()
		for i, e := range table.slots {
			all += e.datagrams.Load()
			if e.slot != i {
				t.Fatalf("slot %d says that it is %d", i, e.slot)
			}
		}
		table.mu.RUnlock()
		if want := all + table.Others().Datagrams; sum != want || other.Datagrams < others {
			t.Fatalf("%d datagrams, want %d; others %d after %d", sum, want, other.Datagrams, others)
		}
		others = other.Datagrams
		return have
	}
	for range 60 {
		if have := step(3); len(have) > 0 {
			t.Fatalf("named at once: %v", have)
		}
	}
	var have map[int]uint64
	for range 90 {
		have = step(3)
	}
	if len(have) != 3 {
		t.Fatalf("%v of 3 exporters have names", have)
	}
	// One counts from zero when it gets its name, and goes on.
	for i, n := range have {
		if n == 0 || n >= 60 {
			t.Errorf("exporter %d: %d datagrams", i, n)
		}
		if rate, _ := table.Get(numberedAddr(forged + i)).rates(now.UnixNano()); rate < 0.5 || rate > 1.5 {
			t.Errorf("exporter %d: %v datagrams a second, want 1", i, rate)
		}
	}
	// All that send for minutes share the names, and none takes another's.
	for range 300 {
		have = step(20)
	}
	before := have
	if len(before) != named {
		t.Fatalf("%d exporters have names, want %d", len(before), named)
	}
	for range 10 {
		have = step(20)
		for i := range before {
			if _, ok := have[i]; !ok {
				t.Fatalf("exporter %d lost its name", i)
			}
		}
	}
}

// TestNamedAfterRestart: those that sent for minutes are restored before forged ones, and
// have their names before anyone sends.
func TestNamedAfterRestart(t *testing.T) {
	minutes := established
	var list []SavedExporter
	for i := range 20 {
		list = append(list, SavedExporter{Addr: numberedAddr(i), FirstSeenNs: 1, LastSeenNs: 2, FirstUseNs: 1, LastUseNs: 2})
	}
	list = append(list, SavedExporter{Addr: numberedAddr(30), FirstSeenNs: 1, LastSeenNs: 2, FirstUseNs: 1, LastUseNs: 1 + minutes})
	list = append(list, SavedExporter{Addr: numberedAddr(31), FirstSeenNs: 1, LastSeenNs: 2, FirstUseNs: 1, LastUseNs: 1 + minutes})
	SortSaved(list)
	table, names := NewExporterTable(ExportersConfig{}), NewGoflow2Names(3)
	for i := range list {
		table.Restore(&list[i])
	}
	names.Restore(table)
	first, _ := table.Stats(3)
	for i, want := range []int{30, 31, 0} {
		if first[i].Addr != numberedAddr(want) {
			t.Errorf("exporter %d is %v, want %v", i, first[i].Addr, numberedAddr(want))
		}
		if has := names.Has(numberedAddr(want)); has != (want >= 30) {
			t.Errorf("%v has a name: %v", numberedAddr(want), has)
		}
	}
	(*Goflow2Names)(nil).Restore(table)
}
