package collector

import (
	"context"
	"log/slog"
	"time"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/xdp"
)

const (
	// trialEvery is how often a capture with zero-copy is looked after at first, for
	// trialLooks: what a driver loses it loses from the first frame on.
	trialEvery = 100 * time.Millisecond
	trialLooks = 100

	// silentLooks and silentFrames are over how many looks the driver must have counted
	// how many frames, of which the program saw none.
	silentLooks, silentFrames = 3, 10
	// starvedLooks is at how many looks in a row the fill ring must have been empty.
	starvedLooks = 3
	// Zero-copy is at fault if lossyFrames were lost or cut, and more than one of
	// lossyShare, at lossyLooks in a row.
	lossyFrames, lossyShare, lossyLooks = 4, 50, 2
	// Without zero-copy, a difference means that the program does not run on some queue,
	// or that the card counts something else. The thresholds are therefore higher.
	partlyFrames, partlyShare, partlyLooks = 100, 4, 10
	// wellLooks is after how many looks a capture that receives is well.
	wellLooks = 60
	// window is after how many looks losses are counted from zero again.
	window = 600

	// quietMax bounds the back-off between attachments that did not help.
	quietMax = 5 * time.Minute
)

// observation is what was counted of a capture up to a moment.
type observation struct {
	frames   uint64 // by the driver
	missed   uint64 // by the driver: for want of buffers
	whole    uint64 // by the card, whatever the driver did with them; 0 if unknown
	seen     uint64 // by the program
	bad      uint64 // of these, malformed: cut, for one
	received uint64 // by the workers
	dropped  uint64 // by the sockets, for want of chunks
	waiting  int    // in the RX rings
	fill     int    // in the fill ring that has the fewest
}

// system is what captures ask of xdp.
type system struct {
	open    func(xdp.Config) (*xdp.Capture, error)
	observe func(*xdp.Capture, *bpf.Program) (observation, error)
}

// observe makes an observation. What the card counted is read first: what it has counted
// by then, the program has seen by the next time.
func observe(open *xdp.Capture, program *bpf.Program) (o observation, err error) {
	card, err := open.Card()
	if err != nil {
		return o, err
	}
	verdicts, err := program.Verdicts()
	if err != nil {
		return o, err
	}
	s := open.Stats()
	return observation{
		frames: card.Frames, missed: card.Missed, whole: card.Whole,
		seen: verdicts.Total(), bad: verdicts[bpf.PassMalformed], received: s.Received, dropped: s.RXDropped, waiting: s.Waiting, fill: s.FillLen,
	}, nil
}

// finding is what a judge thinks of a capture.
type finding uint8

const (
	fine    finding = iota
	silent          // the driver counts frames, and the program sees none
	starved         // there are no chunks in the fill ring, and nothing gives any back
	partly          // the card counts more frames than the program sees
	lossy           // the card counts more frames than the program sees, or it sees pieces (zero-copy)
)

// judge finds out whether a capture that looks healthy receives what the card does. The
// zero value with zeroCopy set is for a capture that was just opened.
type judge struct {
	zeroCopy bool
	native   bool // the program sees each frame, in the driver

	looks                           int
	before, base                    observation
	silentFor, starvedFor, lossyFor int
	unseen                          uint64 // frames counted since the program saw one
}

// every returns after how long the next look is due.
func (j *judge) every() time.Duration {
	if j.zeroCopy && j.looks < trialLooks {
		return trialEvery
	}
	return healthEvery
}

// look takes the next observation.
func (j *judge) look(now observation) finding {
	before := j.before
	j.before = now
	j.looks++
	// Counters may start from zero, and the card's own may be unknown at times.
	if j.looks%window == 1 || now.frames < before.frames || now.whole < before.whole || now.missed < before.missed ||
		now.seen < before.seen || now.bad < before.bad || (now.whole == 0) != (j.base.whole == 0) {
		j.base, j.lossyFor = now, 0
		return fine
	}
	switch {
	case j.isSilent(before, now):
		return silent
	case j.isStarved(before, now):
		return starved
	case j.zeroCopy && j.isLossy(before, now):
		return lossy
	case j.native && !j.zeroCopy && j.isPartial(before, now):
		return partly
	}
	return fine
}

func (j *judge) isSilent(before, now observation) bool {
	came := now.frames + now.missed - before.frames - before.missed
	switch {
	case now.seen != before.seen:
		j.silentFor, j.unseen = 0, 0
	case came > 0:
		j.silentFor++
		j.unseen += came
	}
	return j.silentFor >= silentLooks && j.unseen >= silentFrames
}

func (j *judge) isStarved(before, now observation) bool {
	if now.dropped > before.dropped && now.received == before.received && now.waiting == 0 && now.fill == 0 {
		j.starvedFor++
	} else {
		j.starvedFor = 0
	}
	return j.starvedFor >= starvedLooks
}

// isLossy looks for frames that zero-copy loses, or cuts: the beginnings are malformed then,
// and the program sees more frames than the card.
func (j *judge) isLossy(before, now observation) bool {
	lost, counted := j.unseenOf(before, now)
	seen, bad := now.seen-j.base.seen, now.bad-j.base.bad
	countedNow := now.counted() - j.base.counted()
	pieces := max(seen, countedNow) - countedNow
	isLost := lost >= lossyFrames && lost*lossyShare >= counted
	isCut := bad >= lossyFrames && bad*lossyShare >= seen && pieces >= bad-bad/4
	return j.inRow(isLost || isCut, lossyLooks)
}

func (j *judge) isPartial(before, now observation) bool {
	lost, counted := j.unseenOf(before, now)
	return j.inRow(lost >= partlyFrames && lost*partlyShare >= counted, partlyLooks)
}

// unseenOf returns how many of the frames that had been counted at the look before the
// program has not seen by now, and how many had been counted.
func (j *judge) unseenOf(before, now observation) (lost, counted uint64) {
	counted = before.counted() - j.base.counted()
	known := now.seen - j.base.seen + now.missed - j.base.missed
	return max(counted, known) - known, counted
}

// counted returns the frames that came, according to the card if it says so.
func (o *observation) counted() uint64 {
	if o.whole != 0 {
		return o.whole
	}
	return o.frames
}

// inRow reports whether something was found at n looks in a row.
func (j *judge) inRow(found bool, n int) bool {
	if !found {
		j.lossyFor = 0
		return false
	}
	j.lossyFor++
	return j.lossyFor >= n
}

// remedy is what differs from the configuration since a driver did not do as it should.
type remedy struct {
	copying, generic bool
}

// after returns the remedy for a finding, and what it is in words, if anything is to be done
// or said; again says that it was found before, and vain that to open the capture again as it
// was did not help.
func (r remedy) after(f finding, again, vain bool, cfg *CaptureConfig, mode string) (remedy, string) {
	switch {
	case f == lossy && cfg.ZeroCopy != xdp.ZeroCopyOn.String():
		r.copying = true
		return r, "zero-copy is not used"
	case f == silent && vain && mode != ModeGeneric && cfg.Mode == xdp.Auto.String() && cfg.ZeroCopy != xdp.ZeroCopyOn.String():
		r.generic = true
		return r, "generic mode is used"
	case f == lossy:
		return r, "it stays in use, as -xdp.zerocopy on asks; auto would do without"
	case f == partly && again:
		return r, ""
	}
	return r, "the program is attached again"
}

// supervisor decides when a capture is opened again because of what its judge finds. It is
// used by one goroutine.
type supervisor struct {
	judge  judge
	remedy remedy
	// found is the last finding that was acted upon, tries how often in a row, and given
	// says that there is nothing left to try.
	found finding
	tries int
	given bool
	again time.Time // not before
	// helped: the program saw frames since the capture was opened.
	helped bool
	// deaf: nothing is received, though the capture is attached. It stays so until
	// something is.
	deaf bool
}

// opened begins with a capture that was just opened in that mode.
func (s *supervisor) opened(mode string) {
	s.judge, s.helped = judge{zeroCopy: mode == ModeNativeZeroCopy, native: mode != ModeGeneric}, false
}

// act says that the capture is to be opened again with supervisor.remedy.
type act struct {
	what string // was found, and what is done
	more bool   // the same was said before
	keep bool   // there is no remedy: it is only said
}

// look takes an observation. It returns nil if there is nothing to do.
func (s *supervisor) look(now observation, at time.Time, cfg *CaptureConfig, mode string) *act {
	before := s.judge.before
	f := s.judge.look(now)
	if f == fine {
		if now.seen > before.seen && (s.found != starved || now.received > before.received) {
			s.deaf = false
			s.helped = s.helped || now.seen >= silentFrames
			if s.judge.looks >= wellLooks {
				s.tries = 0
			}
		}
		return nil
	}
	if f == silent || f == starved {
		s.deaf = true
	}
	if f != s.found {
		s.found, s.tries, s.given = f, 0, false
	}
	if s.given || at.Before(s.again) {
		return nil
	}
	remedy, done := s.remedy.after(f, s.tries > 0, s.tries > 0 && !s.helped, cfg, mode)
	if done == "" {
		s.given = true
		return nil
	}
	if s.given = f == lossy && remedy == s.remedy; s.given {
		return &act{what: s.judge.text(f) + ": " + done, keep: true}
	}
	a := &act{what: s.judge.text(f) + ": " + done, more: s.tries > 0 && remedy == s.remedy}
	s.remedy = remedy
	s.again = at.Add(min(retryMin<<min(s.tries, 10), quietMax))
	s.tries++
	return a
}

// text says what was found.
func (j *judge) text(f finding) string {
	switch f {
	case silent:
		return "the driver counts frames, but does not run the program"
	case starved:
		return "the fill ring is empty, and nothing is received"
	case partly:
		return "the card counts frames that the program does not see: it may not run on some queue"
	default:
		return "zero-copy loses or cuts frames that the card counts"
	}
}

// receives looks whether a capture receives what the card does, and ends one that is to be
// opened again because of that.
func (c *Captures) receives(one *capture, open *xdp.Capture) bool {
	c.mu.Lock()
	program := one.program
	c.mu.Unlock()
	now, err := c.system.observe(open, program)
	if err != nil {
		return true // Health finds out what it is
	}
	do := one.supervisor.look(now, time.Now(), &c.cfg, modeOf(open))
	c.mu.Lock()
	one.deaf = one.supervisor.deaf
	c.mu.Unlock()
	if do == nil {
		return true
	}
	level := slog.LevelWarn
	if do.more {
		level = slog.LevelDebug
	}
	one.log.Log(context.Background(), level, do.what, "mode", modeOf(open), "driver", open.Interface().Driver,
		"card", max(now.whole, now.frames), "program", now.seen, "received", now.received)
	if do.keep {
		return true
	}
	c.detach(one, false)
	return false
}
