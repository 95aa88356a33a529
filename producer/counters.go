package producer

// Counters are the totals of one producer since it was made. They are plain
// numbers: only the producer's worker reads and writes them, and publishes
// copies of them to others.
type Counters struct {
	// Decoded counts the datagrams that were decoded, by the first thing
	// that was wrong with them; ReasonNone for nothing.
	Decoded [NumReasons]uint64
	// Held is what waits for its template now, and what became of what did.
	// Datagrams = Decoded + Failed + Held.Datagrams, at every moment.
	Held HeldCounters
	// Failed counts the datagrams of which nothing could be used, by
	// reason.
	Failed [NumReasons]uint64
	// Faults counts all pieces that were wrong: one datagram may have many.
	Faults [NumReasons]uint64
	// Datagrams counts all datagrams by protocol.
	Datagrams [NumProtocols]uint64
	// Records counts the flow records that were produced, by protocol.
	Records [NumProtocols]uint64
	// Encoded counts the same records by the path that they took.
	Encoded [NumPaths]uint64

	// Sampling counts the same records by where their sampling rate came from,
	// and SamplingChanges the rates that options data changed.
	Sampling        [NumSamplingSources]uint64
	SamplingChanges uint64
	// OptionsRecords counts the records of options data sets.
	OptionsRecords uint64
	// SetsWithoutTemplate counts the data sets whose template is unknown.
	SetsWithoutTemplate uint64
	// Templates counts announcements that were new, that changed a
	// template, and that did not; and withdrawals, those that were ignored apart.
	TemplatesAdded, TemplatesReplaced, TemplatesUnchanged, TemplatesWithdrawn uint64
	WithdrawalsIgnored                                                        uint64
	// sFlow samples that are no flow samples; DropSamples give messages all the same.
	CounterSamples, DropSamples, UnknownSamples uint64
}

func (c *Counters) add(r Result) {
	c.Datagrams[r.Protocol]++
	c.Records[r.Protocol] += uint64(r.Records)
	if r.Held {
		c.Held.Datagrams++
	} else if r.Decoded {
		c.Decoded[r.Reason]++
	} else {
		c.Failed[r.Reason]++
	}
}

// Sum returns the total of an array of counters.
func Sum(counts []uint64) uint64 {
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	return total
}

// Add adds o to c.
func (c *Counters) Add(o *Counters) {
	for i := range c.Decoded {
		c.Decoded[i] += o.Decoded[i]
		c.Failed[i] += o.Failed[i]
		c.Faults[i] += o.Faults[i]
	}
	for i := range c.Datagrams {
		c.Datagrams[i] += o.Datagrams[i]
		c.Records[i] += o.Records[i]
	}
	for i := range c.Encoded {
		c.Encoded[i] += o.Encoded[i]
	}
	c.Held.add(&o.Held)
	for i := range c.Sampling {
		c.Sampling[i] += o.Sampling[i]
	}
	c.SamplingChanges += o.SamplingChanges
	c.OptionsRecords += o.OptionsRecords
	c.SetsWithoutTemplate += o.SetsWithoutTemplate
	c.TemplatesAdded += o.TemplatesAdded
	c.TemplatesReplaced += o.TemplatesReplaced
	c.TemplatesUnchanged += o.TemplatesUnchanged
	c.TemplatesWithdrawn += o.TemplatesWithdrawn
	c.WithdrawalsIgnored += o.WithdrawalsIgnored
	c.CounterSamples += o.CounterSamples
	c.DropSamples += o.DropSamples
	c.UnknownSamples += o.UnknownSamples
}
