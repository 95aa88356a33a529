package kafka

import (
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// tracked is a batch on its way. Only the loop uses it.
type tracked struct {
	batch   *producer.Batch
	nth     uint64 // in the order of Submit
	size    int    // bytes, for the bound on what the sink holds
	pending int    // messages not yet acknowledged or given up
	failed  []uint32
	err     error
	came    time.Time
}

// fail notes that messages first to first+n failed for err.
func (t *tracked) fail(first, n uint32, err error) {
	for i := first; i < first+n; i++ {
		t.failed = append(t.failed, i)
	}
	// Where reasons differ, what can be offered again decides.
	if t.err == nil || isUnavailable(err) {
		t.err = err
	}
}

// done is what comes back over the channel.
func (t *tracked) done() sink.Done {
	slices.Sort(t.failed)
	return sink.Done{Batch: t.batch, Failed: t.failed, Err: t.err}
}

// A span is a run of messages of one batch.
type span struct {
	of       *tracked
	first, n uint32
}

// A set is a record set on its way, and says whose messages are in it. The
// loop owns it, except while a packer compresses it (packing) or a connection
// sends it (under way): they use its bytes, and nothing else.
type set struct {
	// buf has headroom, then records in ShapeFlow, or the value of the one
	// record in ShapeBatch. start is where the records begin after seal.
	buf   []byte
	start int
	// out is, after compression, headers and compressed records.
	out []byte

	spans           []span
	flows           int // messages in all spans
	records         int // Kafka records
	raw             int // bytes of records before compression, after seal
	firstMs, lastMs int64
	opened          time.Time

	partition int32 // that it must go to, or has gone to; -1: any
	packing   bool
	dead      bool  // given up while packing
	packErr   error // of the packer

	numbered bool  // has a sequence number
	sequence int32 // of its first record
	attempts int
	// maybe says that the set was sent and may have been written.
	maybe bool
	// probe says that it waits until an operator has acted. It stays, to
	// find out when.
	probe bool
}

// reset makes s an empty open set.
func (s *set) reset(partition int32) {
	buf, out, spans := s.buf, s.out, s.spans
	clear(spans)
	*s = set{buf: buf[:0], out: out[:0], spans: spans[:0], partition: partition}
	s.buf = append(s.buf, make([]byte, headroom)...)
}

// size returns about how large the set is before compression.
func (s *set) size() int { return len(s.buf) - recordPrefix }

// note remembers that message i of t is in the set.
func (s *set) note(t *tracked, first, n uint32) {
	s.flows += int(n)
	if k := len(s.spans) - 1; k >= 0 && s.spans[k].of == t && s.spans[k].first+s.spans[k].n == first {
		s.spans[k].n += n
		return
	}
	s.spans = append(s.spans, span{t, first, n})
}

// before reports whether the set's messages are older than another's.
func (s *set) before(other *set) bool {
	a, b := s.spans[0], other.spans[0]
	return a.of.nth < b.of.nth || a.of == b.of && a.first < b.first
}

// wire returns what is sent: partition header, set header, records.
func (s *set) wire() []byte {
	if len(s.out) > 0 {
		return s.out
	}
	return s.buf[s.start-partitionHeader-setHeader:]
}

// An encoder appends messages to sets in the configured shape.
type encoder struct {
	shape   Shape
	join    bool // newlines between the messages of a value
	limit   int  // bytes of a set
	content string
	bare    bool   // no headers
	one     []byte // headers of a record of one flow, encoded
	scratch []byte
}

func newEncoder(s *settings) *encoder {
	e := &encoder{
		shape:   s.Shape,
		join:    s.Format != FormatProtobuf,
		limit:   s.FlushBytes,
		content: s.ContentType,
		bare:    s.NoHeaders,
		one:     []byte{0},
	}
	if !e.bare {
		e.one = appendHeaders(nil, e.content, "1")
	}
	return e
}

// add appends messages of the batch from first on, at most n, and returns how
// many: fewer if the set is full then, none if it was. A message that is too
// large for any set is taken by an empty one: see tooLarge.
func (e *encoder) add(s *set, t *tracked, first, n uint32, ms int64, key []byte) uint32 {
	if s.flows == 0 {
		s.firstMs, s.lastMs = ms, ms
	}
	var took uint32
	if e.shape == ShapeBatch {
		took = e.addJoined(s, t.batch, first, n)
	} else {
		took = e.addRecords(s, t.batch, first, n, ms-s.firstMs, key)
	}
	if took > 0 {
		s.lastMs = max(s.lastMs, ms)
		s.note(t, first, took)
	}
	return took
}

func (e *encoder) addRecords(s *set, b *producer.Batch, first, n uint32, tsDelta int64, key []byte) uint32 {
	for i := range n {
		m := b.Message(int(first + i))
		if s.records > 0 && s.size()+recordPrefix+len(key)+len(m)+len(e.one) > e.limit {
			return i
		}
		if cap(s.buf)-len(s.buf) < recordPrefix+len(m)+len(e.one) {
			e.grow(s, recordPrefix+len(m)+len(e.one))
		}
		s.buf = appendRecordStart(s.buf, tsDelta, s.records, key, len(m), len(e.one))
		s.buf = append(s.buf, m...)
		s.buf = append(s.buf, e.one...)
		s.records++
	}
	return n
}

// grow makes room for n bytes: a little at first, as for the many sets of many
// partitions, then for a whole set at once.
func (e *encoder) grow(s *set, n int) {
	want := len(s.buf) + n
	if want <= cap(s.buf) {
		return
	}
	size := 64 << 10
	if want > size {
		size = max(want, e.limit+headroom+256)
	}
	s.buf = append(make([]byte, 0, size), s.buf...)
}

// addJoined appends to the value of the set's one record.
func (e *encoder) addJoined(s *set, b *producer.Batch, first, n uint32) uint32 {
	room := e.limit - s.size() - recordPrefix - len(e.one) - 10
	if e.join {
		for i := range n {
			m := b.Message(int(first + i))
			room -= len(m) + 1
			if room < 0 && s.flows+int(i) > 0 {
				return i
			}
			if s.records > 0 {
				s.buf = append(s.buf, '\n')
			}
			s.buf = append(s.buf, m...)
			s.records = 1
		}
		return n
	}
	start := 0
	if first > 0 {
		start = int(b.Ends[first-1])
	}
	ends := b.Ends[first : first+n]
	fit := sort.Search(len(ends), func(i int) bool { return int(ends[i])-start > room })
	if fit == 0 && s.flows == 0 {
		fit = 1
	}
	if fit > 0 {
		e.grow(s, int(ends[fit-1])-start)
		s.buf = append(s.buf, b.Buf[start:ends[fit-1]]...)
		s.records = 1
	}
	return uint32(fit)
}

// seal finishes the set's records.
func (e *encoder) seal(s *set) {
	s.start = headroom
	if e.shape == ShapeBatch {
		value := len(s.buf) - headroom
		headers := e.one
		if !e.bare {
			headers = appendHeaders(e.scratch[:0], e.content, strconv.Itoa(s.flows))
		}
		prefix := appendRecordStart(make([]byte, 0, recordPrefix), 0, 0, nil, value, len(headers))
		s.start = headroom - len(prefix)
		copy(s.buf[s.start:], prefix)
		s.buf = append(s.buf, headers...)
		if !e.bare {
			e.scratch = headers
		}
		s.lastMs = s.firstMs
	}
	s.raw = len(s.buf) - s.start
}

// compress fills out. It is all that a packer does.
func (s *set) compress(p *packer) {
	s.out = append(s.out[:0], make([]byte, partitionHeader+setHeader)...)
	s.out, s.packErr = p.pack(s.out, s.buf[s.start:])
}
