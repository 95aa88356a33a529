package kafka

import (
	"math/rand/v2"
	"time"
)

// dispatch gives to every connection what it can take.
func (l *loop) dispatch(now time.Time) {
	if !l.ids.ready() {
		l.prepareID()
		return
	}
	if len(l.parts) == 0 {
		return
	}
	// Requests by broker; there are few.
	for id, address := range l.brokers {
		c := l.conns[id]
		if c == nil || !c.up {
			if l.leads(id) {
				l.connect(id, address, now)
			}
			continue
		}
		for c.underWay < maxUnderWay {
			r := l.fill(c, now)
			if r == nil {
				break
			}
			c.underWay++
			l.s.counters.underWay.Add(1)
			c.stats.underWay.Add(1)
			c.sendq <- r // has room for maxUnderWay
		}
	}
}

// leads reports whether the broker leads a partition.
func (l *loop) leads(id int32) bool {
	for _, p := range l.parts {
		if p.leader == id {
			return true
		}
	}
	return false
}

// fill makes a request of one set for each partition that c leads and that
// can take one, or returns nil.
func (l *loop) fill(c *conn, now time.Time) *request {
	var r *request
	n := len(l.parts)
	start := l.turn % n
	for i := range n {
		p := l.parts[(start+i)%n]
		if p.leader != c.id {
			continue
		}
		s := l.take(p, c, now)
		if s == nil {
			continue
		}
		if r == nil {
			r = new(request)
		}
		l.turn = (start + i + 1) % n
		l.put(r, p, s)
		if r.size > maxRequest {
			break
		}
	}
	return r
}

// take returns the set that goes next to p, or nil.
func (l *loop) take(p *partition, c *conn, now time.Time) *set {
	if len(p.underWay) > 0 && (p.draining || p.on != c) || now.Before(p.notBefore) {
		return nil
	}
	limit := 1
	if l.ids.using() && p.flowing && now.Sub(p.tookAt) < flowingFor {
		limit = maxUnderWay
	}
	if len(p.underWay) >= limit {
		return nil
	}
	if p.draining {
		p.draining = false
		p.resequence()
	}
	queue := &p.queue
	if len(*queue) == 0 {
		queue = &l.queue
	}
	if len(*queue) == 0 || (*queue)[0].packing {
		return nil
	}
	s := (*queue)[0]
	*queue = pop(*queue)
	l.waiting -= s.raw
	p.on = c
	return s
}

// pop removes the first of a queue and keeps its memory.
func pop(q []*set) []*set {
	copy(q, q[1:])
	q[len(q)-1] = nil
	return q[:len(q)-1]
}

// put makes s part of a request.
func (l *loop) put(r *request, p *partition, s *set) {
	s.partition = p.id
	st := stamp{
		partition: p.id, records: int32(s.records),
		firstMs: s.firstMs, lastMs: s.lastMs,
		producer: -1, epoch: -1, sequence: -1,
	}
	if len(s.out) > 0 {
		st.codec = l.s.set.codec.id
	}
	if l.ids.using() {
		if !s.numbered {
			s.numbered, s.sequence = true, p.next
			p.next = after(p.next, s.records)
		}
		st.producer, st.epoch, st.sequence = l.ids.producer, l.ids.epoch, s.sequence
	}
	if s.attempts > 0 {
		l.s.counters.retried.Add(uint64(s.flows))
	}
	s.attempts++
	p.underWay = append(p.underWay, s)
	w := s.wire()
	r.sets = append(r.sets, s)
	r.stamps = append(r.stamps, st)
	r.wires = append(r.wires, w)
	r.size += len(w)
}

// after returns the sequence number n records after; it wraps to 0.
func after(sequence int32, n int) int32 { return (sequence + int32(n)) & 0x7fffffff }

// backoff returns how long to wait after that many failures in a row.
func backoff(failures int) time.Duration {
	d := min(firstBackoff<<min(failures-1, 10), lastBackoff)
	return d*3/4 + rand.N(d/2)
}
