package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Second
	// refreshEvery is how often metadata is asked for when all is well.
	refreshEvery = 5 * time.Minute
	// flowingFor is after what idle time a partition begins again with one
	// set under way.
	flowingFor = time.Minute
	// maxRequest is the size from which a request takes no further set.
	maxRequest = 512 << 10
	// maxWaiting is how many bytes of sealed sets may wait to be sent
	// before the loop takes no more batches: they are as well where they
	// are, and what was copied just before it is sent is in the cache.
	maxWaiting = 4 << 20
)

// A partition is where sets queue for one partition of the topic.
type partition struct {
	id       int32
	leader   int32 // broker, -1 if there is none
	open     *set  // not yet sealed; only where keys choose the partition
	queue    []*set
	underWay []*set
	on       *conn // that has the sets under way
	// draining: a set has failed; nothing is sent before all have come back.
	draining  bool
	notBefore time.Time
	failures  int
	// flowing: the broker took the last set, not long ago. It remembers our
	// numbers then; one that has none of ours takes any number, so that
	// of two sets under way it could refuse the first and take the second.
	flowing bool
	tookAt  time.Time
	next    int32 // sequence number of the next new set
	acked   int32 // sequence number after the last acknowledged set
}

// loop is the state of the sink's one goroutine. Nothing else touches it, but
// for toPack.
type loop struct {
	s       *Sink
	encoder *encoder
	parts   []*partition
	conns   map[int32]*conn
	brokers map[int32]string

	loose    *set   // open set for any partition
	spread   spread // of loose sets
	queue    []*set // sealed sets for any partition
	turn     int    // partition to begin with
	waiting  int    // bytes in all queues
	toPack   chan *set
	late     []event // came while the loop waited for a packer
	sets     []*set  // to be used again
	tracks   []*tracked
	tracked  uint64 // batches ever
	flushing []chan struct{}
	key      [4]byte // of keyBytes

	metadata metadataState
	ids      idState
	outage   outage
}

func (l *loop) init(s *Sink) {
	l.s = s
	l.encoder = newEncoder(s.set)
	l.conns = make(map[int32]*conn)
	l.toPack = make(chan *set, 256)
	l.ids.wanted = s.set.numbered
	l.ids.producer, l.ids.epoch = -1, -1
	l.metadata.want(time.Now())
	l.outage.began = time.Now()
}

// run is the loop.
func (l *loop) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for len(l.late) > 0 {
			e := l.late[0]
			l.late = l.late[1:]
			l.handle(e)
		}
		now := time.Now()
		l.onTime(now)
		l.dispatch(now)
		l.answerFlushes()
		timer.Reset(l.sleep(time.Now()))
		in := l.s.in
		if l.waiting > maxWaiting {
			in = nil
		}
		select {
		case b := <-in:
			l.accept(b, time.Now())
		case e := <-l.s.events:
			l.handle(e)
		case f := <-l.s.flush:
			l.flushing = append(l.flushing, f)
			l.sealAll()
		case <-timer.C:
		case <-l.s.ctx.Done():
			l.end()
			return
		}
	}
}

// accept puts the messages of a batch into sets.
func (l *loop) accept(b *producer.Batch, now time.Time) {
	records := uint32(b.Records()) // b may be gone when its last message is settled
	t := l.track(b, now)
	if records == 0 {
		l.finish(t, now)
	} else if l.s.barred.Load() {
		// It was submitted while another was on its way back.
		l.giveUp(t, records, unavailable(errBehind), now)
	} else {
		ms := b.FirstNs / int64(time.Millisecond)
		if b.FirstNs <= 0 {
			ms = now.UnixMilli()
		}
		if len(b.Keys) == len(b.Ends) {
			l.acceptKeyed(t, ms, now)
		} else {
			l.append(t, 0, records, ms, nil, nil, now)
		}
	}
	if len(l.s.in) > 0 {
		return // more is to come
	}
	if len(l.flushing) > 0 || l.s.counters.held.Load()*2 > int64(l.s.set.BufferBytes) {
		l.sealAll()
	}
}

var (
	errBehind = errors.New("messages before it were handed back")
	errOutage = errors.New("no broker takes messages")
	errShrunk = errors.New("the partition is no more")
)

// acceptKeyed takes message by message.
func (l *loop) acceptKeyed(t *tracked, ms int64, now time.Time) {
	keys := t.batch.Keys // the batch may be gone when its last message is settled
	bucketed, write := l.s.set.bucketed, l.s.set.Shape == ShapeFlow
	for i, key := range keys {
		var p *partition
		if bucketed {
			p = l.parts[bucket(key, len(l.parts))]
		}
		var written []byte
		if write {
			written = l.keyBytes(key)
		}
		l.append(t, uint32(i), 1, ms, p, written, now)
	}
}

// keyBytes returns a key as it is written. The slice is valid until the next
// call.
func (l *loop) keyBytes(key uint32) []byte {
	binary.BigEndian.PutUint32(l.key[:], key)
	return l.key[:]
}

// bucket returns the partition of a key, as sarama's hash partitioner does.
func bucket(key uint32, partitions int) int {
	h := uint32(2166136261)
	for shift := 24; shift >= 0; shift -= 8 {
		h = (h ^ key>>shift&0xff) * 16777619
	}
	n := int32(h) % int32(partitions)
	if n < 0 {
		n = -n
	}
	return int(n)
}

// append puts messages into the open set of p, or the loose one if p is nil,
// and seals it when it is full.
func (l *loop) append(t *tracked, first, n uint32, ms int64, p *partition, key []byte, now time.Time) {
	most := n
	if p == nil && l.s.set.Shape == ShapeFlow {
		most = l.spread.share(now, int(n), len(l.parts))
	}
	for n > 0 {
		s := l.openSet(p, now)
		took := l.encoder.add(s, t, first, min(n, most), ms, key)
		first, n = first+took, n-took
		if s.size() > l.s.set.MaxMessageBytes && s.flows == 1 {
			// Larger than any set may be.
			l.drop(p, s)
			l.tooLarge(s, len(t.batch.Message(int(first-1))), now)
			continue
		}
		if n > 0 || s.size() >= l.encoder.limit || p == nil && s.flows >= int(most) {
			l.seal(p)
		}
	}
}

const (
	// leastShare is how many messages without a key go to one partition together at least.
	leastShare = 100
	// spreads is how many sets of such messages each partition gets a second, at least, where
	// there are more.
	spreads = 2
)

// A spread says how many messages without a key a set may have, so that partitions even out
// within a second.
type spread struct {
	since     time.Time // begin of the present second
	n, before int       // messages in it, and in the one before
}

// share counts n messages and returns how many of them one of so many partitions gets together.
func (s *spread) share(now time.Time, n, partitions int) uint32 {
	if passed := now.Sub(s.since); passed >= time.Second {
		if s.before = s.n; passed >= 2*time.Second {
			s.before = 0
		}
		s.since, s.n = now, 0
	}
	s.n += n
	return uint32(max(leastShare, s.before/(spreads*max(partitions, 1))))
}

func (l *loop) openSet(p *partition, now time.Time) *set {
	s := l.loose
	if p != nil {
		s = p.open
	}
	if s != nil {
		return s
	}
	s = l.newSet(p)
	s.opened = now
	if p != nil {
		p.open = s
	} else {
		l.loose = s
	}
	return s
}

func (l *loop) newSet(p *partition) *set {
	var s *set
	if k := len(l.sets) - 1; k >= 0 {
		s, l.sets = l.sets[k], l.sets[:k]
	} else {
		s = new(set)
	}
	at := int32(-1)
	if p != nil {
		at = p.id
	}
	s.reset(at)
	return s
}

// reuse keeps a set's memory, unless enough is kept.
func (l *loop) reuse(s *set) {
	if len(l.sets) < 24 && cap(s.buf) <= 2*l.s.set.MaxMessageBytes+headroom {
		l.sets = append(l.sets, s)
	}
}

// drop forgets the open set.
func (l *loop) drop(p *partition, s *set) {
	if p != nil {
		p.open = nil
	} else {
		l.loose = nil
	}
}

// seal queues an open set.
func (l *loop) seal(p *partition) {
	s := l.loose
	if p != nil {
		s = p.open
	}
	if s == nil || s.flows == 0 {
		return
	}
	l.drop(p, s)
	l.encoder.seal(s)
	l.waiting += s.raw
	l.pack(s)
	if p != nil {
		p.queue = append(p.queue, s)
	} else {
		l.queue = append(l.queue, s)
	}
}

// pack has a sealed set compressed, if it is to be.
func (l *loop) pack(s *set) {
	if l.s.set.codec.id == codecNone {
		return
	}
	s.packing = true
	for {
		select {
		case l.toPack <- s:
			return
		case e := <-l.s.events:
			// The packers must be rid of what they have.
			l.late = append(l.late, e)
		}
	}
}

func (l *loop) sealAll() {
	l.seal(nil)
	for _, p := range l.parts {
		l.seal(p)
	}
}

// track remembers a batch.
func (l *loop) track(b *producer.Batch, now time.Time) *tracked {
	var t *tracked
	if k := len(l.tracks) - 1; k >= 0 {
		t, l.tracks = l.tracks[k], l.tracks[:k]
	} else {
		t = new(tracked)
	}
	l.tracked++
	*t = tracked{batch: b, nth: l.tracked, size: len(b.Buf), pending: b.Records(), came: now}
	return t
}

// finish sends a batch back.
func (l *loop) finish(t *tracked, now time.Time) {
	l.s.finish(t, now)
	*t = tracked{}
	l.tracks = append(l.tracks, t)
}

// settle ends the messages of a set: acknowledged, or failed with err.
func (l *loop) settle(s *set, err error, now time.Time) {
	if err != nil && isUnavailable(err) {
		// Before the first of them is back.
		l.s.barred.Store(true)
	}
	for _, sp := range s.spans {
		if err != nil {
			sp.of.fail(sp.first, sp.n, err)
		}
		sp.of.pending -= int(sp.n)
		if sp.of.pending == 0 {
			l.finish(sp.of, now)
		}
	}
	if s.packing {
		s.dead = true
		return
	}
	l.reuse(s)
}

// giveUp fails a batch none of whose messages is in a set.
func (l *loop) giveUp(t *tracked, records uint32, err error, now time.Time) {
	if records > 0 {
		t.fail(0, records, err)
	}
	l.finish(t, now)
}

func (l *loop) answerFlushes() {
	if len(l.flushing) == 0 || l.s.count.Load() > 0 {
		return
	}
	for _, f := range l.flushing {
		close(f)
	}
	l.flushing = l.flushing[:0]
}

// end hands back all that is left.
func (l *loop) end() {
	now := time.Now()
	err := fmt.Errorf("deliver to kafka: %w", sink.ErrClosed)
	for _, s := range l.all() {
		l.settle(s, err, now)
	}
	l.refuse(err, now)
	for _, c := range l.conns {
		l.abandon(c)
	}
	close(l.toPack)
	close(l.s.loopEnded)
}

// refuse hands back the batches that the loop has not looked at.
func (l *loop) refuse(err error, now time.Time) {
	for {
		select {
		case b := <-l.s.in:
			l.giveUp(l.track(b, now), uint32(b.Records()), err, now)
		default:
			return
		}
	}
}

// all returns all sets with messages, oldest first within each partition.
func (l *loop) all() []*set {
	var list []*set
	for _, p := range l.parts {
		list = append(list, p.underWay...)
		list = append(list, p.queue...)
		if p.open != nil {
			list = append(list, p.open)
		}
	}
	list = append(list, l.queue...)
	if l.loose != nil {
		list = append(list, l.loose)
	}
	return list
}
