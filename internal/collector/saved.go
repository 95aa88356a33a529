package collector

import (
	"net/netip"
	"slices"

	"github.com/weirflow/weir/decoders/sequence"
)

// SavedExporter is what is worth knowing about an exporter after a restart.
type SavedExporter struct {
	Addr netip.Addr
	// When it was seen, and when it sent records, first and last, in Unix
	// nanoseconds; 0 for never.
	FirstSeenNs, LastSeenNs, FirstUseNs, LastUseNs int64
	// Silent says that it had ended, as far as the log said.
	Silent bool
}

// established says whether it sent records for so long that forged sources rarely do.
func (s *SavedExporter) established() bool { return s.LastUseNs-s.FirstUseNs >= established }

// SortSaved puts those first that have sent records for minutes, in the order in which
// they are otherwise: the first that are restored have metrics of their own.
func SortSaved(list []SavedExporter) {
	slices.SortStableFunc(list, func(a, b SavedExporter) int {
		switch {
		case a.established() == b.established():
			return 0
		case a.established():
			return -1
		}
		return 1
	})
}

// Restore puts the exporters of before the restart into the table that have sent records
// for minutes: what is forged at the start takes no place of theirs. Workers do not run
// yet. A nil table takes nothing.
func (n *Goflow2Names) Restore(t *Exporters) {
	if n == nil {
		return
	}
	t.Saved(func(s *SavedExporter) {
		if s.established() {
			n.take(s.Addr)
		}
	})
}

// Saved calls f for each exporter that was reported: one of which something could
// be used. f is called with no lock held.
func (t *Exporters) Saved(f func(*SavedExporter)) {
	const piece = 1024
	list := make([]SavedExporter, 0, piece)
	for from := 0; ; from += piece {
		list = list[:0]
		t.mu.RLock()
		if from >= len(t.slots) {
			t.mu.RUnlock()
			return
		}
		for _, e := range t.slots[from:min(from+piece, len(t.slots))] {
			if e != nil && e.announced {
				list = append(list, SavedExporter{e.addr, e.firstSeen, e.lastSeen.Load(), e.usefulFirst, e.usefulLast, e.silent})
			}
		}
		t.mu.RUnlock()
		for i := range list {
			f(&list[i])
		}
	}
}

// SavedChanges returns a number that changes when there is one exporter more, or
// one is silent or back.
func (t *Exporters) SavedChanges() uint64 {
	return t.watch.fresh.Load() + t.watch.silent.Load() + t.watch.returned.Load()
}

// Restore adds an exporter of before the restart, which is no longer reported as
// new. It reports false where there is no room. Workers do not run yet.
func (t *Exporters) Restore(s *SavedExporter) bool {
	t.mu.RLock()
	full := len(t.all) >= t.limit
	t.mu.RUnlock()
	if full {
		return false
	}
	e := t.Get(s.Addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	e.lastSeen.Store(s.LastSeenNs)
	e.firstSeen, e.usefulFirst, e.usefulLast = s.FirstSeenNs, s.FirstUseNs, s.LastUseNs
	e.announced, e.silent, e.silentSeen = true, s.Silent, s.LastSeenNs
	return true
}

// SavedStreams calls f for each stream of sequence numbers that has proven itself. f is
// called with no lock held, and v is valid during the call.
func (t *Exporters) SavedStreams(f func(exporter netip.Addr, v *sequence.Saved)) {
	t.mu.RLock()
	list := slices.Clone(t.slots)
	t.mu.RUnlock()
	for _, e := range list {
		if e != nil {
			e.streams.Saved(func(v *sequence.Saved) { f(e.addr, v) })
		}
	}
}

// RestoreStream adds a stream of before the restart to an exporter, which may be too young
// to be among those that were saved. It reports false where there is no room. Workers do
// not run yet.
func (t *Exporters) RestoreStream(exporter netip.Addr, v *sequence.Saved, gap sequence.Gap) bool {
	t.mu.RLock()
	e, full := t.all[exporter], len(t.all) >= t.limit
	t.mu.RUnlock()
	if e == nil && full {
		return false
	}
	return t.Get(exporter).streams.Restore(t.table, v, gap)
}

// StreamKey returns the number by which agents of sFlow are hashed, and SetStreamKey sets
// it, before streams are restored.
func (t *Exporters) StreamKey() uint64       { return t.table.Key() }
func (t *Exporters) SetStreamKey(key uint64) { t.table.SetKey(key) }
