package kafka

import (
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// handle takes in what a helper has to tell.
func (l *loop) handle(e event) {
	now := time.Now()
	switch {
	case e.packed != nil:
		l.packed(e.packed)
	case e.request != nil:
		l.response(e.conn, e.request, now)
	case e.opened:
		e.conn.up, e.conn.dialing, e.conn.failures = true, false, 0
	case e.closed != nil:
		l.broke(e.conn, e.closed, now)
	case e.problem != nil:
		l.problem(kindOf(e.problem), e.problem, now)
	case e.answer != nil:
		l.learn(e.answer, now)
	}
}

func (l *loop) packed(s *set) {
	s.packing = false
	if s.dead {
		l.reuse(s)
		return
	}
	if s.packErr != nil || len(s.out) >= len(s.buf)-s.start+partitionHeader+setHeader {
		s.out = s.out[:0] // nothing is won: send it as it is
	}
}

// connect opens a connection to a broker that leads a partition.
func (l *loop) connect(id int32, address string, now time.Time) {
	c := l.conns[id]
	if c != nil && (c.dialing || now.Before(c.retryAt)) {
		return
	}
	failures := 0
	if c != nil {
		failures = c.failures
	}
	c = &conn{id: id, address: address, dialing: true, failures: failures, sendq: make(chan *request, maxUnderWay), stats: l.s.counters.brokers.get(id)}
	l.conns[id] = c
	l.s.wg.Add(1)
	go l.s.run(c, address, c.sendq)
}

// abandon ends a connection; what is under way on it still comes back.
func (l *loop) abandon(c *conn) {
	if !c.abandoned {
		c.abandoned = true
		close(c.sendq)
	}
	c.up, c.dialing = false, false
}

// broke takes in that a connection could not be opened or has failed.
func (l *loop) broke(c *conn, err error, now time.Time) {
	opened := c.up
	l.abandon(c)
	if !opened {
		// One that has worked is opened again at once.
		c.failures++
		c.retryAt = now.Add(backoff(c.failures))
	}
	l.metadata.want(now)
	l.problem(kindOf(err), err, now)
}

// response takes in what became of a request.
func (l *loop) response(c *conn, r *request, now time.Time) {
	c.underWay--
	l.s.counters.underWay.Add(-1)
	c.stats.underWay.Add(-1)
	if r.err != nil {
		if !c.abandoned {
			l.broke(c, r.err, now)
		}
		for _, s := range r.sets {
			p := l.leave(s)
			l.again(p, s, r.written, now)
		}
		return
	}
	for i, s := range r.sets {
		l.judge(l.leave(s), s, r.codes[i], now)
	}
}

// leave takes a set off those under way.
func (l *loop) leave(s *set) *partition {
	p := l.parts[s.partition]
	if i := slices.Index(p.underWay, s); i >= 0 {
		p.underWay = slices.Delete(p.underWay, i, i+1)
	}
	return p
}

func (l *loop) judge(p *partition, s *set, code sarama.KError, now time.Time) {
	v := judge(code, l.s.set.acks)
	err := fmt.Errorf("partition %d of topic %s: %w", p.id, l.s.set.Topic, code)
	behind := s.numbered && s.sequence != p.acked // one before it has failed
	if v == lostPace && behind {
		// That one's verdict says when to go on.
		p.draining = true
		l.insert(p, s)
		return
	}
	if v != taken {
		p.flowing = false
		l.problem(kindOfCode(code), err, now)
	}
	if v != taken && stale(code) {
		l.metadata.want(now)
	}
	switch v {
	case taken:
		if s.numbered {
			l.takenBefore(p, s, now)
			p.acked = after(s.sequence, s.records)
		}
		if code == sarama.ErrDuplicateSequenceNumber {
			l.s.counters.known.Add(uint64(s.flows))
		}
		p.failures, p.flowing, p.tookAt = 0, true, now
		l.s.counters.taken(s)
		l.settle(s, nil, now)
		l.outage.blocked = false
	case again:
		l.again(p, s, false, now)
	case maybe:
		l.again(p, s, true, now)
	case needsHelp:
		s.probe = true
		l.outage.blocked = true
		l.again(p, s, false, now)
	case split:
		p.draining = true
		l.split(p, s, err, now)
	case refused:
		p.draining = true
		l.settle(s, refusal(err), now)
	case lostPace:
		// Once more, in case it was one replica's mistake.
		if code != sarama.ErrOutOfOrderSequenceNumber || s.attempts > 2 {
			l.ids.resetting = true
		}
		l.again(p, s, false, now)
	}
}

// takenBefore settles the sets that failed before s was taken and may have been
// written: since the broker takes numbers in order only it had, when it said
// something else, for instance that its replicas are slow.
func (l *loop) takenBefore(p *partition, s *set, now time.Time) {
	for len(p.queue) > 0 && p.queue[0].numbered && p.queue[0].maybe && p.queue[0].before(s) {
		written := p.queue[0]
		p.queue = pop(p.queue)
		l.waiting -= written.raw
		l.s.counters.taken(written)
		l.settle(written, nil, now)
	}
}

// again queues a set that has to be sent once more.
func (l *loop) again(p *partition, s *set, written bool, now time.Time) {
	if written {
		s.maybe = true
		if !s.numbered {
			l.s.counters.repeated.Add(uint64(s.flows))
		}
	}
	p.flowing = false
	if !p.draining || p.failures == 0 {
		p.draining = true
		p.failures++
	}
	p.notBefore = now.Add(backoff(p.failures))
	l.insert(p, s)
}

// insert queues a set before all that are younger.
func (l *loop) insert(p *partition, s *set) {
	at := 0
	for at < len(p.queue) && p.queue[at].before(s) {
		at++
	}
	p.queue = slices.Insert(p.queue, at, s)
	l.waiting += s.raw
}

// resequence closes the gap that a set leaves when it is given up. It is for
// when none is under way. A set after the gap cannot have been written,
// whatever became of its connection: the broker takes numbers in order only.
func (p *partition) resequence() {
	p.next = p.acked
	gap := false
	for _, s := range p.queue {
		gap = gap || !s.numbered
		if gap {
			s.numbered = false // it gets one when it is sent
			continue
		}
		s.sequence = p.next
		p.next = after(p.next, s.records)
	}
}

// leastLimit is the size to which refused sets make new ones shrink at most.
const leastLimit = 1000

// split makes two sets of one that was too large for the broker, and has new
// sets be smaller until metadata is next asked for in the usual course.
func (l *loop) split(p *partition, s *set, err error, now time.Time) {
	if s.flows == 1 {
		l.settle(s, refusal(err), now)
		return
	}
	l.encoder.limit = min(l.encoder.limit, max(s.raw/2, leastLimit))
	half := (s.flows + 1) / 2
	part := l.newSet(p)
	finish := func() {
		part.opened = s.opened
		l.encoder.seal(part)
		l.pack(part)
		l.insert(p, part)
	}
	for _, sp := range s.spans {
		for i := range sp.n {
			if part.flows >= half {
				finish()
				part = l.newSet(p)
			}
			l.encode(part, sp.of, sp.first+i, s.firstMs)
		}
	}
	finish()
	l.reuse(s)
}

// encode adds one message to a set, whatever its size.
func (l *loop) encode(s *set, t *tracked, i uint32, ms int64) {
	var key []byte
	if l.s.set.Shape == ShapeFlow && len(t.batch.Keys) == len(t.batch.Ends) {
		key = l.keyBytes(t.batch.Keys[i])
	}
	e := *l.encoder
	e.limit = 1 << 30
	e.add(s, t, i, 1, ms, key)
}

// tooLarge refuses a message that fits into no set.
func (l *loop) tooLarge(s *set, size int, now time.Time) {
	err := fmt.Errorf("message of %d bytes does not fit into %d: %w", size, l.s.set.MaxMessageBytes, sarama.ErrMessageSizeTooLarge)
	l.problem(KindTooLarge, err, now)
	l.settle(s, refusal(err), now)
}
