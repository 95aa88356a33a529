package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
)

// The layout of what is sent. All integers are big-endian.
//
//	request   size i32, api key i16 (0), version i16, correlation i32,
//	          client id string; transactional id string (null), acks i16,
//	          timeout ms i32, topics i32 (1), topic string, partitions i32
//	partition index i32, size i32, record set
//	set       base offset i64 (0), length i32, leader epoch i32, magic i8 (2),
//	          crc32c u32 of all that follows, attributes i16 (codec), last
//	          offset delta i32, first and last timestamp ms i64, producer id
//	          i64, producer epoch i16, first sequence i32, records i32
//	record    length, attributes i8, timestamp delta, offset delta, key,
//	          value, headers; all numbers but the attributes zigzag varints
//
// Source: the protocol guide of Apache Kafka, Produce API versions 3 to 7, and
// the message format of KIP-98.
const (
	partitionHeader = 8
	setHeader       = 61
	// recordPrefix is the most that comes before a record's value.
	recordPrefix = 5 + 1 + 10 + 5 + 1 + 5
	// headroom is kept before the records of a set.
	headroom = partitionHeader + setHeader + recordPrefix
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendVarint appends a zigzag varint.
func appendVarint(b []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

// varintSize is the size of v as a zigzag varint.
func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}

// appendHeaders appends a record's headers: their number, and for each the
// name and the value.
func appendHeaders(b []byte, contentType, records string) []byte {
	b = appendVarint(b, 2)
	for _, text := range [...]string{"content-type", contentType, "weir-records", records} {
		b = appendVarint(b, int64(len(text)))
		b = append(b, text...)
	}
	return b
}

// appendRecordStart appends all of a record that comes before its value.
// headers is the size of its headers, encoded.
func appendRecordStart(b []byte, tsDelta int64, offset int, key []byte, value, headers int) []byte {
	size := 1 + varintSize(tsDelta) + varintSize(int64(offset)) + 1 + len(key) + varintSize(int64(value)) + value + headers
	b = appendVarint(b, int64(size))
	b = append(b, 0)
	b = appendVarint(b, tsDelta)
	b = appendVarint(b, int64(offset))
	if key == nil {
		b = append(b, 1) // -1: null
	} else {
		b = appendVarint(b, int64(len(key)))
		b = append(b, key...)
	}
	return appendVarint(b, int64(value))
}

// stamp is what the header of a set says besides its records.
type stamp struct {
	partition       int32
	codec           int16
	records         int32
	firstMs, lastMs int64
	producer        int64 // -1: none
	epoch           int16 // -1: none
	sequence        int32 // -1: none
}

// writeSetHeader fills in the partition's and the set's header, which are the
// first partitionHeader+setHeader bytes of w; the records follow.
func writeSetHeader(w []byte, s stamp) {
	be := binary.BigEndian
	be.PutUint32(w[0:], uint32(s.partition))
	be.PutUint32(w[4:], uint32(len(w)-partitionHeader))
	set := w[partitionHeader:]
	be.PutUint64(set[0:], 0)
	be.PutUint32(set[8:], uint32(len(set)-12))
	be.PutUint32(set[12:], ^uint32(0))
	set[16] = 2
	be.PutUint16(set[21:], uint16(s.codec))
	be.PutUint32(set[23:], uint32(s.records-1))
	be.PutUint64(set[27:], uint64(s.firstMs))
	be.PutUint64(set[35:], uint64(s.lastMs))
	be.PutUint64(set[43:], uint64(s.producer))
	be.PutUint16(set[51:], uint16(s.epoch))
	be.PutUint32(set[53:], uint32(s.sequence))
	be.PutUint32(set[57:], uint32(s.records))
	be.PutUint32(set[17:], crc32.Checksum(set[21:], castagnoli))
}

// appendRequestHeader appends a produce request up to its partitions, whose
// bytes, size in all, follow.
func appendRequestHeader(b []byte, version int16, correlation int32, client string, acks int16, timeoutMs int32, topic string, partitions, size int) []byte {
	be := binary.BigEndian
	rest := 2 + 2 + 4 + 2 + len(client) + 2 + 2 + 4 + 4 + 2 + len(topic) + 4 + size
	b = be.AppendUint32(b, uint32(rest))
	b = be.AppendUint16(b, 0)
	b = be.AppendUint16(b, uint16(version))
	b = be.AppendUint32(b, uint32(correlation))
	b = be.AppendUint16(b, uint16(len(client)))
	b = append(b, client...)
	b = be.AppendUint16(b, ^uint16(0))
	b = be.AppendUint16(b, uint16(acks))
	b = be.AppendUint32(b, uint32(timeoutMs))
	b = be.AppendUint32(b, 1)
	b = be.AppendUint16(b, uint16(len(topic)))
	b = append(b, topic...)
	return be.AppendUint32(b, uint32(partitions))
}

// errResponse says that a response is not one.
var errResponse = errors.New("malformed response")

// maxResponse bounds a produce response: some dozen bytes a partition.
const maxResponse = 8 << 20

// parseResponse reads the body of a produce response, after the correlation
// number, and calls each for every partition of topic in it. What follows, for
// how long a broker with a quota will be silent, is of no use here.
func parseResponse(b []byte, version int16, topic string, each func(partition int32, code int16)) (err error) {
	be := binary.BigEndian
	take := func(n int) []byte {
		if err != nil || n < 0 || n > len(b) {
			err = fmt.Errorf("read produce response: %w", errResponse)
			return make([]byte, 8)
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	size := 4 + 2 + 8 + 8
	if version >= 5 {
		size += 8
	}
	topics := int32(be.Uint32(take(4)))
	for i := int32(0); i < topics && err == nil; i++ {
		n := int(int16(be.Uint16(take(2))))
		name := take(max(n, 0))
		ours := err == nil && string(name) == topic
		partitions := int32(be.Uint32(take(4)))
		for j := int32(0); j < partitions && err == nil; j++ {
			if len(b) < size {
				return fmt.Errorf("read produce response: %w", errResponse)
			}
			p := take(size)
			if ours {
				each(int32(be.Uint32(p)), int16(be.Uint16(p[4:])))
			}
		}
	}
	return err
}
