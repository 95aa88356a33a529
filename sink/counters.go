package sink

import "sync/atomic"

// Counters say what became of the records that entered a hub's lanes. Only
// the hub adds to them; anyone may read them at any time.
//
// Records in flight are those produced less those acknowledged and dropped.
// Read these counters before the producers' so that the difference is never
// negative.
type Counters struct {
	acked   atomic.Uint64
	bytes   atomic.Uint64
	batches atomic.Uint64
	dropped [len(reasons)]atomic.Uint64
}

// Acked returns the number of records that the output has taken.
func (c *Counters) Acked() uint64 { return c.acked.Load() }

// Bytes returns the number of bytes, separators included, of the records that
// the output has taken.
func (c *Counters) Bytes() uint64 { return c.bytes.Load() }

// Batches returns the number of batches that came to their end, whatever
// became of their records.
func (c *Counters) Batches() uint64 { return c.batches.Load() }

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

// EachDropped calls f for every reason, those with no losses included, always
// in the same order.
func (c *Counters) EachDropped(f func(reason string, records uint64)) {
	for i, r := range reasons {
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
	c.batches.Add(1)
	c.acked.Add(uint64(out.Written))
	c.bytes.Add(uint64(bytes))
	if out.Dropped > 0 {
		c.drop(out.Reason, out.Dropped)
	}
}
