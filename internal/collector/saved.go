package collector

import "net/netip"

// SavedExporter is what is worth to be known of an exporter after a restart.
type SavedExporter struct {
	Addr netip.Addr
	// When it was seen, and when it sent records, first and last, in Unix
	// nanoseconds; 0 for never.
	FirstSeenNs, LastSeenNs, FirstUseNs, LastUseNs int64
	// Silent says that it had ended, as far as the log said.
	Silent bool
}

// Saved calls f for each exporter that was told of: one of which something could
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

// Restore adds an exporter of before the restart, which is told of no more as
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
