package capture

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Datagram is one UDP datagram as it stood in a capture.
type Datagram struct {
	// TimeNs is the capture time in nanoseconds since 1970 UTC; of a datagram
	// that came in fragments, the time of the fragment that completed it. Zero
	// where the capture has no times (pcapng simple packets).
	TimeNs int64
	// Src and Dst are as in the IP and UDP headers, without an IPv6 zone.
	Src, Dst netip.AddrPort
	// Payload is what follows the UDP header. From [Reader.Next] it is valid
	// until the next call; from [Load] as long as anyone holds it.
	Payload []byte
	// Cut says that the UDP header promises more bytes than the capture holds;
	// Payload then ends where the captured bytes end.
	Cut bool
}

// Stats counts what became of the packet records of a capture. Each record is
// in exactly one of the counters from Datagrams to OverLimit, so that
//
//	Frames = Datagrams + NonIP + TCP + OtherIP + UnknownLink + Truncated +
//	         Malformed + FragmentsWaiting + FragmentsUsed + FragmentsIncomplete +
//	         OverLimit
//
// The record that completes a fragmented datagram is counted by what the whole
// datagram is; those before it are FragmentsUsed.
type Stats struct {
	Frames uint64 // packet records read

	Datagrams   uint64 // UDP datagrams handed out
	NonIP       uint64 // ARP, LLDP, MPLS and whatever else is not IPv4 or IPv6
	TCP         uint64 // TCP segments
	OtherIP     uint64 // IP protocols other than UDP and TCP
	UnknownLink uint64 // link types that this package does not read
	Truncated   uint64 // captured too short to see the UDP header, or a fragment captured in part
	Malformed   uint64 // lengths that contradict each other, overlapping fragments

	FragmentsWaiting    uint64 // fragments held now, their datagram not whole yet
	FragmentsUsed       uint64 // fragments whose datagram became whole with a later one
	FragmentsIncomplete uint64 // fragments given up: too old, too many, contradicted, or the capture ended

	// OverLimit counts frames of more than 1 MiB, and those of other interfaces than the
	// first 4,096 of a section of pcapng; InterfacesIgnored counts the latter.
	OverLimit         uint64
	InterfacesIgnored uint64

	Cut uint64 // of Datagrams: those with [Datagram.Cut]
}

// accounted is the right side of the equation in the comment of [Stats].
func (s *Stats) accounted() uint64 {
	return s.Datagrams + s.NonIP + s.TCP + s.OtherIP + s.UnknownLink + s.Truncated +
		s.Malformed + s.FragmentsWaiting + s.FragmentsUsed + s.FragmentsIncomplete + s.OverLimit
}

// ErrNotCapture says that the input does not begin as a capture does. The error
// of [Open], [NewReader] and [Load] names the input and wraps it.
var ErrNotCapture = errors.New("not a capture: want pcap or pcapng, plain or gzip'ed")

// DamagedError says that a capture cannot be read to its end: it stops in the
// middle of a record, or a record contradicts itself. What was read before it
// is good, so a caller may warn and keep it.
type DamagedError struct {
	Name   string // the file, or "standard input"
	Frames uint64 // packet records that were read whole
	Err    error  // io.ErrUnexpectedEOF where the file just ends
}

func (e *DamagedError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("read capture %q: unexpected end after frame %d", e.Name, e.Frames)
	}
	return fmt.Sprintf("read capture %q: damaged after frame %d: %v", e.Name, e.Frames, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Load reads all datagrams of a capture into memory, the payloads copied into
// one arena. A name of "-" reads standard input.
//
// On a [*DamagedError] the datagrams and counters up to the damage are returned
// along with it; on any other error there are none.
func Load(name string) ([]Datagram, Stats, error) {
	r, err := Open(name)
	if err != nil {
		return nil, Stats{}, err
	}
	defer r.Close()
	return loadAll(r)
}

func loadAll(r *Reader) ([]Datagram, Stats, error) {
	var (
		list  []Datagram
		ends  []int
		arena []byte
	)
	for {
		d, err := r.Next()
		if err != nil {
			// The arena has stopped moving: only now may it be sliced.
			for i := range list {
				begin := 0
				if i > 0 {
					begin = ends[i-1]
				}
				list[i].Payload = arena[begin:ends[i]:ends[i]]
			}
			if err == io.EOF {
				return list, r.Stats(), nil
			}
			var damaged *DamagedError
			if errors.As(err, &damaged) {
				return list, r.Stats(), err
			}
			return nil, Stats{}, err
		}
		arena = append(arena, d.Payload...)
		ends = append(ends, len(arena))
		d.Payload = nil
		list = append(list, d)
	}
}
