package sequence

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

const (
	// Window is how many datagrams a late one may be behind the newest.
	Window = 1024
	// quiet is how many numbers in a row must be as expected before those that
	// were not are settled.
	quiet = 8
	// holdMax is how many observations are held at most.
	holdMax = 32
	// lookAhead is how many observations after it the settling of one may ask.
	lookAhead = 4
	// proof is how many numbers a hypothesis must have predicted at least.
	proof = 4
	// sampled is how many numbers that are as expected are scored once.
	sampled = 8
	// memory is how many pairs a hypothesis is judged by at most.
	memory = 2048
	// maxWaiting is how many streams may have observations waiting at a time, and
	// maxGapLists how many have their gaps known one by one.
	maxWaiting  = 1 << 15
	maxGapLists = 1 << 16
	// crowdShare is the part of either that the streams of one set may have while half
	// of them or more are in use: the reciprocal.
	crowdShare = 64
	// maxGaps is how many gaps of a stream are known one by one.
	maxGaps = 64
	// uptimeSlack is how far back, in ms, uptime may go without a restart.
	uptimeSlack = 5000
	// smallJump is a gap that is plausible at any rate.
	smallJump = 1 << 16
)

// A Stream is one sequence of numbers. Its fields but the key belong to whoever
// has won own: a worker with a datagram for it, or Sweep. It is held for the
// time of an observation, so that those who find it taken spin.
//
// What a number that is as expected needs is in the first two cache lines.
type Stream struct {
	own      atomic.Uint32
	expected uint32 // the number after the highest seen, under best

	key     Key
	waiting *waiting // observations held
	lastNs  int64

	gone   bool  // evicted
	begun  bool  // there was an observation
	open   bool  // expected is where the next begins at least: a count was not known
	proven bool  // best has proven itself
	mute   bool  // none has for so long that nothing is held until one does
	best   uint8 // index of the hypothesis in force
	jumps  uint8 // numbers that went astray lately, times 8
	run    uint8 // numbers that best predicted and that hits and known do not have yet

	observations uint64

	last    held
	firstNs int64
	skewNs  int64
	units   uint64 // seen in order, under best
	average uint32 // units a datagram, times 16
	rate    uint32 // sampling rate seen last
	lastUp  uint32 // uptime of the last one in order
	lastMs  uint32 // time of the last one in order, since firstNs

	// Pairs of neighbours: whether each hypothesis predicted the second, and
	// whether that could be known, the last 32; and how many it did not.
	hits   [maxHypotheses]uint32
	known  [maxHypotheses]uint32
	misses [maxHypotheses]uint16
	scored uint16 // pairs that misses is of

	specialHits, specialMisses uint8 // of the hypothesis in force, after templates and options

	gaps *gaps // numbers that are missing
	set  *Set
	slot int // in the table's list; guarded by the table's lock

	// lost are the units that are missing now; reported what Sweep made of
	// them, by the rule that it was missing two rounds in a row.
	lost, lastLost, reported                int64
	reordered, duplicates, restarts, strays uint64

	over   bool  // what is missing was lost over a restart
	overNs int64 // when that was first seen to have a datagram; written by Sweep

	clockOff bool // the set counts it; written by Sweep

	_ [8]byte // a whole number of cache lines
}

// waiting holds observations that are not settled.
type waiting struct {
	n     int
	quiet int
	// base is what was expected before the first, under each hypothesis, and
	// baseDoubt and baseFlags those of the observation before.
	base      [maxHypotheses]uint32
	baseDoubt uint32
	baseFlags uint8
	list      [holdMax]held
}

func (s *Stream) lock() {
	for spins := 0; !s.own.CompareAndSwap(0, 1); spins++ {
		if spins > 16 {
			runtime.Gosched()
		}
	}
}

func (s *Stream) unlock() { s.own.Store(0) }

// observe takes the next datagram, and reports whether it names another
// sampling rate than the one before, and which that was.
func (s *Stream) observe(t *Table, o *Observation) (rateBefore uint32) {
	hs := hypotheses[s.key.Kind]
	if !s.begun {
		s.firstNs = o.NowNs
	}
	s.lastNs = o.NowNs
	s.observations++
	if o.ExportNs != 0 {
		s.skewNs = o.ExportNs - o.NowNs
	}
	if o.Rate != s.rate {
		if o.Rate != 0 {
			rateBefore, s.rate = s.rate, o.Rate
		}
	}
	h := o.hold(s.firstNs)
	if !s.begun {
		s.begun = true
		s.begin(&hs[s.best], &h) // the first, or that of before a restart
		s.last = h
		return rateBefore
	}
	hy := &hs[s.best]
	if s.waiting == nil && s.proven && !s.open && h.start(hy) == s.expected && !h.uncertain(hy) {
		// As expected. The other hypotheses are asked now and then, and where
		// they are most likely to differ.
		if s.observations%sampled == 0 || (h.flags|s.last.flags)&flagSpecial != 0 {
			s.score(hs, &h)
		} else {
			s.run++
		}
		s.advance(hy, &h)
		s.jumps -= min(s.jumps, 1)
		s.last = h
		return rateBefore
	}
	foretold := s.score(hs, &h)
	if s.mute {
		s.listen(t, hs, &h)
		return rateBefore
	}
	if s.waiting == nil {
		if s.waiting = t.getWaiting(s.set); s.waiting == nil {
			s.placeAtOnce(t, hs, &h)
			return rateBefore
		}
		s.waiting.based(hs, &s.last)
		if s.proven {
			s.waiting.base[s.best] = s.expected
		}
	}
	s.last = h
	w := s.waiting
	w.list[w.n] = h
	w.n++
	if foretold {
		w.quiet++
	} else {
		w.quiet = 0
	}
	if w.quiet >= quiet || w.n == holdMax {
		s.settle(t, w.n == holdMax && w.quiet < lookAhead)
	}
	return rateBefore
}

// placeAtOnce says what h means where there is no room to wait for what follows it.
// What is in front of it by as much as it may be is missing, what is behind it came
// late, and any other number begins again. A stream without proof looks for one.
func (s *Stream) placeAtOnce(t *Table, hs []hypothesis, h *held) {
	if !s.proven {
		s.listen(t, hs, h)
		if !s.proven {
			s.begin(&hs[s.best], h)
		}
		return
	}
	hy := &hs[s.best]
	ahead := int32(h.start(hy) - s.expected)
	known := !h.uncertain(hy) && !s.wentBack(h)
	if known && (ahead > 0 && s.plausible(h, uint32(ahead)) || ahead < 0 && uint32(-ahead) <= s.window()) {
		alone := waiting{n: 1}
		alone.list[0] = *h
		s.place(t, hy, &alone, 0, s.last.doubt())
	} else {
		s.begin(hy, h)
	}
	s.last = *h
}

// listen looks whether a hypothesis has proven itself by h. What came before is
// not known.
func (s *Stream) listen(t *Table, hs []hypothesis, h *held) {
	s.last = *h
	s.choose(t, hs)
	if s.proven {
		s.mute = false
		s.begin(&hs[s.best], h)
	}
}

// based sets what is expected after h.
func (w *waiting) based(hs []hypothesis, h *held) {
	for i := range hs {
		w.base[i] = h.end(&hs[i])
	}
	w.baseDoubt, w.baseFlags = h.doubt(), h.flags
}

// note notes the numbers that were as expected.
func (s *Stream) note() {
	ones := uint32(1)<<s.run - 1
	s.hits[s.best] = s.hits[s.best]<<s.run | ones
	s.known[s.best] = s.known[s.best]<<s.run | ones
	s.run = 0
}

// score notes which hypotheses predicted h after the last one, and returns
// whether the one in force did.
func (s *Stream) score(hs []hypothesis, h *held) bool {
	s.note()
	last := &s.last
	prevUnsure := uint32(last.flags&flagUncertain) / flagUncertain
	thisUnsure := uint32(h.flags&flagUncertain) / flagUncertain
	for i := range hs {
		hy := &hs[i]
		known := uint32(1)
		if hy.measure != byDatagram {
			known = 1 ^ (prevUnsure&(1-hy.own) | thisUnsure&hy.own)
		}
		hit := uint32(0)
		if h.start(hy) == last.end(hy) {
			hit = known
		}
		s.hits[i] = s.hits[i]<<1 | hit
		s.known[i] = s.known[i]<<1 | known
		s.misses[i] += uint16(known &^ hit)
	}
	if s.scored++; s.scored >= memory {
		s.fade(memory / 2)
	}
	special := last
	if hs[s.best].own == 1 {
		special = h
	}
	if special.flags&flagSpecial != 0 && s.known[s.best]&1 != 0 {
		hy := &hs[s.best]
		s.scoreSpecial(h.start(hy), last.end(hy), special.doubt())
	}
	return s.hits[s.best]&1 != 0
}

// fade halves what is remembered until it is of n pairs at most.
func (s *Stream) fade(n uint16) {
	for ; s.scored > n; s.scored /= 2 {
		for i := range s.misses {
			s.misses[i] /= 2
		}
	}
}

// scoreSpecial notes whether the hypothesis in force holds where there are
// templates or options, too: a number that is further away than doubt says nothing
// of that.
func (s *Stream) scoreSpecial(start, expected, doubt uint32) {
	switch {
	case start == expected:
		s.specialHits++
	case within(start, expected, doubt):
		s.specialMisses++
	}
	if s.specialHits >= 64 || s.specialMisses >= 64 {
		s.specialHits /= 2
		s.specialMisses /= 2
	}
}

// proves says whether a hypothesis has proven itself lately: by some numbers in
// a row that it predicted, or by more of them with a few that it did not.
func (s *Stream) proves(i int) bool {
	hits, known := bits.OnesCount32(s.hits[i]), bits.OnesCount32(s.known[i])
	if s.mute { // it has many chances
		return hits >= 3*proof && 4*hits >= 3*known
	}
	return hits >= 2*proof && 3*hits >= 2*known || hits >= proof && hits == known
}

// choose picks the hypothesis that has been wrong the least. One in force stays
// unless another is better.
func (s *Stream) choose(t *Table, hs []hypothesis) {
	best, found := 0, false
	for i := range hs {
		if !s.proves(i) {
			continue
		}
		if !found || s.misses[i] < s.misses[best] {
			best, found = i, true
		}
	}
	if !found {
		// What was in force falls when it explains next to nothing.
		if s.known[s.best] == 1<<32-1 && bits.OnesCount32(s.hits[s.best]) < 2*proof {
			s.proven = false
		}
		return
	}
	if s.proven && best == int(s.best) {
		return
	}
	if s.proven && bits.OnesCount32(s.hits[s.best]) >= proof && s.misses[s.best] <= s.misses[best] {
		return
	}
	changed := best != int(s.best)
	s.best, s.proven = uint8(best), true
	if changed {
		s.dropGaps(t)
		s.units, s.average = 0, 0
		s.specialHits, s.specialMisses = 0, 0
		if w := s.waiting; w != nil {
			s.recountSpecial(&hs[best], w)
		}
	}
}

// recountSpecial does for what is held what scoreSpecial did for another
// hypothesis.
func (s *Stream) recountSpecial(hy *hypothesis, w *waiting) {
	end, flags, doubt := w.base[s.best], w.baseFlags, w.baseDoubt
	for i := range w.n {
		h := &w.list[i]
		if hy.own == 1 {
			flags, doubt = h.flags, h.doubt()
		}
		if flags&flagSpecial != 0 && flags&flagUncertain == 0 {
			s.scoreSpecial(h.start(hy), end, doubt)
		}
		end, flags, doubt = h.end(hy), h.flags, h.doubt()
	}
}

// wentBack says whether the exporter's uptime says that it has restarted.
func (s *Stream) wentBack(h *held) bool {
	if h.flags&flagUptime == 0 || h.uptimeMs >= s.lastUp || s.lastUp-h.uptimeMs <= uptimeSlack {
		return false
	}
	// The clock has 32 bits: from its end to its beginning it goes forward.
	const edge = 15 * 60 * 1000
	return s.lastUp < -edge&(1<<32-1) || h.uptimeMs > edge
}

// begin expects what follows h.
func (s *Stream) begin(hy *hypothesis, h *held) {
	s.expected = h.end(hy)
	s.open = h.uncertain(hy) && hy.own == 0
	if h.uncertain(hy) && hy.own == 1 {
		s.expected = h.sequence
	}
	s.lastUp, s.lastMs = h.uptimeMs, h.atMs
}

// advance takes one that is in order, or after a gap.
func (s *Stream) advance(hy *hypothesis, h *held) {
	count := uint32(h.count[hy.measure])
	s.units += uint64(count)
	if s.average == 0 {
		s.average = count * 16
	} else {
		s.average += count - s.average/16
	}
	s.begin(hy, h)
}

// window is Window in units.
func (s *Stream) window() uint32 { return Window * max(s.average/16+1, 1) }
