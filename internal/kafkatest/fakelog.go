package kafkatest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

func (f *Fake) fault(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

// offer judges a set as a broker does and appends it if it is good.
func (f *Fake) offer(b *fakeBroker, topic string, partition int32, set []byte) (int16, Reaction) {
	h, messages, err := parseSet(set, partition)
	if err != nil {
		f.fault("partition %d: %v", partition, err)
		return codeCorrupt, Reaction{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if topic != f.topic || int(partition) >= len(f.logs) || f.topicCode != 0 {
		return codeUnknownTopic, Reaction{}
	}
	f.sets[partition]++
	var r Reaction
	if f.react != nil {
		r = f.react(partition, f.sets[partition])
	}
	if r.ThenLeads > 0 {
		f.leaders[partition] = r.ThenLeads
	}
	if r.Forget {
		for i := range f.producers {
			clear(f.producers[i])
		}
	}
	if f.leaders[partition] != b.id {
		return codeNotLeader, r
	}
	if len(set) > f.maxSet {
		return codeTooLarge, r
	}
	if (r.Code != 0 || r.Cut) && !r.Append {
		return r.Code, r
	}
	if code := f.append(partition, h, messages); code != codeNone {
		return code, r
	}
	return r.Code, r
}

// append checks the numbers and appends.
func (f *Fake) append(partition int32, h setHeader, messages []Message) int16 {
	if h.producer >= 0 {
		state := f.producers[partition][h.producer]
		if state == nil {
			if h.sequence != 0 {
				return codeUnknownProducer
			}
			state = &producerState{epoch: h.epoch}
			f.producers[partition][h.producer] = state
		}
		if h.epoch != state.epoch {
			return codeInvalidEpoch
		}
		own := span{h.sequence, (h.sequence + h.records - 1) & 0x7fffffff}
		for _, s := range state.last {
			if s == own {
				return codeNone // a duplicate
			}
		}
		if k := len(state.last); k > 0 && own.first != (state.last[k-1].last+1)&0x7fffffff {
			return codeOutOfOrder
		}
		state.last = append(state.last, own)
		if len(state.last) > 5 {
			state.last = state.last[1:]
		}
	}
	for i := range messages {
		messages[i].Offset = int64(len(f.logs[partition]))
		f.logs[partition] = append(f.logs[partition], messages[i])
	}
	return codeNone
}

type setHeader struct {
	records         int32
	producer        int64
	epoch           int16
	sequence        int32
	firstMs, lastMs int64
}

// parseSet reads a record set whole, and is strict.
func parseSet(b []byte, partition int32) (h setHeader, messages []Message, err error) {
	if len(b) < 61 {
		return h, nil, errors.New("a set shorter than its header")
	}
	in := &reader{b: b}
	if in.i64() != 0 {
		return h, nil, errors.New("a base offset")
	}
	if n := in.i32(); int(n) != len(in.b) {
		return h, nil, fmt.Errorf("a set of length %d in %d bytes", n, len(in.b))
	}
	in.i32() // leader epoch
	if magic := in.bytes(1)[0]; magic != 2 {
		return h, nil, fmt.Errorf("magic %d", magic)
	}
	if crc := uint32(in.i32()); crc != crc32.Checksum(in.b, crc32.MakeTable(crc32.Castagnoli)) {
		return h, nil, errors.New("a wrong checksum")
	}
	codec := in.i16()
	lastDelta := in.i32()
	h.firstMs, h.lastMs = in.i64(), in.i64()
	h.producer, h.epoch, h.sequence, h.records = in.i64(), in.i16(), in.i32(), in.i32()
	if lastDelta != h.records-1 || h.records < 1 {
		return h, nil, fmt.Errorf("%d records, last offset delta %d", h.records, lastDelta)
	}
	records, err := unpack(codec, in.b)
	if err != nil {
		return h, nil, err
	}
	in = &reader{b: records}
	latest := h.firstMs
	for i := range h.records {
		rec := &reader{b: in.bytes(int(in.varint()))}
		rec.bytes(1)
		ms := h.firstMs + rec.varint()
		latest = max(latest, ms)
		if delta := rec.varint(); delta != int64(i) {
			return h, nil, fmt.Errorf("record %d has offset delta %d", i, delta)
		}
		m := Message{Partition: partition, Time: time.UnixMilli(ms), Headers: make(map[string]string)}
		m.Key = rec.nullable()
		m.Value = rec.nullable()
		for range rec.varint() {
			name := string(rec.nullable())
			m.Headers[name] = string(rec.nullable())
		}
		if rec.err != nil || len(rec.b) > 0 || in.err != nil {
			return h, nil, fmt.Errorf("record %d is malformed", i)
		}
		messages = append(messages, m)
	}
	if len(in.b) > 0 {
		return h, nil, fmt.Errorf("%d bytes after the last record", len(in.b))
	}
	if latest != h.lastMs {
		return h, nil, fmt.Errorf("latest timestamp %d, header says %d", latest, h.lastMs)
	}
	return h, messages, nil
}

func unpack(codec int16, b []byte) ([]byte, error) {
	switch codec {
	case 0:
		return b, nil
	case 1:
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case 2:
		return xerial.Decode(b)
	case 3:
		return io.ReadAll(lz4.NewReader(bytes.NewReader(b)))
	case 4:
		d, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(b, nil)
	}
	return nil, fmt.Errorf("codec %d", codec)
}

// reader takes values off the front of b. After the first fault all are 0.
type reader struct {
	b   []byte
	err error
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.err = io.ErrUnexpectedEOF
		return make([]byte, 8)
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) i16() int16 { return int16(be.Uint16(r.bytes(2))) }
func (r *reader) i32() int32 { return int32(be.Uint32(r.bytes(4))) }
func (r *reader) i64() int64 { return int64(be.Uint64(r.bytes(8))) }

func (r *reader) str() string { return string(r.bytes(int(max(r.i16(), 0)))) }

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.err = io.ErrUnexpectedEOF
		return 0
	}
	r.b = r.b[n:]
	return v
}

// nullable reads bytes after their length; -1 is nil.
func (r *reader) nullable() []byte {
	n := r.varint()
	if n < 0 {
		return nil
	}
	return append([]byte{}, r.bytes(int(n))...)
}
