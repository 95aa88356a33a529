package kafka

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

const (
	// topicGrace is how long a cluster may take to make a topic.
	topicGrace = 2 * time.Second
	// complainEvery is how often the same kind of trouble is logged that
	// costs no availability.
	complainEvery = time.Minute
)

// metadataState is when to ask for metadata and what came of it.
type metadataState struct {
	at       time.Time // ask then
	running  bool
	failures int
	known    bool      // it has come once
	topic    error     // why the topic cannot be used
	since    time.Time // something has been missing; zero: nothing is
}

// want asks for metadata at t, or before if that is planned already.
func (m *metadataState) want(t time.Time) {
	if m.at.IsZero() || t.Before(m.at) {
		m.at = t
	}
}

// idState is the producer id that numbers belong to.
type idState struct {
	wanted    bool
	producer  int64 // -1: none
	epoch     int16
	resetting bool // a new one is needed, when nothing is under way
}

// ready reports whether sets may be sent.
func (i *idState) ready() bool { return !i.resetting && (!i.wanted || i.producer >= 0) }

// using reports whether sets are numbered.
func (i *idState) using() bool { return i.wanted && i.producer >= 0 }

// outage is the state of not reaching the cluster. It begins with the sink.
type outage struct {
	over     bool
	ever     bool // it was over once
	blocked  bool // the broker wants an operator to act
	began    time.Time
	logged   []string // kinds, of this outage
	complain map[string]time.Time
}

// prepareID has a producer id asked for when nothing is under way any more.
func (l *loop) prepareID() {
	for _, p := range l.parts {
		if len(p.underWay) > 0 {
			return
		}
	}
	if l.metadata.failures == 0 && !l.metadata.running {
		l.metadata.want(time.Now())
	}
}

// onTime does what is due.
func (l *loop) onTime(now time.Time) {
	linger := l.s.set.Linger
	if l.loose != nil && now.Sub(l.loose.opened) >= linger {
		l.seal(nil)
	}
	for _, p := range l.parts {
		if p.open != nil && now.Sub(p.open.opened) >= linger {
			l.seal(p)
		}
	}
	if m := &l.metadata; !m.at.IsZero() && !m.running && !now.Before(m.at) {
		m.running, m.at = true, time.Time{}
		l.inquire()
	}
	l.reassess(now)
	if after := l.s.set.GiveBackAfter; !l.outage.over && after >= 0 && now.Sub(l.outage.began) >= after {
		l.giveBack(now)
	}
}

// sleep returns how long nothing is due.
func (l *loop) sleep(now time.Time) time.Duration {
	next := now.Add(time.Second)
	due := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	linger := l.s.set.Linger
	if l.loose != nil {
		due(l.loose.opened.Add(linger))
	}
	for _, p := range l.parts {
		if p.open != nil {
			due(p.open.opened.Add(linger))
		}
		if len(p.queue) > 0 && p.notBefore.After(now) {
			due(p.notBefore)
		}
	}
	if m := &l.metadata; !m.at.IsZero() && !m.running {
		due(m.at)
	}
	for _, c := range l.conns {
		if !c.up && !c.dialing && c.retryAt.After(now) {
			due(c.retryAt)
		}
	}
	if at := l.outage.began.Add(l.s.set.GiveBackAfter); !l.outage.over && at.After(now) {
		due(at)
	}
	return max(next.Sub(now), 0)
}

// inquire asks for metadata, and for a producer id if one is due.
func (l *loop) inquire() {
	var known []string
	for id, address := range l.brokers {
		if c := l.conns[id]; c != nil && c.up {
			known = append([]string{address}, known...)
		} else {
			known = append(known, address)
		}
	}
	wantID := l.ids.wanted && !l.ids.ready()
	for _, p := range l.parts {
		wantID = wantID && len(p.underWay) == 0
	}
	l.s.wg.Add(1)
	go func() {
		defer l.s.wg.Done()
		answer := l.s.set.ask(l.s.ctx, known, wantID, func(err error) { l.s.post(event{problem: err}) })
		l.s.post(event{answer: &answer})
	}()
}

// learn takes in metadata.
func (l *loop) learn(a *leadership, now time.Time) {
	m := &l.metadata
	m.running = false
	if a.err != nil {
		m.failures++
		m.want(now.Add(backoff(m.failures)))
		m.known = false
		return
	}
	m.known = true
	for id, c := range l.conns {
		if address, ok := a.brokers[id]; ok && address != c.address {
			l.abandon(c)
			delete(l.conns, id)
		}
	}
	l.brokers = a.brokers

	late := !m.since.IsZero() && now.Sub(m.since) >= topicGrace
	complete := true
	switch {
	case a.topic == nil || a.code == sarama.ErrLeaderNotAvailable && len(a.leaders) > 0:
		m.topic = nil
		complete = l.lead(a.leaders, late, now)
	default:
		// A cluster may be about to make the topic, and a broker that has
		// just started may not know about it yet.
		passing := a.code == sarama.ErrUnknownTopicOrPartition || a.code == sarama.ErrLeaderNotAvailable
		complete = false
		if !passing || late || len(l.parts) == 0 {
			m.topic = a.topic
		}
		if !passing || late {
			l.problem(kindOfCode(a.code), a.topic, now)
		}
	}
	if a.asked {
		complete = l.number(a, now) && complete
	}
	if !complete {
		if m.since.IsZero() {
			m.since = now
		}
		m.failures++
		m.want(now.Add(backoff(m.failures)))
		return
	}
	if m.failures == 0 {
		l.encoder.limit = l.s.set.FlushBytes // the topic may take more by now
	}
	m.failures, m.since = 0, time.Time{}
	m.want(now.Add(refreshEvery + rand.N(refreshEvery/10)))
}

// lead notes who leads the partitions and reports whether somebody leads each.
func (l *loop) lead(leaders []int32, late bool, now time.Time) bool {
	for i := len(l.parts); i < len(leaders); i++ {
		l.parts = append(l.parts, &partition{id: int32(i), leader: -1})
	}
	all := true
	if len(leaders) < len(l.parts) {
		all = l.shrink(len(leaders), now)
	}
	for i, p := range l.parts {
		if i >= len(leaders) {
			p.leader = -1
			continue
		}
		if p.leader != leaders[i] {
			p.leader = leaders[i]
			p.notBefore = now // no reason to wait any more
		}
		all = all && p.leader >= 0
	}
	if !all && late {
		l.problem(KindLeader, sarama.ErrLeaderNotAvailable, now)
	}
	return all
}

// shrink is for a topic that was deleted and created again with fewer partitions.
// It hands back what was to go to the others, when nothing is under way there
// any more, and reports whether it has.
func (l *loop) shrink(n int, now time.Time) bool {
	for _, p := range l.parts[n:] {
		if len(p.underWay) > 0 {
			return false
		}
	}
	for _, p := range l.parts[n:] {
		l.seal(p)
		for _, s := range p.queue {
			if s.maybe {
				l.s.counters.repeated.Add(uint64(s.flows))
			}
			l.waiting -= s.raw
			l.settle(s, unavailable(errShrunk), now)
		}
	}
	l.parts = l.parts[:n]
	return true
}

// number takes in a producer id, or that there is none.
func (l *loop) number(a *leadership, now time.Time) bool {
	if a.idErr != nil {
		if l.s.set.Idempotent == IdempotentAuto && cannotNumber(a.idErr) {
			l.ids.wanted, l.ids.resetting = false, false
			l.s.log.Warn("the cluster does not let us number messages: a retry may repeat some", "error", a.idErr)
			return true
		}
		l.problem(kindOf(a.idErr), a.idErr, now)
		return false
	}
	if l.ids.producer >= 0 {
		l.s.counters.resets.Add(1)
	}
	l.ids.producer, l.ids.epoch, l.ids.resetting = a.producer, a.epoch, false
	for _, p := range l.parts {
		p.next, p.acked, p.flowing = 0, 0, false
		for _, s := range p.queue {
			if s.maybe && s.numbered {
				l.s.counters.repeated.Add(uint64(s.flows))
			}
			s.numbered = false
		}
	}
	return true
}

// reassess decides whether the cluster is available.
func (l *loop) reassess(now time.Time) {
	up, hope := false, false
	for _, p := range l.parts {
		if p.leader < 0 {
			continue
		}
		c := l.conns[p.leader]
		if c == nil || c.failures == 0 {
			hope = true // not tried yet, or lost just now
		}
		up = up || c != nil && c.up
	}
	well := l.metadata.topic == nil && !l.outage.blocked && (l.ids.ready() || l.ids.producer >= 0)
	switch {
	case !l.outage.over && well && up:
		l.recovered(now)
	case l.outage.over && (!well || !up && !hope):
		l.outage.over = false
		l.outage.began = now
		l.outage.logged = l.outage.logged[:0]
		l.s.available.Store(false)
		l.s.counters.changes.Add(1)
	}
}

func (l *loop) recovered(now time.Time) {
	l.outage.over = true
	l.s.available.Store(true)
	l.s.counters.changes.Add(1)
	args := []any{"topic", l.s.set.Topic, "partitions", len(l.parts), "brokers", len(l.brokers), "idempotent", l.ids.using()}
	if l.outage.ever || len(l.outage.logged) > 0 {
		args = append(args, "after", now.Sub(l.outage.began).Round(time.Millisecond))
	}
	l.outage.ever = true
	l.s.log.Info("kafka is available", args...)
}

// problem counts an error, and logs it: in an outage once for each kind,
// otherwise now and then.
func (l *loop) problem(kind string, err error, now time.Time) {
	l.s.counters.fail(kind)
	o := &l.outage
	// What has just begun to fail will be an outage in a moment.
	if o.complain == nil {
		o.complain = make(map[string]time.Time)
	}
	if !o.over {
		if slices.Contains(o.logged, kind) {
			return
		}
		o.logged = append(o.logged, kind)
		o.complain[kind] = now
		l.log("kafka is not available", kind, err)
		return
	}
	if last, ok := o.complain[kind]; ok && now.Sub(last) < complainEvery {
		return
	}
	o.complain[kind] = now
	l.log("kafka has a problem", kind, err)
}

func (l *loop) log(message, kind string, err error) {
	args := []any{"kind", kind, "error", err}
	if h := hint(kind); h != "" {
		args = append(args, "hint", h)
	}
	if kind == KindTooLarge || kind == KindLeader || kind == KindSequence {
		l.s.log.Warn(message, args...)
		return
	}
	l.s.log.Error(message, args...)
}

// giveBack hands back all messages that cannot have been written.
func (l *loop) giveBack(now time.Time) {
	err := unavailable(errOutage)
	for _, p := range l.parts {
		keep := 0
		for keep < len(p.queue) && (p.queue[keep].maybe || p.queue[keep].probe) {
			keep++
		}
		gone := slices.Clone(p.queue[keep:])
		clear(p.queue[keep:])
		p.queue = p.queue[:keep]
		p.draining = p.draining || len(gone) > 0 // numbers have to be closed up
		for _, s := range gone {
			l.waiting -= s.raw
			l.settle(s, err, now)
		}
		if s := p.open; s != nil {
			p.open = nil
			l.settle(s, err, now)
		}
	}
	gone := slices.Clone(l.queue)
	clear(l.queue)
	l.queue = l.queue[:0]
	for _, s := range gone {
		l.waiting -= s.raw
		l.settle(s, err, now)
	}
	if s := l.loose; s != nil {
		l.loose = nil
		l.settle(s, err, now)
	}
	l.refuse(err, now)
}
