package producer

import "encoding/binary"

// writeSafe encodes one record into out, which has room for the longest message
// and slack after it, and returns the message's length.
func (pl *fusedPlan) writeSafe(c *fusedContext, rec, out []byte) int {
	o := copy(out, c.prefix)
	for i := range pl.addr4 {
		a := &pl.addr4[i]
		head := uint64(a.head)
		n := int(a.tagLen) + 1
		v := uint64(binary.LittleEndian.Uint32(rec[a.offset:]))
		binary.LittleEndian.PutUint64(out[o:], head|v<<(8*n&63))
		o += n + 4
	}
	for i := range pl.addr16 {
		a := &pl.addr16[i]
		binary.LittleEndian.PutUint32(out[o:], a.head)
		o += int(a.tagLen) + 1
		o += copy(out[o:o+16], rec[a.offset:a.offset+16])
	}
	for _, f := range pl.int1Tag1 {
		o = put8(out, o, uint64(rec[f.offset]), f.tag, 1)
	}
	for _, f := range pl.int1Tag2 {
		o = put8(out, o, uint64(rec[f.offset]), f.tag, 2)
	}
	for _, f := range pl.int2Tag1 {
		o = put16(out, o, uint64(binary.BigEndian.Uint16(rec[f.offset:])), f.tag, 1)
	}
	for _, f := range pl.int2Tag2 {
		o = put16(out, o, uint64(binary.BigEndian.Uint16(rec[f.offset:])), f.tag, 2)
	}
	for _, f := range pl.int4Tag1 {
		o = put32(out, o, uint64(binary.BigEndian.Uint32(rec[f.offset:])), f.tag, 1)
	}
	for _, f := range pl.int4Tag2 {
		o = put32(out, o, uint64(binary.BigEndian.Uint32(rec[f.offset:])), f.tag, 2)
	}
	for _, f := range pl.int8Tag1 {
		o = putInt(out, o, f.tag, 1, binary.BigEndian.Uint64(rec[f.offset:]))
	}
	for _, f := range pl.flag1 {
		o = putFlag(out, o, uint64(rec[f.offset]), f.tag)
	}
	for _, f := range pl.flag2 {
		o = putFlag(out, o, uint64(binary.BigEndian.Uint16(rec[f.offset:])), f.tag)
	}
	for _, f := range pl.flag4 {
		o = putFlag(out, o, uint64(binary.BigEndian.Uint32(rec[f.offset:])), f.tag)
	}
	for _, f := range pl.vlans {
		o = put16(out, o, uint64(binary.BigEndian.Uint16(rec[f.offset:]))&(1<<vlanBits-1), f.tag, 2)
	}
	for _, f := range pl.some4 {
		v := uint64(binary.LittleEndian.Uint32(rec[f.offset:]))
		binary.LittleEndian.PutUint64(out[o:], v<<24|4<<16|uint64(f.tag))
		o += 7 & -int((v+0xffffffff)>>32)
	}
	for _, f := range pl.some16 {
		if v := rec[f.offset : f.offset+16]; !allZero(v) {
			binary.LittleEndian.PutUint32(out[o:], 16<<16|uint32(f.tag))
			o += 3 + copy(out[o+3:o+19], v)
		}
	}
	o = pl.putICMP(rec, out, o)
	if pl.times != timesNone {
		o = c.putTimes(out, o, pl.start.load(c, rec), pl.end.load(c, rec))
	}
	if pl.rest {
		o = pl.writeRest(c, rec, out, o)
	}
	return o
}

// isICMP tells whether a protocol is ICMP or ICMPv6.
func isICMP(proto uint8) bool { return proto == protoICMP || proto == protoICMPv6 }

// putICMP writes type and code of ICMP that are in the destination port.
func (pl *fusedPlan) putICMP(rec, out []byte, o int) int {
	if !pl.icmp || !isICMP(rec[pl.proto]) {
		return o
	}
	o = put8(out, o, uint64(rec[pl.port]), tagICMPType, 2)
	return put8(out, o, uint64(rec[pl.port+1]), tagICMPCode, 2)
}

// put8, put16 and put32 write an integer of at most so many bits after its
// tag, as one word, and advance by nothing if it is zero. They are small enough
// to be inlined.
func put8(out []byte, o int, v uint64, tag uint16, tagLen int) int {
	over := v >> 7
	binary.LittleEndian.PutUint64(out[o:], (v|over<<7|over<<8)<<(8*tagLen)|uint64(tag))
	return o + (tagLen+1+int(over))&-int((v+0xff)>>8)
}

// putFlag writes an integer of at most 32 bits after a tag of two bytes, zero too.
func putFlag(out []byte, o int, v uint64, tag uint16) int {
	x, n := spread32(v)
	binary.LittleEndian.PutUint64(out[o:], x<<16|uint64(tag))
	return o + 2 + n
}

func put16(out []byte, o int, v uint64, tag uint16, tagLen int) int {
	x, n := spread16(v)
	binary.LittleEndian.PutUint64(out[o:], x<<(8*tagLen)|uint64(tag))
	return o + (tagLen+n)&-int((v+0xffff)>>16)
}

func put32(out []byte, o int, v uint64, tag uint16, tagLen int) int {
	x, n := spread32(v)
	binary.LittleEndian.PutUint64(out[o:], x<<(8*tagLen)|uint64(tag))
	return o + (tagLen+n)&-int((v+0xffffffff)>>32)
}
