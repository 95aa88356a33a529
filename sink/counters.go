package sink

import (
	"sync"
	"sync/atomic"
)

// Counters say what became of the records that entered a hub's lanes. Only
// the hub adds to them; anyone may read them at any time.
//
// Records in flight are those produced and recovered less those acknowledged,
// spooled and dropped. Read these counters before the producers' so that the
// difference is never negative, and all at once by [Counters.Ledger] where
// records may move from one to another.
type Counters struct {
	// mu makes each change, and each look of Ledger, one step.
	mu        sync.Mutex
	reasons   atomic.Int64 // how many of reasons there are; 0 means syncReasons
	acked     atomic.Uint64
	bytes     atomic.Uint64
	batches   atomic.Uint64
	spooled   atomic.Uint64
	recovered atomic.Uint64
	dropped   [len(reasons)]atomic.Uint64
	errors    [len(reasons)]atomic.Pointer[error] // the last one, by reason
	quiet     atomic.Bool                         // see LeaveFaults
}

// LeaveFaults has the hub not log that records are lost. The caller does, by what is
// counted as dropped and by [Counters.LastError].
func (c *Counters) LeaveFaults() { c.quiet.Store(true) }

// LastError returns the error for which records were dropped last for a reason, nil if
// there was none. It may be newer than what is counted by an instant, or older.
func (c *Counters) LastError(reason string) error {
	for i, r := range reasons {
		if err := c.errors[i].Load(); r == reason && err != nil {
			return *err
		}
	}
	return nil
}

func (c *Counters) note(reason string, err error) {
	for i, r := range reasons {
		if r == reason && err != nil {
			c.errors[i].Store(&err)
		}
	}
}

// A Ledger is the state of [Counters] at one moment, in records.
type Ledger struct {
	Acked     uint64 // taken by the output
	Spooled   uint64 // waiting in the spool
	Dropped   uint64 // lost, for all reasons together
	Recovered uint64 // found in the spool at the start
}

// InFlight returns how many of the produced records, and of those recovered,
// are neither acknowledged nor spooled nor dropped.
func (l Ledger) InFlight(produced uint64) uint64 {
	return produced + l.Recovered - l.Acked - l.Spooled - l.Dropped
}

// Ledger returns all sums as they were at one moment.
func (c *Counters) Ledger() Ledger {
	return c.LedgerByReason(func(string, uint64) {})
}

// LedgerByReason is Ledger, and calls f as EachDropped does at the same moment.
func (c *Counters) LedgerByReason(f func(reason string, records uint64)) Ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.EachDropped(f)
	return Ledger{
		Acked:     c.acked.Load(),
		Spooled:   c.spooled.Load(),
		Dropped:   c.Dropped(),
		Recovered: c.recovered.Load(),
	}
}

// Acked returns the number of records that the output has taken.
func (c *Counters) Acked() uint64 { return c.acked.Load() }

// Bytes returns the number of bytes, separators included, of the records that
// the output has taken.
func (c *Counters) Bytes() uint64 { return c.bytes.Load() }

// Batches returns the number of batches that came to their end, whatever
// became of their records.
func (c *Counters) Batches() uint64 { return c.batches.Load() }

// Spooled returns the number of records that wait in the spool at present,
// those being offered to the output again included.
func (c *Counters) Spooled() uint64 { return c.spooled.Load() }

// Recovered returns the number of records that an earlier run left in the
// spool.
func (c *Counters) Recovered() uint64 { return c.recovered.Load() }

// Dropped returns the number of records lost for all reasons together.
func (c *Counters) Dropped() uint64 {
	var n uint64
	for i := range c.dropped {
		n += c.dropped[i].Load()
	}
	return n
}

// DroppedBy returns the number of records lost for a reason, one of the
// Reason constants; 0 for any other.
func (c *Counters) DroppedBy(reason string) uint64 {
	for i, r := range reasons {
		if r == reason {
			return c.dropped[i].Load()
		}
	}
	return 0
}

// EachDropped calls f for every reason for which this hub may drop records,
// those with no losses included, always in the same order.
func (c *Counters) EachDropped(f func(reason string, records uint64)) {
	n := c.reasons.Load()
	if n == 0 {
		n = syncReasons
	}
	for i, r := range reasons[:n] {
		f(r, c.dropped[i].Load())
	}
}

func (c *Counters) drop(reason string, records int) {
	at := 0
	for i, r := range reasons {
		if r == reason {
			at = i
		}
	}
	c.dropped[at].Add(uint64(records))
}

// settle counts a batch's outcome; bytes is the size of its written messages.
func (c *Counters) settle(out Outcome, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches.Add(1)
	c.acked.Add(uint64(out.Written))
	c.bytes.Add(uint64(bytes))
	if out.Dropped > 0 {
		c.drop(out.Reason, out.Dropped)
	}
}

// change is one step of an AsyncHub's books.
type change struct {
	acked, bytes int
	batches      int // batches that came to their end
	dropped      int
	reason       string // why dropped
	evicted      uint64 // dropped as spool_full
	corrupt      uint64 // dropped as spool_corrupt
}

// recover counts n records that a hub found in its spool, and what of them was lost; waiting
// are left. If the hub before it had the same spool, those that it left there are in Spooled
// already. It returns how many no hub of these counters knew.
func (c *Counters) recover(n uint64, ch change, part *uint64, waiting uint64, same bool) uint64 {
	c.mu.Lock()
	if same {
		known := min(n, c.spooled.Load())
		n -= known
		c.spooled.Store(c.spooled.Load() - known)
	}
	c.recovered.Add(n)
	c.mu.Unlock()
	c.book(ch, part, waiting)
	return n
}

// empty counts a batch without records.
func (c *Counters) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches.Add(1)
}

// book takes one step; waiting is how many records the hub's spool holds after it, and part
// what of Spooled is the hub's: several may count.
func (c *Counters) book(ch change, part *uint64, waiting uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked.Add(uint64(ch.acked))
	c.bytes.Add(uint64(ch.bytes))
	c.batches.Add(uint64(ch.batches))
	if ch.dropped > 0 {
		c.drop(ch.reason, ch.dropped)
	}
	c.drop(ReasonSpoolFull, int(ch.evicted))
	c.drop(ReasonSpoolCorrupt, int(ch.corrupt))
	c.spooled.Store(c.spooled.Load() - *part + waiting)
	*part = waiting
}
