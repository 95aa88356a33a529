package ringbuf

import "fmt"

// RX is the ring of received packets.
//
// One goroutine at a time may peek, read and release; the role may move to
// another only through something that orders the two. The methods said to be
// for anyone may be called at any time.
type RX struct {
	consuming
	descs []Desc
}

// NewRX returns the RX ring of size entries, a power of two, that lies in mem,
// which must stay mapped while the ring is used.
func NewRX(mem []byte, at Layout, size uint32) (*RX, error) {
	r := new(RX)
	err := r.open(mem, at, size)
	if err == nil {
		r.descs, err = entries[Desc](mem, at.Desc, size)
	}
	if err != nil {
		return nil, fmt.Errorf("map rx ring: %w", err)
	}
	return r, nil
}

// At returns descriptor i, 0 <= i < n, of the n that the last Peek showed. Its
// frame belongs to this side from then on, also after Release, which only gives
// the ring's entry back: until it is put into the fill ring.
func (r *RX) At(i int) Desc { return r.descs[(r.next+uint32(i))&r.mask] }

// Runs returns the first n descriptors that the last Peek showed as they lie in
// the ring: up to the end of its array, and from its beginning, where there are any. They are
// valid until Release.
func (r *RX) Runs(n int) (first, rest []Desc) {
	at := r.next & r.mask
	first = r.descs[at:min(int(at)+n, len(r.descs))]
	return first, r.descs[:n-len(first)]
}

// Completion is the ring of frames whose packets were sent.
//
// One goroutine at a time may use it, as with [RX].
type Completion struct {
	consuming
	addrs []uint64
}

// NewCompletion returns the completion ring of size entries, a power of two,
// that lies in mem, which must stay mapped while the ring is used.
func NewCompletion(mem []byte, at Layout, size uint32) (*Completion, error) {
	r := new(Completion)
	err := r.open(mem, at, size)
	if err == nil {
		r.addrs, err = entries[uint64](mem, at.Desc, size)
	}
	if err != nil {
		return nil, fmt.Errorf("map completion ring: %w", err)
	}
	return r, nil
}

// At returns entry i, 0 <= i < n, of the n that the last Peek showed: the offset
// in the UMEM of a frame that belongs to this side again.
func (c *Completion) At(i int) uint64 { return c.addrs[(c.next+uint32(i))&c.mask] }
