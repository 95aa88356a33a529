package live

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

var be = binary.BigEndian

// recordsPerDatagram is what a NetFlow v5 datagram holds.
const recordsPerDatagram = 30

// netflow5 returns a NetFlow v5 datagram whose records are numbered from first
// on: the number is in the octets.
func netflow5(first, records int) []byte {
	now := time.Now()
	b := be.AppendUint16(nil, 5)
	b = be.AppendUint16(b, uint16(records))
	b = be.AppendUint32(b, 60_000) // uptime in milliseconds
	b = be.AppendUint32(b, uint32(now.Unix()))
	b = be.AppendUint32(b, uint32(now.Nanosecond()))
	b = be.AppendUint32(b, uint32(first)) // sequence
	b = append(b, 0, 0, 0, 0)             // engine, sampling
	for i := range records {
		b = append(b, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0)
		b = be.AppendUint32(b, 1<<16|2)          // interfaces
		b = be.AppendUint32(b, 1)                // packets
		b = be.AppendUint32(b, uint32(first+i))  // octets
		b = be.AppendUint32(b, 50_000)           // first
		b = be.AppendUint32(b, 59_000)           // last
		b = be.AppendUint32(b, 1000<<16|2000)    // ports
		b = append(b, 0, 0x18, 6, 0, 0, 0, 0, 0) // flags, protocol, AS numbers
		b = append(b, 24, 24, 0, 0)              // masks
	}
	return b
}

// numbered returns datagrams whose records are numbered 0 to
// datagrams*recordsPerDatagram-1.
func numbered(datagrams int) [][]byte {
	out := make([][]byte, datagrams)
	for i := range out {
		out[i] = netflow5(i*recordsPerDatagram, recordsPerDatagram)
	}
	return out
}

// eachOnce checks that of the numbers 0 to n-1 each is there exactly once.
func eachOnce(t *testing.T, numbers []int, n int) {
	t.Helper()
	if len(numbers) != n {
		t.Errorf("%d records, want %d", len(numbers), n)
	}
	seen := make([]int, n)
	for _, v := range numbers {
		if v < 0 || v >= n {
			t.Fatalf("record %d of %d", v, n)
		}
		seen[v]++
	}
	for v, times := range seen {
		if times != 1 {
			t.Fatalf("record %d is there %d times", v, times)
		}
	}
}

// numbersOf returns the numbers of records made by netflow5.
func numbersOf(records []record) []int {
	out := make([]int, len(records))
	for i, r := range records {
		out[i] = int(r.Bytes)
	}
	return out
}

// netflow1 and netflow7 return a datagram of one empty record.
func netflow1() []byte {
	b := be.AppendUint32(nil, 1<<16|1)
	return append(b, make([]byte, 12+52)...)
}

func netflow7() []byte {
	b := be.AppendUint32(nil, 7<<16|1)
	return append(b, make([]byte, 20+52)...)
}

// netflow8 returns a datagram of the AS scheme.
func netflow8() []byte {
	b := append([]byte{0, 8, 0, 1}, make([]byte, 24+28)...)
	b[22], b[23] = 1, 2
	return b
}

// netflow9 returns a NetFlow v9 datagram of sets.
func netflow9(domain uint32, records int, sets ...[]byte) []byte {
	b := be.AppendUint16(nil, 9)
	b = be.AppendUint16(b, uint16(records))
	b = be.AppendUint32(b, 60_000)
	b = be.AppendUint32(b, uint32(time.Now().Unix()))
	b = be.AppendUint32(b, 1)
	b = be.AppendUint32(b, domain)
	return append(b, slices.Concat(sets...)...)
}

// ipfix returns an IPFIX message of sets.
func ipfix(domain uint32, sets ...[]byte) []byte {
	body := slices.Concat(sets...)
	b := be.AppendUint16(nil, 10)
	b = be.AppendUint16(b, uint16(16+len(body)))
	b = be.AppendUint32(b, uint32(time.Now().Unix()))
	b = be.AppendUint32(b, 1)
	b = be.AppendUint32(b, domain)
	return append(b, body...)
}

// Set ids.
const (
	set9Template     = 0
	set9Options      = 1
	setIPFIXTemplate = 2
	setIPFIXOptions  = 3
)

// set returns a set with its header.
func set(id uint16, content ...[]byte) []byte {
	body := slices.Concat(content...)
	b := be.AppendUint16(nil, id)
	return append(be.AppendUint16(b, uint16(4+len(body))), body...)
}

// words returns 16-bit numbers in network byte order: what templates are of.
func words(list ...uint16) []byte {
	var b []byte
	for _, v := range list {
		b = be.AppendUint16(b, v)
	}
	return b
}

// flowTemplate is a template of three fields: IPv4 source and destination, and
// octets of 8 bytes; flowRecord is a record of it.
func flowTemplate(id uint16) []byte { return words(id, 3, 8, 4, 12, 4, 1, 8) }

const flowRecordSize = 16

func flowRecord(number int) []byte {
	b := []byte{10, 0, 0, 1, 10, 0, 0, 2}
	return be.AppendUint64(b, uint64(number))
}

// flowRecords returns n records numbered from 0 on.
func flowRecords(n int) []byte {
	b := make([]byte, 0, n*flowRecordSize)
	for i := range n {
		b = append(b, flowRecord(i)...)
	}
	return b
}

// sflow5 returns an sFlow datagram of samples.
func sflow5(samples ...[]byte) []byte {
	var b []byte
	for _, v := range []uint32{5, 1, 10<<24 | 7, 0, 1, 60_000, uint32(len(samples))} {
		b = be.AppendUint32(b, v)
	}
	return append(b, slices.Concat(samples...)...)
}

// sample returns an sFlow sample or record: its format, its length and words of
// 32 bits.
func sample(format uint32, content ...uint32) []byte {
	b := be.AppendUint32(nil, format)
	b = be.AppendUint32(b, uint32(4*len(content)))
	for _, v := range content {
		b = be.AppendUint32(b, v)
	}
	return b
}
