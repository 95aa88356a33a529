package main

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// limit is the least that the work can cost: straight-line encoders of the
// templates of the workloads, with everything that can be known before
// known before. It checks nothing and serves nothing else.
type limit struct {
	workload string
	out      []byte
	prefix   []byte
	room     int
}

func newLimit(workload string) *limit {
	return &limit{workload: workload, out: make([]byte, 1<<16), room: 2}
}

func (l *limit) name() string { return "limit" }

func (l *limit) run(d *input) (records, bytes int) {
	b := d.payload
	switch l.workload {
	case "nf5":
		return l.netflow5(b)
	case "nf9":
		return l.sets(b, 20)
	case "ipfix":
		return l.sets(b, 16)
	}
	return 0, 0
}

// appendField is for the prefix, which is made once a set.
func appendField(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3), v)
}

func (l *limit) begin(flowType, sequence uint32, etype uint64, rate uint64, domain uint32) {
	p := append(l.prefix[:0], 1<<3, byte(flowType))
	p = appendField(p, 4, uint64(sequence))
	p = append(p, 11<<3|2, 4, 192, 0, 2, 1)
	p = appendField(p, 30, etype)
	p = appendField(p, 110, receivedNs)
	if rate != 0 {
		p = appendField(p, 3, rate)
	}
	if domain != 0 {
		p = appendField(p, 70, uint64(domain))
	}
	l.prefix = p
}

// cursor writes at p and advances it.
type cursor struct{ p unsafe.Pointer }

func (c *cursor) addr4(tag uint64, from unsafe.Pointer) {
	*(*uint64)(c.p) = tag | 4<<8 | uint64(*(*uint32)(from))<<16
	c.p = unsafe.Add(c.p, 6)
}

func (c *cursor) addr16(tag uint16, from unsafe.Pointer) {
	*(*uint16)(c.p) = tag | 16<<8
	*(*[16]byte)(unsafe.Add(c.p, 2)) = *(*[16]byte)(from)
	c.p = unsafe.Add(c.p, 18)
}

func (c *cursor) int32(v uint64, tag uint64, tagLen int) {
	n := (bits.Len32(uint32(v)|1)*9 + 64) >> 6
	x := v&0x7f | v<<1&0x7f00 | v<<2&0x7f0000 | v<<3&0x7f000000 | v<<4&0xf00000000
	x |= 0x80808080 & (1<<(8*(n-1)&63) - 1)
	*(*uint64)(c.p) = x<<(8*tagLen) | tag
	c.p = unsafe.Add(c.p, (tagLen+n)&-int((v+0xffffffff)>>32))
}

func (c *cursor) time(tag uint16, v uint64) {
	*(*uint16)(c.p) = tag
	w := v
	w = w&0x000000000fffffff | w&0x00fffffff0000000<<4
	w = w&0x00003fff00003fff | w&0x0fffc0000fffc000<<2
	w = w&0x007f007f007f007f | w&0x3f803f803f803f80<<1
	*(*uint64)(unsafe.Add(c.p, 2)) = w | 0x8080808080808080
	*(*byte)(unsafe.Add(c.p, 10)) = byte(v >> 56)
	c.p = unsafe.Add(c.p, 11)
}

func be16(p unsafe.Pointer) uint64 { return uint64(bits.ReverseBytes16(*(*uint16)(p))) }
func be32(p unsafe.Pointer) uint64 { return uint64(bits.ReverseBytes32(*(*uint32)(p))) }
func be64(p unsafe.Pointer) uint64 { return bits.ReverseBytes64(*(*uint64)(p)) }

// tag2 is a tag of two bytes as it is written.
func tag2(field, wire uint64) uint64 {
	t := field<<3 | wire
	return t&0x7f | 0x80 | t>>7<<8
}

const (
	tagStart = (111<<3)&0x7f | 0x80 | (111 << 3 >> 7 << 8)
	tagEnd   = (112<<3)&0x7f | 0x80 | (112 << 3 >> 7 << 8)
)

// end writes the length of the message from at to c, and returns where the
// next one begins.
func (l *limit) end(at unsafe.Pointer, c cursor) unsafe.Pointer {
	n := uintptr(c.p) - uintptr(at) - 2
	*(*uint16)(at) = uint16(n&0x7f|0x80) | uint16(n>>7)<<8
	return c.p
}

func (l *limit) start(at unsafe.Pointer) cursor {
	copy(unsafe.Slice((*byte)(unsafe.Add(at, 2)), 128), l.prefix)
	return cursor{unsafe.Add(at, 2+len(l.prefix))}
}

func (l *limit) netflow5(b []byte) (records, bytes int) {
	uptime := uint64(binary.BigEndian.Uint32(b[4:]))
	export := uint64(binary.BigEndian.Uint32(b[8:]))*1e9 + uint64(binary.BigEndian.Uint32(b[12:]))
	l.begin(2, binary.BigEndian.Uint32(b[16:]), 0x800, uint64(binary.BigEndian.Uint16(b[22:])&0x3fff), 0)
	first := unsafe.Pointer(unsafe.SliceData(l.out))
	at := first
	for b = b[24:]; len(b) >= 48; b = b[48:] {
		r := unsafe.Pointer(unsafe.SliceData(b))
		c := l.start(at)
		c.addr4(6<<3|2, r)
		c.addr4(7<<3|2, unsafe.Add(r, 4))
		c.addr4(12<<3|2, unsafe.Add(r, 8))
		c.int32(be16(unsafe.Add(r, 12)), tag2(18, 0), 2)
		c.int32(be16(unsafe.Add(r, 14)), tag2(19, 0), 2)
		c.int32(be32(unsafe.Add(r, 16)), 10<<3, 1)
		c.int32(be32(unsafe.Add(r, 20)), 9<<3, 1)
		c.time(tagStart, export-(uptime-be32(unsafe.Add(r, 24)))*1e6)
		c.time(tagEnd, export-(uptime-be32(unsafe.Add(r, 28)))*1e6)
		c.int32(be16(unsafe.Add(r, 32)), tag2(21, 0), 2)
		c.int32(be16(unsafe.Add(r, 34)), tag2(22, 0), 2)
		c.int32(uint64(*(*byte)(unsafe.Add(r, 37))), tag2(26, 0), 2)
		c.int32(uint64(*(*byte)(unsafe.Add(r, 38))), tag2(20, 0), 2)
		c.int32(uint64(*(*byte)(unsafe.Add(r, 39))), tag2(23, 0), 2)
		c.int32(be16(unsafe.Add(r, 40)), 14<<3, 1)
		c.int32(be16(unsafe.Add(r, 42)), 15<<3, 1)
		c.int32(uint64(*(*byte)(unsafe.Add(r, 44))), tag2(16, 0), 2)
		c.int32(uint64(*(*byte)(unsafe.Add(r, 45))), tag2(17, 0), 2)
		at = l.end(at, c)
		records++
	}
	return records, int(uintptr(at) - uintptr(first))
}

// sets encodes the data sets of a v9 or IPFIX message by their ids alone.
func (l *limit) sets(b []byte, header int) (records, bytes int) {
	first := unsafe.Pointer(unsafe.SliceData(l.out))
	at := first
	nine := header == 20
	var uptime, export uint64
	if nine {
		uptime = uint64(binary.BigEndian.Uint32(b[4:]))
		export = uint64(binary.BigEndian.Uint32(b[8:])) * 1e9
	}
	sequence := binary.BigEndian.Uint32(b[header-8:])
	domain := binary.BigEndian.Uint32(b[header-4:])
	for b = b[header:]; len(b) >= 4; {
		id, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		body := b[4:n]
		b = b[n:]
		switch {
		case nine && id == 256:
			l.begin(3, sequence, 0x800, 0, domain)
			for ; len(body) >= 59; body = body[59:] {
				at = l.record9(at, unsafe.Pointer(unsafe.SliceData(body)), export, uptime)
				records++
			}
		case !nine && id == 256:
			l.begin(4, sequence, 0x800, 1000, domain)
			for ; len(body) >= 66; body = body[66:] {
				at = l.ipfix4(at, unsafe.Pointer(unsafe.SliceData(body)))
				records++
			}
		case !nine && id == 257:
			l.begin(4, sequence, 0x86dd, 1000, domain)
			for ; len(body) >= 106; body = body[106:] {
				at = l.ipfix6(at, unsafe.Pointer(unsafe.SliceData(body)))
				records++
			}
		}
	}
	return records, int(uintptr(at) - uintptr(first))
}

// record9 encodes the 21 fields of the v9 template: 8 12 15 10 14 2 1 22 21 of
// 4 bytes, 7 11 of 2, 6 4 5 of 1, 16 17 of 4, 9 13 61 48 of 1, 89 of 4.
func (l *limit) record9(at, r unsafe.Pointer, export, uptime uint64) unsafe.Pointer {
	c := l.start(at)
	c.addr4(6<<3|2, r)
	c.addr4(7<<3|2, unsafe.Add(r, 4))
	c.addr4(12<<3|2, unsafe.Add(r, 8))
	c.int32(be32(unsafe.Add(r, 12)), tag2(18, 0), 2)
	c.int32(be32(unsafe.Add(r, 16)), tag2(19, 0), 2)
	c.int32(be32(unsafe.Add(r, 20)), 10<<3, 1)
	c.int32(be32(unsafe.Add(r, 24)), 9<<3, 1)
	c.time(tagStart, export-(uptime-be32(unsafe.Add(r, 28)))*1e6)
	c.time(tagEnd, export-(uptime-be32(unsafe.Add(r, 32)))*1e6)
	c.int32(be16(unsafe.Add(r, 36)), tag2(21, 0), 2)
	c.int32(be16(unsafe.Add(r, 38)), tag2(22, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 40))), tag2(26, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 41))), tag2(20, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 42))), tag2(23, 0), 2)
	c.int32(be32(unsafe.Add(r, 43)), 14<<3, 1)
	c.int32(be32(unsafe.Add(r, 47)), 15<<3, 1)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 51))), tag2(16, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 52))), tag2(17, 0), 2)
	c.int32(1000, 3<<3, 1) // the rate of sampler 54, were it looked up
	c.int32(be32(unsafe.Add(r, 55)), tag2(24, 0), 2)
	return l.end(at, c)
}

func ntp(v uint64) uint64 { return (v>>32-2208988800)*1e9 + v&0xffffffff*1e9>>32 }

// ipfix4 encodes 8 12 15 10 14 2 of 4 bytes, 1 of 8, 7 11 of 2, 4 5 of 1, 6 of
// 2, 16 17 of 4, 9 13 of 1, 156 157 of 8.
func (l *limit) ipfix4(at, r unsafe.Pointer) unsafe.Pointer {
	c := l.start(at)
	c.addr4(6<<3|2, r)
	c.addr4(7<<3|2, unsafe.Add(r, 4))
	c.addr4(12<<3|2, unsafe.Add(r, 8))
	r = unsafe.Add(r, 12)
	r = l.ipfixMiddle(&c, r)
	c.int32(uint64(*(*byte)(r)), tag2(16, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 1))), tag2(17, 0), 2)
	c.time(tagStart, ntp(be64(unsafe.Add(r, 2))))
	c.time(tagEnd, ntp(be64(unsafe.Add(r, 10))))
	return l.end(at, c)
}

// ipfix6 is ipfix4 with addresses of 16 bytes and a flow label (31) of 4.
func (l *limit) ipfix6(at, r unsafe.Pointer) unsafe.Pointer {
	c := l.start(at)
	c.addr16(6<<3|2, r)
	c.addr16(7<<3|2, unsafe.Add(r, 16))
	c.addr16(12<<3|2, unsafe.Add(r, 32))
	r = l.ipfixMiddle(&c, unsafe.Add(r, 48))
	c.int32(uint64(*(*byte)(r)), tag2(16, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 1))), tag2(17, 0), 2)
	c.int32(be32(unsafe.Add(r, 2)), tag2(37, 0), 2)
	c.time(tagStart, ntp(be64(unsafe.Add(r, 6))))
	c.time(tagEnd, ntp(be64(unsafe.Add(r, 14))))
	return l.end(at, c)
}

// ipfixMiddle encodes what both templates have after their addresses.
func (l *limit) ipfixMiddle(c *cursor, r unsafe.Pointer) unsafe.Pointer {
	c.int32(be32(r), tag2(18, 0), 2)
	c.int32(be32(unsafe.Add(r, 4)), tag2(19, 0), 2)
	c.int32(be32(unsafe.Add(r, 8)), 10<<3, 1)
	c.int32(be64(unsafe.Add(r, 12)), 9<<3, 1)
	c.int32(be16(unsafe.Add(r, 20)), tag2(21, 0), 2)
	c.int32(be16(unsafe.Add(r, 22)), tag2(22, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 24))), tag2(20, 0), 2)
	c.int32(uint64(*(*byte)(unsafe.Add(r, 25))), tag2(23, 0), 2)
	c.int32(be16(unsafe.Add(r, 26)), tag2(26, 0), 2)
	c.int32(be32(unsafe.Add(r, 28)), 14<<3, 1)
	c.int32(be32(unsafe.Add(r, 32)), 15<<3, 1)
	return unsafe.Add(r, 36)
}
