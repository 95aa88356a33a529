package producer

// fusedTables are the fields of a fused plan as the encoder in assembly reads
// them: one list of ops, sorted by kind, each kind one loop. They say the same
// as the plan's own tables, from which pack makes them.
type fusedTables struct {
	ops       []fusedOp
	counts    [numOpKinds]uint32 // of ops, by kind
	flags     uint32             // how many are of kinds from kindFlag1 on
	times     uint32             // how start and end are said, a timesX constant
	start     uint32             // offset in the record
	end       uint32
	recordLen uint64
	// icmp has the bits of the protocols whose type and code are in the destination
	// port; proto and port are where they stand.
	icmp        uint64
	proto, port uint32
}

// Kinds of ops, in the order in which they are written.
const (
	kindAddr4Tag1 = iota // the tag's word holds tag and length
	kindAddr4Tag2
	kindAddr16Tag1 // as kindAddr4Tag1
	kindAddr16Tag2
	kindInt1Tag1
	kindInt1Tag2
	kindInt2Tag1
	kindInt2Tag2
	kindInt4Tag1
	kindInt4Tag2
	kindInt8Tag1
	kindFlag1 // as kindInt1Tag2, but zero is written too
	kindFlag2
	kindFlag4
	kindVLAN  // as kindInt2Tag2, but of 12 bits
	kindSome4 // as kindAddr4Tag2, but zero is left out
	kindSome16
	numOpKinds
)

// How a record says its start and end, both alike.
const (
	timesNone   = iota // not at all, or by writeRest
	timesUptime        // 32 bits on the uptime clock
	timesNTP           // 64 bits
	timesMillis        // 64 bits of Unix milliseconds
	timesSecs          // 32 bits of Unix seconds
)

// pack rebuilds the tables; the plan is finished but for them.
func (p *fusedPlan) pack() {
	t := &fusedTables{recordLen: uint64(p.recordLen), times: p.times, start: p.start.offset, end: p.end.offset}
	if p.icmp {
		t.proto, t.port = p.proto, p.port
		t.icmp = 1<<protoICMP | 1<<protoICMPv6
	}
	p.tables = nil
	for _, list := range [][]fusedAddr{p.addr4, p.addr16} {
		for tagLen := range uint8(2) {
			for _, a := range list {
				if a.offset > 1<<16-1 {
					return
				}
				if a.tagLen == tagLen+1 {
					// Of a tag of two bytes the length is left out.
					t.ops = append(t.ops, fusedOp{uint16(a.offset), uint16(a.head)})
				}
			}
		}
	}
	for i := range p.addr4 {
		t.counts[kindAddr4Tag1+p.addr4[i].tagLen-1]++
	}
	for i := range p.addr16 {
		t.counts[kindAddr16Tag1+p.addr16[i].tagLen-1]++
	}
	for i, list := range [][]fusedOp{p.int1Tag1, p.int1Tag2, p.int2Tag1, p.int2Tag2, p.int4Tag1, p.int4Tag2, p.int8Tag1, p.flag1, p.flag2, p.flag4, p.vlans, p.some4, p.some16} {
		t.ops = append(t.ops, list...)
		t.counts[kindInt1Tag1+i] = uint32(len(list))
		if kindInt1Tag1+i >= kindFlag1 {
			t.flags += uint32(len(list))
		}
	}
	p.tables = t
}
