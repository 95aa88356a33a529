//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"unsafe"
)

// writeFixed is write for records of v5, and of layouts with the same fields in
// the same places: without tables, as all is known.
func writeFixed(c *fusedContext, rec, out []byte) int {
	src := unsafe.Pointer(unsafe.SliceData(rec))
	dst := unsafe.Pointer(unsafe.SliceData(out))
	w := putText(dst, unsafe.Pointer(unsafe.SliceData(c.prefix)), uintptr(len(c.prefix)))
	const addr = 4 << 8
	*(*uint64)(w) = tagSrcAddr | addr | uint64(*(*uint32)(src))<<16
	*(*uint64)(unsafe.Add(w, 6)) = tagDstAddr | addr | uint64(*(*uint32)(unsafe.Add(src, 4)))<<16
	*(*uint64)(unsafe.Add(w, 12)) = tagNextHop | addr | uint64(*(*uint32)(unsafe.Add(src, 8)))<<16
	w = unsafe.Add(w, 18)

	// Four halves in a word of eight bytes: input, output.
	ifs := bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 12)))
	ports := bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 32)))
	ases := bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 40)))
	w = putHalf2(w, uint64(ifs>>16), tagInIf)
	w = putHalf2(w, uint64(ifs&0xffff), tagOutIf)
	w = putHalf2(w, uint64(ports>>16), tagSrcPort)
	w = putHalf2(w, uint64(ports&0xffff), tagDstPort)
	w = putHalf1(w, uint64(ases>>16), tagSrcAS)
	w = putHalf1(w, uint64(ases&0xffff), tagDstAS)

	// Pad or flags, TCP flags, protocol, TOS; and the lengths of the prefixes.
	word := uint64(*(*uint32)(unsafe.Add(src, 36)))
	lens := uint64(*(*uint16)(unsafe.Add(src, 44)))
	w = putByte2(w, word>>8&0xff, tagTCPFlags)
	w = putByte2(w, word>>16&0xff, tagProto)
	w = putByte2(w, word>>24, tagIPTOS)
	w = putByte2(w, lens&0xff, tagSrcNet)
	w = putByte2(w, lens>>8, tagDstNet)

	packets := uint64(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 16))))
	x, n := spread32(packets)
	*(*uint64)(w) = x<<8 | tagPackets
	w = unsafe.Add(w, (1+n)&-int((packets+0xffffffff)>>32))
	octets := uint64(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 20))))
	x, n = spread32(octets)
	*(*uint64)(w) = x<<8 | tagBytes
	w = unsafe.Add(w, (1+n)&-int((octets+0xffffffff)>>32))
	o := int(uintptr(w) - uintptr(dst))
	if proto := rec[38]; isICMP(proto) {
		o = put8(out, o, uint64(rec[34]), tagICMPType, 2)
		o = put8(out, o, uint64(rec[35]), tagICMPCode, 2)
	}
	return c.putTimes(out, o,
		c.uptime(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 24)))),
		c.uptime(bits.ReverseBytes32(*(*uint32)(unsafe.Add(src, 28)))))
}

// putHalf2 writes a number below 1<<16 after a tag of two bytes, or nothing if
// it is zero, without a branch; putHalf1 after one of one byte, putByte2 a
// number below 256 after one of two bytes.
func putHalf2(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread16(v)
	*(*uint64)(w) = x<<16 | tag
	return unsafe.Add(w, (2+n)&-int((v+0xffff)>>16))
}

func putHalf1(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread16(v)
	*(*uint64)(w) = x<<8 | tag
	return unsafe.Add(w, (1+n)&-int((v+0xffff)>>16))
}

func putByte2(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	over := v >> 7
	*(*uint32)(w) = uint32((v|over<<8)<<16 | tag)
	return unsafe.Add(w, (3+int(over))&-int((v+0xff)>>8))
}
