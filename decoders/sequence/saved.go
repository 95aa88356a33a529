package sequence

// Saved is what a stream needs in order to continue in another process.
type Saved struct {
	Key Key
	// CountsBy is the name of the hypothesis in force, which has proven itself.
	CountsBy string
	// Next is the number after the highest seen. Open: at least that, as a count was
	// not known.
	Next uint32
	Open bool
	// FirstNs and LastNs are receive times of the stream in Unix nanoseconds.
	FirstNs, LastNs int64
	// Units were seen in order; Average is of a datagram, times 16.
	Units   uint64
	Average uint32
	Rate    uint32 // sampling rate named last
	// UptimeMs and AtMs are the exporter's uptime and the receive time since FirstNs of
	// the last datagram in order.
	UptimeMs, AtMs uint32
	// Last is the last datagram: its number, uptime and receive time, flags, and counts
	// by measure.
	Last SavedDatagram
}

// SavedDatagram is a datagram of [Saved].
type SavedDatagram struct {
	Sequence, UptimeMs, AtMs uint32
	Flags                    uint8
	Count                    [numMeasures]uint16
}

// Saved calls f with each stream of the set of which a hypothesis has proven itself, in no
// order. v is valid during the call.
func (s *Set) Saved(f func(v *Saved)) {
	x := s.index.Load()
	if x == nil {
		return
	}
	var v Saved
	for i := range x.slots {
		st := x.slots[i].Load()
		if st == nil || st == tombstone {
			continue
		}
		st.lock()
		known := st.begun && st.proven && !st.gone
		if known {
			st.save(&v)
		}
		st.unlock()
		if known {
			f(&v)
		}
	}
}

func (s *Stream) save(v *Saved) {
	*v = Saved{
		Key: s.key, CountsBy: hypotheses[s.key.Kind][s.best].name, Next: s.expected, Open: s.open,
		FirstNs: s.firstNs, LastNs: s.lastNs, Units: s.units, Average: s.average, Rate: s.rate,
		UptimeMs: s.lastUp, AtMs: s.lastMs,
		Last: SavedDatagram{s.last.sequence, s.last.uptimeMs, s.last.atMs, s.last.flags, s.last.count},
	}
}

// Gap says what a gap between the number that was saved and the first one after the
// restart means.
type Gap uint8

// Gaps.
const (
	// GapUnknown: the saved number is older than what the last process received. The
	// first number is taken as it comes.
	GapUnknown Gap = iota
	// GapOrdinary: nothing is known to be lost over the restart. A gap is a loss like any
	// other.
	GapOrdinary
	// GapHere: nobody received for a while. A gap is a loss of the place [Restart].
	GapHere
)

// Restore adds a stream of another process, before the first datagram of the set. It
// reports false if there is no such kind or hypothesis, or no room.
func (s *Set) Restore(t *Table, v *Saved, gap Gap) bool {
	if int(v.Key.Kind) >= NumKinds {
		return false
	}
	best := -1
	for i := range hypotheses[v.Key.Kind] {
		if hypotheses[v.Key.Kind][i].name == v.CountsBy {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	st := t.add(s, v.Key, v.LastNs)
	if st == nil {
		return false
	}
	defer st.unlock()
	st.best, st.proven = uint8(best), true
	st.hits[best], st.known[best] = 1<<(2*proof)-1, 1<<(2*proof)-1
	st.rate = v.Rate
	if gap == GapUnknown {
		return true
	}
	st.begun, st.over = true, gap == GapHere
	st.expected, st.open = v.Next, v.Open
	st.firstNs, st.lastNs = v.FirstNs, v.LastNs
	st.units, st.average = v.Units, v.Average
	st.lastUp, st.lastMs = v.UptimeMs, v.AtMs
	st.last = held{v.Last.Sequence, v.Last.UptimeMs, v.Last.AtMs, v.Last.Count, v.Last.Flags}
	return true
}

// Key returns the number by which agents are hashed. It is the same in all processes that
// restore streams of sFlow agents: see [Table.SetKey].
func (t *Table) Key() uint64 { return t.key }

// SetKey sets that number, before the first observation.
func (t *Table) SetKey(key uint64) { t.key = key }

// overNs is how long after its first datagram a stream is missing what was lost over the
// restart.
const overNs = int64(5 * 1e9)

// overRestart returns where a loss of the stream was, given where others are.
func (s *Stream) overRestart(place Place, nowNs int64) Place {
	if !s.over {
		return place
	}
	if s.observations > 0 && s.overNs == 0 {
		s.overNs = nowNs
	}
	if s.overNs != 0 && nowNs-s.overNs > overNs {
		s.over = false
		return place
	}
	return Restart
}
