package spool

import (
	"log/slog"
	"sort"
	"time"
)

// Stats is the state of a [Log] at one moment. Counts are of records, if they
// do not say otherwise, and since Open.
type Stats struct {
	Bytes    int64     // of all segments on disk
	Segments int       // files
	Waiting  uint64    // not resolved
	Oldest   time.Time // when the oldest that waits was written, to the second; zero if none waits

	Appended  uint64 // written
	Recovered uint64 // found at Open, not resolved and readable as far as could be seen
	Evicted   uint64 // made way for newer ones
	Corrupt   uint64 // lost by damage: of what is missing at the very end after a crash the number is not known; after a failure of the machine, or with a list of an older version, acknowledged ones may be among them

	Damages      uint64 // places at which a segment or the list of acknowledgements was damaged
	Torn         uint64 // of these, those at the end of a segment, as a crash leaves them
	AppendErrors uint64 // failed Appends
	AckErrors    uint64 // acknowledgements not noted on disk at once
	SyncErrors   uint64 // failed syncs
}

// Stats returns the log's state as of the last call of another method.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.SyncErrors = l.syncer.errors.Load()
	return s
}

// publish makes the state visible to Stats.
func (l *Log) publish() {
	s := l.tally
	s.Bytes, s.Segments, s.Waiting = l.bytes, len(l.segs), l.waiting
	if l.waiting > 0 {
		s.Oldest = l.oldest()
	}
	l.mu.Lock()
	l.stats = s
	l.mu.Unlock()
}

// oldest returns when the oldest unresolved entry was written, or a little
// before.
func (l *Log) oldest() time.Time {
	seg := l.find(l.cursor)
	if seg == nil || len(seg.times) == 0 {
		return time.Time{}
	}
	at := sort.Search(len(seg.times), func(i int) bool { return seg.times[i].seq > l.cursor })
	return time.Unix(0, seg.times[max(at-1, 0)].ns)
}

// state has a fault logged when it begins and when it ends.
type state struct{ active bool }

func (s *state) begin(log *slog.Logger, what string, err error) {
	if !s.active {
		s.active = true
		log.Error(what, "error", err)
	}
}

func (s *state) end(log *slog.Logger, what string) {
	if s.active {
		s.active = false
		log.Info(what)
	}
}
