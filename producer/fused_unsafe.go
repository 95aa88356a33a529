//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"unsafe"
)

// writeGo is write without assembly. Loads and stores need no alignment on the
// machines that this file is built for, which are little-endian.
func (pl *fusedPlan) writeGo(c *fusedContext, rec, out []byte) int {
	src := unsafe.Pointer(unsafe.SliceData(rec))
	dst := unsafe.Pointer(unsafe.SliceData(out))
	if pl.fixed {
		return writeFixed(c, rec, out)
	}
	putText(dst, unsafe.Pointer(unsafe.SliceData(c.prefix)), uintptr(len(c.prefix)))
	o := len(c.prefix)
	for i := range pl.addr4 {
		a := &pl.addr4[i]
		n := int(a.tagLen) + 1
		v := uint64(*(*uint32)(unsafe.Add(src, a.offset)))
		*(*uint64)(unsafe.Add(dst, o)) = uint64(a.head) | v<<(8*n&63)
		o += n + 4
	}
	for i := range pl.addr16 {
		a := &pl.addr16[i]
		*(*uint32)(unsafe.Add(dst, o)) = a.head
		o += int(a.tagLen) + 1
		*(*[16]byte)(unsafe.Add(dst, o)) = *(*[16]byte)(unsafe.Add(src, a.offset))
		o += 16
	}
	for _, f := range pl.int1Tag1 {
		v := uint64(*(*uint8)(unsafe.Add(src, f.offset)))
		over := v >> 7
		*(*uint64)(unsafe.Add(dst, o)) = (v|over<<8)<<8 | uint64(f.tag)
		o += (2 + int(over)) & -int((v+0xff)>>8)
	}
	for _, f := range pl.int1Tag2 {
		v := uint64(*(*uint8)(unsafe.Add(src, f.offset)))
		over := v >> 7
		*(*uint64)(unsafe.Add(dst, o)) = (v|over<<8)<<16 | uint64(f.tag)
		o += (3 + int(over)) & -int((v+0xff)>>8)
	}
	for _, f := range pl.int2Tag1 {
		v := uint64(bits.ReverseBytes16(*(*uint16)(unsafe.Add(src, f.offset))))
		x, n := spread16(v)
		*(*uint64)(unsafe.Add(dst, o)) = x<<8 | uint64(f.tag)
		o += (1 + n) & -int((v+0xffff)>>16)
	}
	for _, f := range pl.int2Tag2 {
		v := uint64(bits.ReverseBytes16(*(*uint16)(unsafe.Add(src, f.offset))))
		x, n := spread16(v)
		*(*uint64)(unsafe.Add(dst, o)) = x<<16 | uint64(f.tag)
		o += (2 + n) & -int((v+0xffff)>>16)
	}
	for _, f := range pl.int4Tag1 {
		v := uint64(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, f.offset))))
		x, n := spread32(v)
		*(*uint64)(unsafe.Add(dst, o)) = x<<8 | uint64(f.tag)
		o += (1 + n) & -int((v+0xffffffff)>>32)
	}
	for _, f := range pl.int4Tag2 {
		v := uint64(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, f.offset))))
		x, n := spread32(v)
		*(*uint64)(unsafe.Add(dst, o)) = x<<16 | uint64(f.tag)
		o += (2 + n) & -int((v+0xffffffff)>>32)
	}
	for _, f := range pl.int8Tag1 {
		v := bits.ReverseBytes64(*(*uint64)(unsafe.Add(src, f.offset)))
		if v >= 1<<32 {
			o = putInt(out, o, f.tag, 1, v)
			continue
		}
		x, n := spread32(v)
		*(*uint64)(unsafe.Add(dst, o)) = x<<8 | uint64(f.tag)
		o += (1 + n) & -int((v+0xffffffff)>>32)
	}
	for _, f := range pl.flag1 {
		o = putFlag(out, o, uint64(*(*uint8)(unsafe.Add(src, f.offset))), f.tag)
	}
	for _, f := range pl.flag2 {
		o = putFlag(out, o, uint64(bits.ReverseBytes16(*(*uint16)(unsafe.Add(src, f.offset)))), f.tag)
	}
	for _, f := range pl.flag4 {
		o = putFlag(out, o, uint64(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, f.offset)))), f.tag)
	}
	for _, f := range pl.vlans {
		o = put16(out, o, uint64(bits.ReverseBytes16(*(*uint16)(unsafe.Add(src, f.offset))))&(1<<vlanBits-1), f.tag, 2)
	}
	for _, f := range pl.some4 {
		v := uint64(*(*uint32)(unsafe.Add(src, f.offset)))
		*(*uint64)(unsafe.Add(dst, o)) = v<<24 | 4<<16 | uint64(f.tag)
		o += 7 & -int((v+0xffffffff)>>32)
	}
	for _, f := range pl.some16 {
		v := *(*[2]uint64)(unsafe.Add(src, f.offset))
		*(*uint32)(unsafe.Add(dst, o)) = 16<<16 | uint32(f.tag)
		*(*[2]uint64)(unsafe.Add(dst, o+3)) = v
		if v[0]|v[1] != 0 {
			o += 19
		}
	}
	o = pl.putICMP(rec, out, o)
	switch pl.times {
	case timesNone:
	case timesUptime:
		o = c.putTimes(out, o,
			c.uptime(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, pl.start.offset)))),
			c.uptime(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, pl.end.offset)))))
	case timesNTP:
		o = c.putTimes(out, o,
			c.ntp(bits.ReverseBytes64(*(*uint64)(unsafe.Add(src, pl.start.offset)))),
			c.ntp(bits.ReverseBytes64(*(*uint64)(unsafe.Add(src, pl.end.offset)))))
	default:
		o = c.putTimes(out, o, pl.start.load(c, rec), pl.end.load(c, rec))
	}
	if pl.rest {
		o = pl.writeRest(c, rec, out, o)
	}
	return o
}
