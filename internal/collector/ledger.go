package collector

import (
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// Path is a way that datagrams come by.
type Path uint8

// Paths.
const (
	PathUDP Path = iota // over an ordinary socket
	PathXDP             // bypassing the kernel network stack
	// NumPaths is the number of paths.
	NumPaths = int(iota)
)

// String returns the path's name, as it appears in metrics.
func (p Path) String() string { return [NumPaths]string{"udp", "xdp"}[p] }

// Ledger is where every datagram and every record ended, as far as this
// process can know. The sums that hold:
//
//	Received         = decoded + failed + held (all in Workers.Decode)
//	                 + Denied + Limited + Shutdown
//	records produced = Acknowledged + dropped by reason + Spooled + InFlight
//	 + Recovered
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
	// Spooled counts the records that wait on disk for the output.
	Spooled uint64
	// Recovered counts the records that were found on disk at the start.
	Recovered uint64
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
	l := &Ledger{SinkBytes: counters.Bytes()}
	ended := counters.LedgerByReason(func(reason string, n uint64) {
		l.Dropped = append(l.Dropped, Drop{reason, n})
	})
	l.Acknowledged, l.Spooled, l.Recovered = ended.Acked, ended.Spooled, ended.Recovered
	for _, w := range workers {
		s := w.Snapshot()
		for i := range s.Received {
			l.Workers.Received[i] += s.Received[i]
			l.Workers.ReceivedBytes[i] += s.ReceivedBytes[i]
		}
		l.Workers.Denied += s.Denied
		l.Workers.Limited += s.Limited
		l.Workers.Shutdown += s.Shutdown
		l.Workers.FramesMalformed += s.FramesMalformed
		l.Workers.SocketDropped += w.parts.WaitedDrops
		for _, p := range *w.places.Load() {
			// As of now: after the worker has ended, closing a socket learns more.
			l.Workers.SocketDropped += p.drops()
		}
		l.Workers.Sealed += s.Sealed
		l.Workers.SinkBehind += s.SinkBehind
		l.Workers.Decode.Add(&s.Decode)
	}
	l.Dropped = append(l.Dropped, Drop{ReasonSinkBehind, l.Workers.SinkBehind})
	l.InFlight = ended.InFlight(l.Produced() - l.Workers.SinkBehind)
	return l
}

// Received returns the number of datagrams that came over all paths.
func (l *Ledger) Received() uint64 { return producer.Sum(l.Workers.Received[:]) }

// Produced returns the number of records that the workers produced.
func (l *Ledger) Produced() uint64 {
	return producer.Sum(l.Workers.Decode.Records[:])
}

// DroppedRecords returns the number of records lost for all reasons.
func (l *Ledger) DroppedRecords() uint64 {
	total := uint64(0)
	for _, d := range l.Dropped {
		total += d.Records
	}
	return total
}
