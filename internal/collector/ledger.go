package collector

import "github.com/weirflow/weir/sink"

// Ledger is where every datagram and every record ended, as far as this
// process can know. The sums that hold:
//
//	Received         = decoded + failed        (both in Workers.Decode)
//	records produced = Acknowledged + dropped by reason + InFlight
//
// What the kernel dropped at the sockets is not in Received.
type Ledger struct {
	// Workers is the sum over all workers.
	Workers Snapshot
	// Acknowledged counts the records that the output took.
	Acknowledged uint64
	// Dropped counts the records that were lost, by reason.
	Dropped []Drop
	// InFlight counts the records on their way to the output.
	InFlight uint64
	// SinkBytes counts the bytes that the output took.
	SinkBytes uint64
}

// Drop is a number of records lost for one reason.
type Drop struct {
	Reason  string
	Records uint64
}

// ReasonSinkBehind is why a worker drops records: the sink has all of its
// batches.
const ReasonSinkBehind = "sink_behind"

// NewLedger sums the counters of the workers and the sink up. The sink's are
// read first, and workers publish their counters before they hand a batch
// over, so that what is in flight is never negative.
func NewLedger(workers []*Worker, counters *sink.Counters) *Ledger {
	l := &Ledger{Acknowledged: counters.Acked(), SinkBytes: counters.Bytes()}
	dropped := uint64(0)
	counters.EachDropped(func(reason string, n uint64) {
		l.Dropped = append(l.Dropped, Drop{reason, n})
		dropped += n
	})
	for _, w := range workers {
		s := w.Snapshot()
		l.Workers.Received += s.Received
		l.Workers.ReceivedBytes += s.ReceivedBytes
		l.Workers.SocketDropped += s.SocketDropped
		l.Workers.Sealed += s.Sealed
		l.Workers.SinkBehind += s.SinkBehind
		l.Workers.Decode.Add(&s.Decode)
	}
	l.Dropped = append(l.Dropped, Drop{ReasonSinkBehind, l.Workers.SinkBehind})
	dropped += l.Workers.SinkBehind
	l.InFlight = l.Produced() - l.Acknowledged - dropped
	return l
}

// Produced returns the number of records that the workers produced.
func (l *Ledger) Produced() uint64 {
	total := uint64(0)
	for _, n := range l.Workers.Decode.Records {
		total += n
	}
	return total
}

// DroppedRecords returns the number of records lost for all reasons.
func (l *Ledger) DroppedRecords() uint64 {
	total := uint64(0)
	for _, d := range l.Dropped {
		total += d.Records
	}
	return total
}
