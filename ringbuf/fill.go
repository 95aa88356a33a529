package ringbuf

import "fmt"

// Fill is the ring of empty frames that the kernel may put packets into.
//
// One goroutine at a time may push and reserve; the role may move to another
// only through something that orders the two. The methods said to be for anyone
// may be called at any time.
type Fill struct {
	producing
	addrs []uint64
}

// NewFill returns the fill ring of size entries, a power of two, that lies in
// mem, which must stay mapped while the ring is used.
func NewFill(mem []byte, at Layout, size uint32) (*Fill, error) {
	r := new(Fill)
	err := r.open(mem, at, size)
	if err == nil {
		r.addrs, err = entries[uint64](mem, at.Desc, size)
	}
	if err != nil {
		return nil, fmt.Errorf("map fill ring: %w", err)
	}
	return r, nil
}

// Push hands frames to the kernel, given by the offset of their chunks in the
// UMEM, and returns how many there was room for: the first ones.
func (f *Fill) Push(addrs []uint64) int {
	n := f.room(len(addrs))
	if n == 0 {
		return 0
	}
	// At most two runs: up to the end of the array, and from its beginning.
	first := f.addrs[f.next&f.mask:]
	copied := copy(first, addrs[:n])
	copy(f.addrs, addrs[copied:n])
	f.submit(n)
	return n
}

// Reserve returns how many of n entries there is room for. They are written by
// Set and handed over by Submit; what is not submitted was never reserved.
func (f *Fill) Reserve(n int) int { return f.room(n) }

// Set writes reserved entry i, counted from 0 after the last Submit.
func (f *Fill) Set(i int, addr uint64) { f.addrs[(f.next+uint32(i))&f.mask] = addr }

// Submit hands the first n reserved entries to the kernel.
func (f *Fill) Submit(n int) { f.submit(n) }

// TX is the ring of packets that the kernel is to send.
//
// One goroutine at a time may use it, as with [Fill].
type TX struct {
	producing
	descs []Desc
}

// NewTX returns the TX ring of size entries, a power of two, that lies in mem,
// which must stay mapped while the ring is used.
func NewTX(mem []byte, at Layout, size uint32) (*TX, error) {
	r := new(TX)
	err := r.open(mem, at, size)
	if err == nil {
		r.descs, err = entries[Desc](mem, at.Desc, size)
	}
	if err != nil {
		return nil, fmt.Errorf("map tx ring: %w", err)
	}
	return r, nil
}

// Push hands packets to the kernel and returns how many there was room for: the
// first ones. Their frames belong to the kernel until the completion ring
// brings them back.
func (t *TX) Push(descs []Desc) int {
	n := t.room(len(descs))
	if n == 0 {
		return 0
	}
	first := t.descs[t.next&t.mask:]
	copied := copy(first, descs[:n])
	copy(t.descs, descs[copied:n])
	t.submit(n)
	return n
}

// Reserve returns how many of n entries there is room for. They are written by
// Set and handed over by Submit; what is not submitted was never reserved.
func (t *TX) Reserve(n int) int { return t.room(n) }

// Set writes reserved entry i, counted from 0 after the last Submit.
func (t *TX) Set(i int, d Desc) { t.descs[(t.next+uint32(i))&t.mask] = d }

// Submit hands the first n reserved entries to the kernel.
func (t *TX) Submit(n int) { t.submit(n) }
