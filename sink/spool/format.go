package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"

	"github.com/weirflow/weir/producer"
)

// A segment is a file of a header and entries, all integers little-endian:
//
//	0  magic "weirlog1"
//	8  mark of the segment, a random number
//	16 seq of its first entry
//	24 records appended to the log before it
//	32 id of the log, a random number; 0 in segments of older versions
//	36 CRC-32C of the 36 bytes before
//
// An entry is a header and the batch: its Ends, its Keys if it has any, and then
// its Buf:
//
//	0  mark of the segment
//	8  seq
//	16 records appended to the log before it
//	24 Batch.FirstNs
//	32 time of writing, Unix ns
//	40 Batch.Worker
//	44 records
//	48 bytes of Buf
//	52 flags: 1 if there are Keys; all others 0
//	56 CRC-32C of the batch
//	60 CRC-32C of the 60 bytes before
//
// Segments are put in order by their headers: their names mean nothing. The id tells
// those of another log.
//
// The mark lets a reader find the next entry after a damaged one. It is
// random so that no flow record can look like an entry. The count of records
// tells how many were lost between two entries.
const (
	magic         = "weirlog1"
	segmentHeader = 40
	entryHeader   = 64

	// limit is above all sequence numbers and counts, and keeps sums of
	// them from running over.
	limit = 1 << 62
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var le = binary.LittleEndian

var errDamaged = errors.New("entry is damaged")

// segHead is a segment's header.
type segHead struct {
	mark  uint64
	seq   uint64 // of the first entry
	count uint64 // records appended before
	log   uint32 // id of the log; 0 if unknown
}

func (s segHead) put(p *[segmentHeader]byte) {
	copy(p[:], magic)
	le.PutUint64(p[8:], s.mark)
	le.PutUint64(p[16:], s.seq)
	le.PutUint64(p[24:], s.count)
	le.PutUint32(p[32:], s.log)
	le.PutUint32(p[36:], crc32.Checksum(p[:36], castagnoli))
}

func parseSegHead(p []byte) (segHead, bool) {
	if len(p) < segmentHeader || string(p[:8]) != magic || le.Uint32(p[36:]) != crc32.Checksum(p[:36], castagnoli) {
		return segHead{}, false
	}
	s := segHead{mark: le.Uint64(p[8:]), seq: le.Uint64(p[16:]), count: le.Uint64(p[24:]), log: le.Uint32(p[32:])}
	return s, s.seq > 0 && max(s.seq, s.count) < limit
}

// flagKeys says that an entry has a key for each of its messages.
const flagKeys = 1

// head is an entry's header.
type head struct {
	mark    uint64
	seq     uint64
	count   uint64 // records appended before
	firstNs int64
	wroteNs int64
	worker  uint32
	records uint32
	bytes   uint32 // of Buf
	flags   uint32
	crc     uint32 // of the batch
}

// size returns the bytes of the whole entry.
func (e *head) size() int64 { return entryHeader + e.payload() }

func (e *head) payload() int64 { return e.tables() + int64(e.bytes) }

// tables returns the bytes of Ends and Keys.
func (e *head) tables() int64 {
	if e.flags&flagKeys != 0 {
		return 8 * int64(e.records)
	}
	return 4 * int64(e.records)
}

func (e *head) put(p []byte) {
	le.PutUint64(p, e.mark)
	le.PutUint64(p[8:], e.seq)
	le.PutUint64(p[16:], e.count)
	le.PutUint64(p[24:], uint64(e.firstNs))
	le.PutUint64(p[32:], uint64(e.wroteNs))
	le.PutUint32(p[40:], e.worker)
	le.PutUint32(p[44:], e.records)
	le.PutUint32(p[48:], e.bytes)
	le.PutUint32(p[52:], e.flags)
	le.PutUint32(p[56:], e.crc)
	le.PutUint32(p[60:], crc32.Checksum(p[:60], castagnoli))
}

// parseHead reads the header of an entry at the begin of p, of which room
// bytes are left in the segment. It fails on anything that put did not write
// and on entries that go over the segment's end.
func parseHead(p []byte, room int64) (head, bool) {
	if len(p) < entryHeader || le.Uint32(p[60:]) != crc32.Checksum(p[:60], castagnoli) {
		return head{}, false
	}
	e := head{
		mark:    le.Uint64(p),
		seq:     le.Uint64(p[8:]),
		count:   le.Uint64(p[16:]),
		firstNs: int64(le.Uint64(p[24:])),
		wroteNs: int64(le.Uint64(p[32:])),
		worker:  le.Uint32(p[40:]),
		records: le.Uint32(p[44:]),
		bytes:   le.Uint32(p[48:]),
		flags:   le.Uint32(p[52:]),
		crc:     le.Uint32(p[56:]),
	}
	return e, e.flags&^flagKeys == 0 && e.size() <= room && e.records > 0 && e.seq > 0 && max(e.seq, e.count) < limit
}

// appendTable appends Ends or Keys as they are on disk.
func appendTable(p []byte, table []uint32) []byte {
	for _, v := range table {
		p = le.AppendUint32(p, v)
	}
	return p
}

// checksum returns the CRC-32C of an entry's batch.
func checksum(tables, buf []byte) uint32 {
	return crc32.Update(crc32.Checksum(tables, castagnoli), castagnoli, buf)
}

// parseBatch puts an entry's payload into b. b.Buf holds the payload and is
// left with the messages alone.
func (e *head) parseBatch(b *producer.Batch) error {
	if int64(len(b.Buf)) != e.payload() || crc32.Checksum(b.Buf, castagnoli) != e.crc {
		return errDamaged
	}
	b.Ends = slices.Grow(b.Ends[:0], int(e.records))[:e.records]
	last := uint32(0)
	for i := range b.Ends {
		end := le.Uint32(b.Buf[4*i:])
		if end < last || end > e.bytes {
			return errDamaged
		}
		b.Ends[i], last = end, end
	}
	if last != e.bytes {
		return errDamaged
	}
	b.Keys = b.Keys[:0]
	if e.flags&flagKeys != 0 {
		b.Keys = slices.Grow(b.Keys, int(e.records))[:e.records]
		for i := range b.Keys {
			b.Keys[i] = le.Uint32(b.Buf[4*(int(e.records)+i):])
		}
	}
	n := copy(b.Buf, b.Buf[e.tables():])
	b.Buf = b.Buf[:n]
	b.FirstNs = e.firstNs
	b.Worker = int(e.worker)
	return nil
}
