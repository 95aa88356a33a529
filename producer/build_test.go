package producer_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Builders of datagrams. Numbers are given by their width: u8, u16, u32 and
// u64 append big-endian.

func u8(b []byte, v ...uint8) []byte { return append(b, v...) }

func u16(b []byte, v ...uint16) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func u32(b []byte, v ...uint32) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func u64(b []byte, v ...uint64) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// unhex reads hexadecimal digits, white space between them left out.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The clock of all exporters here.
const (
	unixSecs = 1_700_000_000
	uptimeMs = 10_000_000
)

// v5datagram returns a v5 datagram of n records.
func v5datagram(n int) []byte {
	b := u16(nil, 5, uint16(n))
	b = u32(b, uptimeMs, unixSecs, 500_000_000, 4242)
	b = u8(b, 1, 2)
	b = u16(b, 0x4000|512)
	for i := range n {
		b = append(b, v5record(i)...)
	}
	return b
}

func v5record(i int) []byte {
	b := u8(nil, 10, 0, 0, byte(i), 198, 51, 100, byte(i), 192, 0, 2, 1)
	b = u16(b, 3, 4)
	b = u32(b, 10, 1500, uptimeMs-2000, uptimeMs-1000)
	b = u16(b, 1024, 443)
	b = u8(b, 0, 0x1b, 6, 8)
	b = u16(b, 64500, 64501)
	return u8(b, 24, 16, 0, 0)
}

// v1datagram returns a v1 datagram of n records of the longer or shorter form.
func v1datagram(n int, long bool) []byte {
	b := u16(nil, 1, uint16(n))
	b = u32(b, uptimeMs, unixSecs, 0)
	for i := range n {
		b = u8(b, 10, 0, 0, byte(i), 198, 51, 100, 1, 192, 0, 2, 1)
		b = u16(b, 3, 4)
		b = u32(b, 10, 1500, uptimeMs-2000, uptimeMs-1000)
		b = u16(b, 1024, 443, 0)
		b = u8(b, 17, 0x10, 0, 0, 0, 0, 0)
		b = u32(b, 0)
		if long {
			b = u32(b, 0)
		}
		b = b[:len(b):len(b)]
		for (len(b)-16)%map[bool]int{false: 48, true: 52}[long] != 0 {
			b = append(b, 0)
		}
	}
	return b
}

// v7datagram returns a v7 datagram of n records.
func v7datagram(n int) []byte {
	b := u16(nil, 7, uint16(n))
	b = u32(b, uptimeMs, unixSecs, 0, 77, 0)
	for i := range n {
		b = append(b, v5record(i)...)
		b = u32(b, 0xc0000201) // router
	}
	return b
}

// v9 returns a v9 datagram of source id 7 with these sets.
func v9(sets ...[]byte) []byte {
	b := u16(nil, 9, uint16(len(sets)))
	b = u32(b, uptimeMs, unixSecs, 99, 7)
	return append(b, join(sets...)...)
}

// ipfix returns an IPFIX message of domain 7 with these sets.
func ipfix(sets ...[]byte) []byte { return ipfixDomain(7, sets...) }

func ipfixDomain(domain uint32, sets ...[]byte) []byte {
	body := join(sets...)
	b := u16(nil, 10, uint16(16+len(body)))
	b = u32(b, unixSecs, 88, domain)
	return append(b, body...)
}

// set returns a set with its header.
func set(id uint16, body ...[]byte) []byte {
	all := join(body...)
	return append(u16(nil, id, uint16(4+len(all))), all...)
}

// tpl returns a template record; fields are pairs of number and length.
func tpl(id uint16, fields ...uint16) []byte {
	return u16(u16(nil, id, uint16(len(fields)/2)), fields...)
}

// opt returns an IPFIX options template record, of which the first scopes
// fields are the scope.
func opt(id, scopes uint16, fields ...uint16) []byte {
	return u16(u16(nil, id, uint16(len(fields)/2), scopes), fields...)
}

// opt9 is like opt for v9.
func opt9(id, scopes uint16, fields ...uint16) []byte {
	return u16(u16(nil, id, 4*scopes, uint16(2*len(fields))-4*scopes), fields...)
}

// variable is the length of a field that carries its own.
const variable = 0xffff

// A template of a plain flow, and its records.
var flowFields = []uint16{8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 10, 4, 14, 4, 1, 4, 2, 4, 22, 4, 21, 4}

func flowRecord(i int) []byte {
	b := u8(nil, 10, 0, 1, byte(i), 198, 51, 100, byte(i))
	b = u16(b, 1024+uint16(i), 443)
	b = u8(b, 6)
	return u32(b, 5, 6, 1500, 3, uptimeMs-3000, uptimeMs-1000)
}

// sFlow.

// sflowDatagram returns a datagram of agent 192.0.2.99 with these samples.
func sflowDatagram(samples ...[]byte) []byte {
	b := u32(nil, 5, 1, 0xc0000263, 0, 31, 5000, uint32(len(samples)))
	return append(b, join(samples...)...)
}

// tagged returns a sample or record: format, length, body, padding.
func tagged(format uint32, body []byte) []byte {
	b := append(u32(nil, format, uint32(len(body))), body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// flowSample returns a flow sample with these records.
func flowSample(records ...[]byte) []byte {
	b := u32(nil, 1, 3, 400, 80000, 0, 3, 0x3fffffff, uint32(len(records)))
	return tagged(1, append(b, join(records...)...))
}

// expandedSample returns an expanded flow sample with these records.
func expandedSample(records ...[]byte) []byte {
	b := u32(nil, 1, 0, 3, 400, 80000, 0, 0, 0x12345678, 0, 0x87654321, uint32(len(records)))
	return tagged(3, append(b, join(records...)...))
}

// rawHeader returns the record of a sampled Ethernet frame.
func rawHeader(frame []byte) []byte {
	return tagged(1, append(u32(nil, 1, 1518, 4, uint32(len(frame))), frame...))
}

// tcpFrame is an Ethernet frame with IPv4 and TCP.
var tcpFrame = unhex(`02 66 77 88 99 aa 02 11 22 33 44 55 08 00
	45 10 00 34 12 34 40 00 32 06 00 00 c0 00 02 01 0a 00 00 01
	01 bb 04 00 00 00 00 01 00 00 00 02 80 12 10 00 00 00 00 00 01 01 08 0a 00 00 00 01 00 00 00 02`)

// vlanFrame is tcpFrame after a tag whose upper four bits are set.
var vlanFrame = join(tcpFrame[:12], unhex("81 00 f1 23"), tcpFrame[12:])

// gateway returns a gateway record with a path of two segments.
func gateway() []byte {
	b := u32(nil, 1, 0xcb007101, 64500, 64496, 64497, 2)
	b = u32(b, 2, 3, 64501, 64502, 64503) // sequence
	b = u32(b, 1, 2, 64510, 64511)        // set
	b = u32(b, 2, 0xfbf40001, 0xfbf40002, 100)
	return tagged(1003, b)
}

// counterSample returns a counter sample with one record.
func counterSample() []byte {
	b := u32(nil, 9, 3, 1)
	return tagged(2, append(b, tagged(1, make([]byte, 88))...))
}
