package sequence

import "sync/atomic"

// settle says what the observations that are held mean. With keep the last ones
// stay, as what follows them is not known yet.
func (s *Stream) settle(t *Table, keep bool) {
	s.note()
	w := s.waiting
	hs := hypotheses[s.key.Kind]
	was := s.best
	hadProof := s.proven
	s.choose(t, hs)
	if !s.proven {
		if w.n == holdMax {
			s.giveUp(t)
		}
		return
	}
	hy := &hs[s.best]
	if !hadProof || was != s.best {
		s.expected = w.base[s.best]
		s.open = w.baseFlags&flagUncertain != 0 && hy.measure != byDatagram && hy.own == 0
	}
	n := w.n
	if keep {
		n -= lookAhead
	}
	newest := -1
	doubt := w.baseDoubt
	for i := 0; i < n; i++ {
		s.jumps -= min(s.jumps, 1)
		if s.place(t, hy, w, i, doubt) {
			newest = i
		}
		doubt = w.list[i].doubt()
	}
	if n == w.n {
		s.waiting = nil
		t.putWaiting(s.set, w)
		return
	}
	if newest >= 0 {
		s.rebase(hs, w, newest)
	}
	w.n = copy(w.list[:], w.list[n:w.n])
	w.quiet = 0
}

// rebase makes what followed observation i the base of the rest.
func (s *Stream) rebase(hs []hypothesis, w *waiting, i int) {
	w.based(hs, &w.list[i])
	w.base[s.best] = s.expected
}

// giveUp drops what is held: nothing explains it.
func (s *Stream) giveUp(t *Table) {
	t.putWaiting(s.set, s.waiting)
	s.waiting = nil
	s.mute = true
}

// place says what observation i means under the hypothesis in force. It reports
// whether it is the newest now. doubt is that of the one before.
func (s *Stream) place(t *Table, hy *hypothesis, w *waiting, i int, doubt uint32) bool {
	h := &w.list[i]
	if hy.own == 1 {
		doubt = h.doubt()
	}
	unsure := h.uncertain(hy)
	start := h.start(hy)
	if unsure && hy.own == 1 {
		// Where it begins is not known, only where it ends.
		if ahead := int32(h.sequence - s.expected); ahead >= 0 && s.plausible(h, uint32(ahead)) {
			s.advance(hy, h)
			return true
		}
		return false
	}
	ahead := int32(start - s.expected)
	switch {
	case ahead == 0:
		s.advance(hy, h)
		return true
	case s.wentBack(h) && !s.returns(hy, w, i):
		s.restart(t, hy, h)
		return true
	case ahead > 0 && s.plausible(h, uint32(ahead)):
		switch {
		case s.open: // the one before had more than could be counted
		case hy.measure != byDatagram && uint32(ahead) <= doubt && s.specialHits <= s.specialMisses:
			// Templates or options are counted in a way that is not known.
		default:
			s.miss(t, s.expected, uint32(ahead))
		}
		s.advance(hy, h)
		return true
	case ahead < 0 && uint32(-ahead) <= s.window():
		return s.late(t, hy, w, i)
	case s.returns(hy, w, i):
		s.strays++
		s.jumped()
		return false
	}
	s.restart(t, hy, h)
	s.jumped()
	return true
}

// jumped notes that the numbers went where they cannot have gone. Where that is
// the rule, as with two exporters behind one address, no habit is proven.
func (s *Stream) jumped() {
	if s.jumps += 8; s.jumps > 64 {
		s.jumps = 0
		s.proven = false
		s.hits, s.known = [maxHypotheses]uint32{}, [maxHypotheses]uint32{}
		s.fade(1)
	}
}

// late places one from before the newest.
func (s *Stream) late(t *Table, hy *hypothesis, w *waiting, i int) bool {
	h := &w.list[i]
	start, count := h.start(hy), uint32(h.count[hy.measure])
	if h.uncertain(hy) {
		if s.gaps != nil { // it fills of its gap what nobody knows
			s.lost -= int64(s.gaps.drop(start))
		}
		return false
	}
	if count == 0 {
		return false // it has no numbers of its own
	}
	if s.gaps != nil {
		if filled := s.gaps.fill(start, count); filled > 0 {
			s.lost -= int64(filled)
			s.reordered++
			s.tell(&s.set.reordered)
			return false
		}
	}
	if s.goesOn(hy, w, i) {
		s.restart(t, hy, h)
		return true
	}
	s.duplicates++
	s.tell(&s.set.duplicates)
	return false
}

// tell adds to a counter of the set what is not told by the datagrams of the same
// agent already.
func (s *Stream) tell(c *atomic.Uint64) {
	if s.key.Kind < FlowSample {
		c.Add(1)
	}
}

// goesOn says whether those after observation i follow it and not what was
// expected: the numbers have begun again.
func (s *Stream) goesOn(hy *hypothesis, w *waiting, i int) bool {
	end, run := w.list[i].end(hy), 0
	for j := i + 1; j < w.n && j <= i+lookAhead; j++ {
		h := &w.list[j]
		start := h.start(hy)
		if start == s.expected || start != end || h.uncertain(hy) {
			break
		}
		if s.gaps != nil && s.gaps.has(start) {
			return false
		}
		end = h.end(hy)
		run++
	}
	return run >= lookAhead-1
}

// returns says whether those after observation i go on where those before it
// ended: it alone is astray.
func (s *Stream) returns(hy *hypothesis, w *waiting, i int) bool {
	end := w.list[i].end(hy)
	for j := i + 1; j < w.n && j <= i+lookAhead; j++ {
		start := w.list[j].start(hy)
		if start == end {
			return false
		}
		if ahead := start - s.expected; ahead < s.window() && !s.wentBack(&w.list[j]) {
			return true
		}
	}
	return false
}

// plausible says whether the exporter can have sent so many units since the last
// one that is known.
func (s *Stream) plausible(h *held, ahead uint32) bool {
	if ahead <= smallJump || ahead <= s.window() {
		return true
	}
	seconds := uint64(h.atMs-s.lastMs)/1000 + 2
	rate := s.units/(uint64(s.lastMs)/1000+1) + 1
	most := 8 * rate * seconds
	if h.flags&flagUptime != 0 && h.uptimeMs > s.lastUp {
		most *= 8 // it has not been down
	}
	return uint64(ahead) <= most
}

// miss notes a gap.
func (s *Stream) miss(t *Table, start, n uint32) {
	s.lost += int64(n)
	if s.gaps == nil {
		if s.gaps = t.getGaps(s.set); s.gaps == nil {
			return
		}
	}
	s.gaps.add(start, n, s.expected-s.window())
}

// restart begins again with h.
func (s *Stream) restart(t *Table, hy *hypothesis, h *held) {
	s.dropGaps(t)
	s.restarts++
	s.tell(&s.set.restarts)
	s.fade(holdMax) // it may count otherwise now
	s.units += uint64(h.count[hy.measure])
	s.begin(hy, h)
}

// gaps are numbers that are missing and may still come: the newest ones.
type gaps struct {
	n    int
	list [maxGaps]gap
}

type gap struct{ start, n uint32 }

// add notes a gap, for which the oldest makes room, as do those that end before
// oldest.
func (g *gaps) add(start, n, oldest uint32) {
	first := 0
	for first < g.n && int32(g.list[first].start+g.list[first].n-oldest) < 0 {
		first++
	}
	if g.n-first == maxGaps {
		first++
	}
	g.n = copy(g.list[:], g.list[first:g.n])
	g.list[g.n] = gap{start, n}
	g.n++
}

// find returns the index of the gap that start is in, -1 for none.
func (g *gaps) find(start uint32) int {
	for i := g.n - 1; i >= 0; i-- {
		if start-g.list[i].start < g.list[i].n {
			return i
		}
	}
	return -1
}

func (g *gaps) has(start uint32) bool { return g.find(start) >= 0 }

// fill takes what came late out of its gap, and returns how much that was.
func (g *gaps) fill(start, n uint32) uint32 {
	i := g.find(start)
	if i < 0 {
		return 0
	}
	was := g.list[i]
	n = min(n, was.start+was.n-start)
	front, back := gap{was.start, start - was.start}, gap{start + n, was.start + was.n - start - n}
	switch {
	case front.n > 0 && back.n > 0:
		if g.n == maxGaps { // the oldest is not known one by one any more
			copy(g.list[:], g.list[1:i+1])
			g.list[i] = back
			if i > 0 {
				g.list[i-1] = front
			}
			break
		}
		copy(g.list[i+2:], g.list[i+1:g.n])
		g.list[i], g.list[i+1] = front, back
		g.n++
	case front.n > 0:
		g.list[i] = front
	case back.n > 0:
		g.list[i] = back
	default:
		g.n = i + copy(g.list[i:], g.list[i+1:g.n])
	}
	return n
}

// drop takes the rest of the gap that start is in away, and returns its length.
func (g *gaps) drop(start uint32) uint32 {
	i := g.find(start)
	if i < 0 {
		return 0
	}
	was := &g.list[i]
	rest := was.start + was.n - start
	if was.n -= rest; was.n == 0 {
		g.n = i + copy(g.list[i:], g.list[i+1:g.n])
	}
	return rest
}
