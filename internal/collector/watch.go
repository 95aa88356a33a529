package collector

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
)

const (
	// established is for how long an exporter must have sent records to be left
	// alone when the table is full.
	established = int64(2 * time.Minute)
	// idleAfter is after how long without a record it no longer is.
	idleAfter = int64(10 * time.Minute)
	// markEvery is how often counters are noted for the rates of the last
	// minute.
	markEvery = int64(10 * time.Second)
	marks     = 7
)

// watched is what Sweep knows about an exporter. It is guarded by the table's lock.
type watched struct {
	slot      int // its number
	announced bool
	silent    bool
	// silentSeen is when it was last seen before it fell silent, in Unix ns.
	silentSeen int64
	records0   uint64 // at the last sweep
	// When records came first and last, in Unix ns of a sweep; 0 for never.
	usefulFirst, usefulLast int64
	firstSeen               int64
	marks                   [marks]mark // the newest first
}

// mark is what the counters were at a time in Unix ns.
type mark struct {
	atNs               int64
	datagrams, records uint64
}

// rates returns datagrams and records a second over the last minute, or since the
// exporter was first seen.
func (e *Exporter) rates(nowNs int64) (datagrams, records float64) {
	from := mark{atNs: e.firstSeen}
	for _, m := range e.marks {
		if m.atNs == 0 {
			break
		}
		from = m
		if nowNs-m.atNs >= int64(time.Minute) {
			break
		}
	}
	seconds := float64(nowNs-from.atNs) / 1e9
	if from.atNs == 0 || seconds <= 0 {
		return 0, 0
	}
	seconds = max(seconds, 1)
	return float64(e.datagrams.Load()-from.datagrams) / seconds, float64(e.records.Load()-from.records) / seconds
}

// What an exporter's entry is worth when there is no room.
const (
	classUseless = iota // it never sent a record
	classPassing        // it did for a moment
	classGone           // it did for long, and no longer does
	classLive           // it does
)

// worth orders exporters by what their entries are worth.
type worth struct {
	class  int
	seenNs int64
}

func (w worth) less(o worth) bool {
	if w.class != o.class {
		return w.class < o.class
	}
	return w.seenNs < o.seenNs
}

func (e *Exporter) worth(nowNs int64) worth {
	w := worth{seenNs: e.lastSeen.Load()}
	switch {
	case e.records.Load() == 0 && e.usefulFirst == 0:
		w.class = classUseless
	case e.usefulLast-e.usefulFirst < established:
		w.class = classPassing
	case nowNs-e.usefulLast > idleAfter:
		w.class = classGone
	default:
		w.class = classLive
	}
	return w
}

// watch counts what Sweep saw.
type watch struct {
	fresh, silent, returned atomic.Uint64
	troubles                atomic.Pointer[Troubles] // nil before the first sweep
}

// Troubles says how many exporters are in trouble, as of the last sweep, and which.
type Troubles struct {
	// Announced exporters have sent something that could be decoded.
	Announced int
	// Silent ones of them have sent nothing for -exporters.silent-after. Lately are a few
	// that fell silent last, the last one first.
	Silent int
	Lately []netip.Addr
	// ClockOff have a clock that is more than a minute from ours. Clocks are a few of them.
	ClockOff int
	Clocks   []netip.Addr
}

// namedMost is how many exporters Troubles names.
const namedMost = 5

// note takes note of an exporter that was looked at.
func (t *Troubles) note(e *Exporter, last *[namedMost]int64) {
	if e.announced {
		t.Announced++
	}
	if e.streams.ClockOff() {
		if t.ClockOff++; len(t.Clocks) < namedMost {
			t.Clocks = append(t.Clocks, e.addr)
		}
	}
	if !e.silent {
		return
	}
	t.Silent++
	at := len(t.Lately)
	for at > 0 && last[at-1] < e.silentSeen {
		at--
	}
	if at < namedMost {
		t.Lately = slices.Insert(t.Lately, at, e.addr)
		t.Lately = t.Lately[:min(len(t.Lately), namedMost)]
		copy(last[at+1:], last[at:])
		last[at] = e.silentSeen
	}
}

// Troubles returns which exporters are in trouble. The lists are not changed.
func (t *Exporters) Troubles() Troubles {
	if now := t.watch.troubles.Load(); now != nil {
		return *now
	}
	return Troubles{}
}

// Sweep is called once a second: it makes losses of what is missing, notes the
// rates, logs new exporters, and looks for silent ones and clocks that are off. place is where what
// is lost now is taken to be lost.
func (t *Exporters) Sweep(now time.Time, place sequence.Place) {
	nowNs := now.UnixNano()
	t.table.Sweep(nowNs, place, false)
	const piece = 1024
	troubles, last, tries := &Troubles{}, [namedMost]int64{}, namedTries
	for from := 0; ; from += piece {
		t.mu.Lock()
		if from >= len(t.slots) {
			t.mu.Unlock()
			break
		}
		for _, e := range t.slots[from:min(from+piece, len(t.slots))] {
			if e != nil {
				t.look(e, nowNs)
				if tries > 0 && t.name(e, nowNs) {
					tries--
				}
				troubles.note(e, &last)
			}
		}
		t.mu.Unlock()
	}
	t.watch.troubles.Store(troubles)
	if s := t.cfg.Templates; s != nil {
		for _, k := range s.Shares() {
			if t.notices.may(noticePorts, nowNs) {
				t.notices.tell(noticePorts, netip.AddrFrom16(k.Exporter).Unmap(), "port", k.Port, "domain", k.Domain)
			}
		}
	}
	t.notices.flush(now)
}

// Finish makes losses of all that is missing. Workers have ended.
func (t *Exporters) Finish(place sequence.Place) { t.table.Sweep(time.Now().UnixNano(), place, true) }

// look does what is due for one exporter.
func (t *Exporters) look(e *Exporter, nowNs int64) {
	seen := e.lastSeen.Load()
	if seen == 0 {
		return // all of its datagrams were refused
	}
	if e.firstSeen == 0 {
		e.firstSeen = min(seen, nowNs)
	}
	if records := e.records.Load(); records != e.records0 {
		e.records0 = records
		e.usefulLast = nowNs
		if e.usefulFirst == 0 {
			e.usefulFirst = nowNs
		}
	}
	if nowNs-e.marks[0].atNs >= markEvery {
		copy(e.marks[1:], e.marks[:])
		e.marks[0] = mark{nowNs, e.datagrams.Load(), e.records.Load()}
	}
	if !e.announced && e.datagrams.Load() > e.failed.Load() {
		e.announced = true
		t.watch.fresh.Add(1)
		if t.notices.may(noticeNew, nowNs) {
			t.notices.tell(noticeNew, e.addr)
		}
	}
	if !e.announced {
		return
	}
	after := t.silentAfter.Load()
	switch quiet := after != 0 && nowNs-seen >= after; {
	case quiet && !e.silent:
		e.silent, e.silentSeen = true, seen
		t.watch.silent.Add(1)
	case e.silent && seen != e.silentSeen: // though it may be quiet again
		e.silent = false
		t.watch.returned.Add(1)
	case e.silent && !quiet: // a reload allows it to be quiet for longer
		e.silent = false
	}
}

// What is reported about exporters.
const (
	noticeNew = iota
	noticeRate
	noticePorts
	numNotices
)

var noticeTexts = [numNotices]string{"new exporter", "sampling rate changed",
	"several exporters share an address: each source port needs templates of its own"}

const (
	// noticeBurst lines of a kind may come at once, then one every noticeEvery.
	noticeBurst = 20
	noticeEvery = time.Second
)

// notices logs what happens to exporters, of each kind only so much: anyone can
// forge a million of them. Any goroutine may ask and tell: asking takes no lock,
// and telling, which does, there is no more than a line a second of; the lines are
// written by flush, so that no worker waits for the log.
type notices struct {
	log   *slog.Logger
	kinds [numNotices]struct {
		dueNs atomic.Int64  // when the bucket is full again, in Unix ns
		left  atomic.Uint64 // lines that were left out
	}

	mu    sync.Mutex
	queue []notice
	said  time.Time // when what was left out was told
}

// notice is a line.
type notice struct {
	kind     int
	exporter netip.Addr
	attrs    []any
}

func newNotices(log *slog.Logger) *notices {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &notices{log: log}
}

// may says whether there is room for another line of a kind, and counts one that
// is left out if there is not.
func (n *notices) may(kind int, nowNs int64) bool {
	k := &n.kinds[kind]
	for {
		was := k.dueNs.Load()
		due := max(was, nowNs)
		if due-nowNs >= noticeBurst*int64(noticeEvery) {
			k.left.Add(1)
			return false
		}
		if k.dueNs.CompareAndSwap(was, due+int64(noticeEvery)) {
			return true
		}
	}
}

// tell has a line logged for which there is room.
func (n *notices) tell(kind int, exporter netip.Addr, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, notice{kind, exporter, attrs})
}

// flush logs what was told and, every ten seconds, how much was left out.
func (n *notices) flush(now time.Time) {
	n.mu.Lock()
	queue := n.queue
	n.queue = nil
	var left [numNotices]uint64
	if now.Sub(n.said) >= 10*time.Second {
		for i := range n.kinds {
			left[i] = n.kinds[i].left.Swap(0)
		}
		n.said = now
	}
	n.mu.Unlock()
	for _, line := range queue {
		n.log.Info(noticeTexts[line.kind], append([]any{"exporter", line.exporter}, line.attrs...)...)
	}
	for kind, count := range left {
		if count > 0 {
			n.log.Info(noticeTexts[kind]+": not logged one by one", "count", count)
		}
	}
}
