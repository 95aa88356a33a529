package sflow

// Types of AS path segments.
const (
	SegmentSet      = 1 // unordered
	SegmentSequence = 2 // ordered, nearest first
)

// ExtendedGateway says how a packet was routed between autonomous systems
// (record 1003). Its slices are views into the record.
type ExtendedGateway struct {
	NextHop []byte // BGP next hop, view of 4 or 16 bytes, nil if the agent does not know it

	AS        uint32 // of the agent
	SrcAS     uint32 // of the source
	SrcPeerAS uint32 // of the neighbour towards the source

	// The path to the destination: numbers of all its segments, sets and
	// sequences, in the order of the wire. First and last are zero where
	// PathLen is.
	PathLen         int
	FirstAS, LastAS uint32
	Segments        []byte // each: type, count, count numbers; 4 bytes each

	Communities []byte // 4 bytes each
	LocalPref   uint32
}

// ParseExtendedGateway reads record 1003; false if it is not whole or the type
// of its address has no reader. What was read before the cut is set even then:
// a path that is cut within a segment has none of that segment.
func ParseExtendedGateway(b []byte) (g ExtendedGateway, ok bool) {
	if g.NextHop, b, ok = address(b); !ok || len(b) < 16 {
		return g, false
	}
	g.AS = word(b, 0)
	g.SrcAS = word(b, 1)
	g.SrcPeerAS = word(b, 2)
	count := word(b, 3)
	b = b[16:]
	path := b
	for ; count > 0; count-- {
		if len(b) < 8 {
			return g, false
		}
		n := uint64(word(b, 1))
		if n > uint64(len(b)-8)/4 {
			return g, false
		}
		if n > 0 {
			if g.PathLen == 0 {
				g.FirstAS = word(b, 2)
			}
			g.LastAS = word(b, int(n)+1)
			g.PathLen += int(n)
		}
		b = b[8+4*n:]
		used := len(path) - len(b)
		g.Segments = path[:used:used]
	}
	if len(b) < 4 {
		return g, false
	}
	n := uint64(word(b, 0))
	b = b[4:]
	if n > uint64(len(b))/4 {
		return g, false
	}
	g.Communities = b[: 4*n : 4*n]
	if b = b[4*n:]; len(b) < 4 {
		return g, false
	}
	g.LocalPref = word(b, 0)
	return g, true
}

// ASPath appends the numbers of all path segments to dst, which may be reused
// from record to record, and returns it. It appends PathLen numbers.
func (g *ExtendedGateway) ASPath(dst []uint32) []uint32 {
	for b := g.Segments; len(b) >= 8; {
		n := min(uint64(word(b, 1)), uint64(len(b)-8)/4)
		dst = appendWords(dst, b[8:8+4*n])
		b = b[8+4*n:]
	}
	return dst
}

// AppendCommunities appends the communities to dst, which may be reused from
// record to record, and returns it.
func (g *ExtendedGateway) AppendCommunities(dst []uint32) []uint32 {
	return appendWords(dst, g.Communities)
}

func appendWords(dst []uint32, b []byte) []uint32 {
	for ; len(b) >= 4; b = b[4:] {
		dst = append(dst, word(b, 0))
	}
	return dst
}
