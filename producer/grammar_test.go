package producer_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/weirflow/weir/producer"
)

// grammar makes datagrams of bytes, so that a fuzzer that changes a byte changes a
// choice: which exporter sends what, with which templates, records, samples and
// faults. Behind the end of the bytes all choices are 0.
type grammar struct {
	b       []byte
	lengths map[uint16]int // of the records of the templates announced last, by id
	last    []byte         // the datagram before
	n       int            // of datagrams
}

func (g *grammar) byte() byte {
	if len(g.b) == 0 {
		return 0
	}
	v := g.b[0]
	g.b = g.b[1:]
	return v
}

func (g *grammar) below(n int) int  { return int(g.byte()) % n }
func (g *grammar) oneIn(n int) bool { return g.below(n) == n-1 }

func (g *grammar) bytes(n int) []byte {
	n = min(n, len(g.b))
	v := g.b[:n:n]
	g.b = g.b[n:]
	return v
}

// word is a number of 32 bits that matters now and then.
func (g *grammar) word(usual uint32) uint32 {
	switch v := g.byte(); v & 15 {
	case 12:
		return uint32(v >> 4)
	case 13:
		return 1<<32 - 1 - uint32(v>>4)
	case 14:
		return 1 << (v >> 3)
	case 15:
		return usual + uint32(v>>4) - 8
	}
	return usual
}

// fill makes n bytes of contents of some kind.
func (g *grammar) fill(n int) []byte {
	b := make([]byte, n)
	switch kind := g.byte(); kind & 3 {
	case 0:
		copy(b, g.bytes(n))
	case 1:
		for i := range b {
			b[i] = kind
		}
	default:
		x := uint32(kind)*2654435761 + 1
		for i := range b {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b[i] = byte(x)
			if kind&4 != 0 && i%4 < 2 { // numbers of a likely size
				b[i] = 0
			}
		}
	}
	return b
}

// from returns who sends.
func (g *grammar) from() netip.AddrPort {
	addr := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	v := g.byte()
	switch v & 7 {
	case 1:
		addr = netip.AddrFrom4([4]byte{192, 0, 2, 2})
	case 2:
		addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	}
	return netip.AddrPortFrom(addr, 2055+uint16(v>>5/7))
}

// datagram returns the next datagram.
func (g *grammar) datagram() []byte {
	g.n++
	var d []byte
	switch kind := g.below(16); kind {
	case 0, 1, 2, 3, 4, 5:
		d = g.message(10)
	case 6, 7, 8:
		d = g.message(9)
	case 9, 10, 11, 12:
		d = g.samples()
	case 13:
		d = g.fixed()
	case 14: // the same again, under another program maybe, or anything
		if d = append(d, g.last...); g.oneIn(4) {
			d = append([]byte(nil), g.bytes(g.below(64))...)
		}
	default:
		d = g.changed(g.last)
	}
	g.last = d
	return d
}

// changed returns a datagram with a byte changed, or cut, or with bytes after it.
func (g *grammar) changed(d []byte) []byte {
	d = append([]byte(nil), d...)
	if len(d) == 0 {
		return d
	}
	at := int(binary.BigEndian.Uint16([]byte{g.byte(), g.byte()})) % len(d)
	switch g.below(3) {
	case 0:
		d[at] ^= g.byte()
	case 1:
		d = d[:at]
	default:
		d = append(d, g.fill(g.below(50))...)
	}
	return d
}

// elements are the fields that templates are made of: number, length, enterprise.
var elements = [...][3]uint16{
	{8, 4}, {12, 4}, {7, 2}, {11, 2}, {4, 1}, {1, 4}, {2, 4}, {10, 2}, {14, 4}, {22, 4}, {21, 4}, {27, 16}, {28, 16}, {1, 8}, {2, 8},
	{15, 4}, {62, 16}, {18, 4}, {16, 4}, {17, 4}, {5, 1}, {6, 1}, {34, 4}, {48, 1}, {302, 8}, {150, 4}, {151, 4}, {152, 8}, {153, 8},
	{154, 8}, {155, 8}, {156, 8}, {157, 8}, {158, 4}, {159, 4}, {160, 8}, {150, 8}, {153, 6}, {60, 1}, {61, 1}, {58, 2}, {59, 2},
	{32, 2}, {176, 1}, {177, 1}, {139, 2}, {31, 4}, {89, 1}, {138, 4}, {70, 3}, {71, 3}, {72, 3}, {47, 4}, {312, 2}, {315, 64},
	{315, variable}, {313, variable}, {104, variable}, {82, variable}, {291, 4, 29305}, {95, 3}, {56, 6}, {80, 6}, {57, 6}, {52, 1},
	{54, 2}, {88, 2}, {197, 1}, {206, 1}, {8, 0}, {210, 7}, {1, 3},
}

// template returns a template record and notes the length of its records.
func (g *grammar) template(version uint16) []byte {
	id, n := 256+uint16(g.below(3)), 1+g.below(10)
	var specs []byte
	length := 0
	for range n {
		e := elements[g.below(len(elements))]
		if version == 10 && e[2] != 0 {
			specs = u32(u16(specs, e[0]|0x8000, e[1]), uint32(e[2]))
		} else {
			specs = u16(specs, e[0], e[1])
		}
		if e[1] != variable {
			length += int(e[1])
		} else {
			length += 3 // a likely one
		}
	}
	g.lengths[id] = length
	return append(u16(nil, id, uint16(n)), specs...)
}

// options returns an options template record.
func (g *grammar) options(version uint16) []byte {
	announced := [...][2]uint16{{34, 4}, {305, 4}, {306, 4}, {50, 4}, {48, 1}, {302, 8}, {160, 8}, {149, 4}, {82, variable}}
	id, n := 258+uint16(g.below(2)), 1+g.below(4)
	fields := []uint16{149, 4}
	length := 4
	if version == 9 {
		fields[0] = 1
	}
	for range n {
		e := announced[g.below(len(announced))]
		fields = append(fields, e[:]...)
		length += int(min(e[1], 3))
	}
	g.lengths[id] = length
	if version == 9 {
		return opt9(id, 1, fields...)
	}
	return opt(id, 1, fields...)
}

// message returns a v9 or IPFIX message.
func (g *grammar) message(version uint16) []byte {
	templates, options := uint16(2), uint16(3)
	if version == 9 {
		templates, options = 0, 1
	}
	var body []byte
	for range 1 + g.below(4) {
		switch kind := g.below(12); kind {
		case 0, 1, 2:
			records := g.template(version)
			if g.oneIn(3) {
				records = append(records, g.template(version)...)
			}
			body = append(body, set(templates, records)...)
		case 3:
			body = append(body, set(options, g.options(version))...)
		case 4:
			body = append(body, set(templates, tpl([]uint16{256, 257, 258, 259, 2, 3}[g.below(6)]))...)
		case 5:
			body = append(body, set(uint16(g.byte()), g.fill(g.below(32)))...)
		case 6:
			body = append(body, set(256+uint16(g.below(4)), g.bytes(g.below(80)))...)
		default:
			id := 256 + uint16(g.below(4))
			n := min((1+g.below(5))*max(g.lengths[id], 1)+g.below(2)*g.below(4), 600)
			body = append(body, set(id, g.fill(n))...)
		}
	}
	secs, uptime, sequence, domain := g.word(unixSecs), g.word(uptimeMs), g.word(uint32(g.n)), uint32(g.below(4)/3)
	if version == 9 {
		return append(u32(u16(nil, 9, uint16(1+g.below(3))), uptime, secs, sequence, domain), body...)
	}
	length := 16 + len(body)
	if g.oneIn(16) {
		length += g.below(3) - 1
	}
	return append(u32(u16(nil, 10, uint16(length)), secs, sequence, domain), body...)
}

// fixed returns a v1, v5, v7 or v8 datagram.
func (g *grammar) fixed() []byte {
	n := g.below(4)
	var d []byte
	header := 24
	switch g.below(5) {
	case 4:
		d, header = v8datagram(1+g.below(14), n), 28
	case 0:
		d, header = v1datagram(n, g.oneIn(2)), 16
	case 1:
		d = v7datagram(n)
	default:
		d = v5datagram(n)
	}
	binary.BigEndian.PutUint32(d[4:], g.word(uptimeMs))
	binary.BigEndian.PutUint32(d[8:], g.word(unixSecs))
	if g.oneIn(4) {
		copy(d[header:], g.fill(len(d)-header))
	}
	if g.oneIn(8) {
		binary.BigEndian.PutUint16(d[2:], uint16(g.below(6)))
	}
	return d
}

// frames are what sampled headers hold.
var frames = [][]byte{
	tcpFrame, vlanFrame, tcpFrame[:14+8], tcpFrame[:30],
	join(tcpFrame[:12], unhex("86 dd"), unhex("6a b1 23 45 00 14 11 40"), make([]byte, 32), unhex("17 c1 17 c1 00 14 00 00 00 00 65 58 00 00 00 00"), tcpFrame),
	join(tcpFrame[:12], unhex("88 47 00 01 21 40"), tcpFrame[14:]),
	join(tcpFrame[:23], []byte{1}, tcpFrame[24:34], unhex("08 00 12 34 00 00 00 00")),
	join(tcpFrame[:12], unhex("86 dd"), unhex("60 00 00 00 00 20 2b 40"), make([]byte, 32), unhex("3a 02 04 01 00 00 00 00"), make([]byte, 16), unhex("80 00 00 00 00 00 00 00")),
}

// samples returns an sFlow datagram.
func (g *grammar) samples() []byte {
	n := g.below(5)
	var all [][]byte
	for range n {
		switch g.below(8) {
		case 5:
			all = append(all, counterSample())
		case 6:
			all = append(all, tagged(5, append(u32(nil, 7, 0, 3, 1, 3, 4, 256, 1), rawHeader(tcpFrame)...)))
		case 7:
			all = append(all, tagged(uint32(g.byte()), g.fill(g.below(40))))
		case 4:
			all = append(all, g.sample(true))
		default:
			all = append(all, g.sample(false))
		}
	}
	d := sflowDatagram(all...)
	binary.BigEndian.PutUint32(d[16:], g.word(uint32(g.n)))
	binary.BigEndian.PutUint32(d[20:], g.word(uptimeMs))
	if g.oneIn(6) {
		binary.BigEndian.PutUint32(d[24:], g.word(uint32(n+1)))
	}
	if g.oneIn(6) { // an agent of IPv6
		d = join(d[:4], u32(nil, 2), make([]byte, 15), []byte{9}, d[12:])
	}
	return d
}

// sample returns a flow sample.
func (g *grammar) sample(expanded bool) []byte {
	var all [][]byte
	for range g.below(4) {
		switch g.below(10) {
		case 0, 1, 2, 3:
			all = append(all, rawHeader(frames[g.below(len(frames))]))
		case 4:
			frame := g.changed(frames[g.below(len(frames))])
			all = append(all, tagged(1, append(u32(nil, []uint32{1, 11, 12, 13, 2}[g.below(5)], 1518, 4, uint32(len(frame))), frame...)))
		case 5:
			all = append(all, tagged(1001, u32(nil, g.word(7), 0, g.word(8), 0)))
		case 6:
			all = append(all, tagged(1002, u32(nil, 1, 0xc0000201, 24, g.word(16))))
		case 7:
			all = append(all, gateway())
		case 8:
			all = append(all, tagged(uint32(2+g.below(3)), g.fill(24+g.below(40))))
		default:
			all = append(all, tagged(uint32(g.byte()), g.fill(g.below(24))))
		}
	}
	s := flowSample(all...)
	at := 8 + 8
	if expanded {
		s, at = expandedSample(all...), 8+12
	}
	binary.BigEndian.PutUint32(s[at:], g.word(400))
	if g.oneIn(8) {
		return g.changed(s)
	}
	return s
}

// override returns what the configuration says about the exporter's sampling.
func (g *grammar) override() *producer.Override {
	switch g.below(12) {
	case 10:
		return &producer.Override{Rate: uint64(g.word(9))}
	case 11:
		return &producer.Override{Rate: uint64(g.below(2)), Interfaces: map[uint32]uint64{3: 33, 4: 44}}
	}
	return nil
}

// randomBytes returns n bytes, the same for each seed.
func randomBytes(seed uint64, n int) []byte {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // it has no errors
	return b
}
