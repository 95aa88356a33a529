package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeTimeout is how long a client may take to read a piece of a page.
	writeTimeout = 10 * time.Second
	// writePiece is the size of such a piece in bytes.
	writePiece = 32 << 10
	// stalledAfter is after how long without progress a request may be cut off
	// when another one waits for its slot.
	stalledAfter = time.Second
	// longAfter is the same for a request that makes progress.
	longAfter = 30 * time.Second
	// slotWait is how long a request waits for a slot.
	slotWait = 3 * time.Second
)

// errCutOff ends the response of a request that had to make room.
var errCutOff = errors.New("cut off: other requests wait")

// works bounds the requests for a page that are at work. A request that finds no
// free slot waits for one. Meanwhile those that make no progress, because their
// client does not read, are cut off. All methods may be called by any goroutine.
type works struct {
	slots, queue int // requests at work, and waiting, at most

	mu      sync.Mutex
	active  map[*work]struct{}
	waiting int
	freed   chan struct{} // closed, and made again, when a slot becomes free

	refused, cut atomic.Uint64 // requests; see register
}

func newWorks(slots, queue int) *works {
	return &works{slots: slots, queue: queue, active: map[*work]struct{}{}, freed: make(chan struct{})}
}

// work is a request at work. It is the writer of its response: each piece of
// writePiece bytes has a deadline of its own.
type work struct {
	set     *works
	w       http.ResponseWriter
	control *http.ResponseController
	began   time.Time
	moved   atomic.Int64 // Unix nanoseconds at which the client read last
	writing atomic.Bool
	cutOff  atomic.Bool
}

// enter takes a slot, and waits for one if it must. It returns nil where there was
// none in time, or the client went away.
func (s *works) enter(ctx context.Context, w http.ResponseWriter) *work {
	k := &work{set: s, w: w, control: http.NewResponseController(w)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.active) >= s.slots {
		if s.waiting >= s.queue {
			s.refused.Add(1)
			return nil
		}
		s.waiting++
		ok := s.wait(ctx)
		s.waiting--
		if !ok {
			s.refused.Add(1)
			return nil
		}
	}
	k.began = time.Now()
	k.moved.Store(k.began.UnixNano())
	s.active[k] = struct{}{}
	return k
}

// wait waits for a free slot. The lock is held when it is called and when it
// returns.
func (s *works) wait(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	look := time.NewTicker(stalledAfter / 10)
	defer look.Stop()
	for len(s.active) >= s.slots {
		s.cutWorst(time.Now())
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-look.C:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// cutWorst cuts off the request that has made no progress for the longest time,
// or the one that has been at work for the longest. One a call: those that wait
// call it in turn. The lock is held.
func (s *works) cutWorst(now time.Time) {
	var worst *work
	worstStall, worstAge := time.Duration(0), time.Duration(0)
	for k := range s.active {
		if k.cutOff.Load() {
			continue
		}
		stall := k.stall(now)
		switch {
		case stall >= stalledAfter:
			if stall > worstStall {
				worst, worstStall = k, stall
			}
		case worstStall == 0:
			if age := now.Sub(k.began); age >= longAfter && age > worstAge {
				worst, worstAge = k, age
			}
		}
	}
	if worst != nil {
		s.cut.Add(1)
		worst.stop()
	}
}

// stall returns for how long the client has read nothing of what is being written.
func (k *work) stall(now time.Time) time.Duration {
	if !k.writing.Load() {
		return 0
	}
	return time.Duration(now.UnixNano() - k.moved.Load())
}

// leave gives the slot to another request.
func (k *work) leave() {
	k.set.mu.Lock()
	defer k.set.mu.Unlock()
	delete(k.set.active, k)
	close(k.set.freed)
	k.set.freed = make(chan struct{})
}

// stop makes the current write and all later ones fail.
func (k *work) stop() {
	k.cutOff.Store(true)
	_ = k.control.SetWriteDeadline(time.Now()) // a writer without deadlines has no client that stalls
}

// Write writes to the client. The error is final.
func (k *work) Write(p []byte) (n int, err error) {
	k.moved.Store(time.Now().UnixNano())
	k.writing.Store(true)
	defer k.writing.Store(false)
	for len(p) > 0 {
		if err := k.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return n, err
		}
		// After the deadline was set: stop sets its own after it has said so.
		if k.cutOff.Load() {
			return n, errCutOff
		}
		m, err := k.w.Write(p[:min(len(p), writePiece)])
		n += m
		if err != nil {
			return n, err
		}
		k.moved.Store(time.Now().UnixNano())
		p = p[m:]
	}
	return n, nil
}

// busy answers a request that finds no slot.
func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests in progress: try again", http.StatusServiceUnavailable)
}

// headOnly reports whether a request wants no body. The head is then complete.
func headOnly(r *http.Request) bool { return r.Method == http.MethodHead }
