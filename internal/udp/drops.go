package udp

import "sync/atomic"

// dropCounter makes one 64-bit total of the 32-bit counter that the kernel keeps
// for a socket (sk_drops), seen from two sides: with datagrams, where it is as
// old as the datagram, and by asking, where it is of now. Only the receiving
// goroutine observes; anyone may load the total.
type dropCounter struct {
	last  atomic.Uint32 // newest value seen; a new socket's counter starts at zero
	total atomic.Uint64
}

// observe adds what the kernel dropped since the newest value seen. A value
// after that one came with a datagram queued before it, and adds nothing. The
// counter may wrap as long as two observations are less than 2^31 drops apart.
func (d *dropCounter) observe(value uint32) {
	if delta := int32(value - d.last.Load()); delta > 0 {
		d.total.Add(uint64(delta))
		d.last.Store(value)
	}
}
