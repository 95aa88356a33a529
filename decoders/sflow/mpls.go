package sflow

// ExtendedMPLS says how a packet's labels were switched (record 1006).
type ExtendedMPLS struct {
	NextHop []byte // view of 4 or 16 bytes, nil if the agent does not know it
	// In and Out are the label stacks of the packet as it came in and as it went
	// out, the top first: views of 4 bytes an entry, as on the wire (RFC 3032).
	In, Out []byte
}

// ParseExtendedMPLS reads record 1006; false if it is not whole or the type of its
// address has no reader. What is whole of it is there even so.
func ParseExtendedMPLS(b []byte) (r ExtendedMPLS, ok bool) {
	if r.NextHop, b, ok = address(b); !ok {
		return r, false
	}
	if r.In, b, ok = labels(b); !ok {
		return r, false
	}
	r.Out, _, ok = labels(b)
	return r, ok
}

// labels takes a label stack off b: a count, and 4 bytes for each.
func labels(b []byte) (stack, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(word(b, 0))
	if b = b[4:]; n > uint64(len(b)/4) {
		return nil, nil, false
	}
	return b[: 4*n : 4*n], b[4*n:], true
}

// maxLabels bounds a label stack.
const maxLabels = 16

// Labels returns the label stack of the packet as it came in, or else as it went out,
// up to the entry at its bottom.
func (r *ExtendedMPLS) Labels() []byte {
	stack := r.In
	if len(stack) == 0 {
		stack = r.Out
	}
	for i := 0; i < len(stack); i += 4 {
		if stack[i+2]&1 != 0 || i == 4*(maxLabels-1) {
			return stack[: i+4 : i+4]
		}
	}
	return stack
}

// ParseExtendedVLANTunnel reads record 1012: the tags that a device took off a packet before it
// sampled it, the outermost first, 4 bytes each as on the wire (TPID and TCI). It is a view.
// false if the record is not whole.
func ParseExtendedVLANTunnel(b []byte) (tags []byte, ok bool) {
	tags, _, ok = labels(b)
	return tags, ok
}
