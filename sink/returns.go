package sink

import (
	"errors"
	"sync"
)

// Returns is the way on which an [AsyncSink] gives batches back. It keeps the
// rule that nothing is taken between a failure and the hub's knowledge of it.
//
// All methods may be called by anyone at any time.
type Returns struct {
	mu      sync.Mutex
	ch      chan Done
	onDone  func()
	out     int  // admitted and not yet put back
	failing bool // something failed of which the hub may not know yet
}

// NewReturns returns a Returns for at most depth batches at a time.
func NewReturns(depth int) *Returns {
	return &Returns{ch: make(chan Done, max(depth, 1)), onDone: func() {}}
}

// C returns the channel for [AsyncSink.Done].
func (r *Returns) C() <-chan Done { return r.ch }

// OnDone is [AsyncSink.OnDone].
func (r *Returns) OnDone(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onDone = f
}

// Admit counts one more batch in and reports true, or reports false: Submit
// must not take the batch now.
func (r *Returns) Admit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing && (r.out > 0 || len(r.ch) > 0) {
		return false
	}
	r.failing = false
	if r.out+len(r.ch) >= cap(r.ch) {
		return false
	}
	r.out++
	return true
}

// Fail says that a message which was admitted is given up with ErrUnavailable:
// nothing is admitted until everything has been put back and received. It is
// called when that is decided, which may be long before the message's batch
// is put back.
func (r *Returns) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = true
}

// Put gives an admitted batch back, after a call of Fail if messages of it
// failed with ErrUnavailable. It never blocks.
func (r *Returns) Put(d Done) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(d.Failed) > 0 && errors.Is(d.Err, ErrUnavailable) {
		r.failing = true
	}
	r.out--
	r.ch <- d // there is room: Admit saw to it
	r.onDone()
}

// Outstanding returns the number of batches admitted and not yet put back.
func (r *Returns) Outstanding() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out
}
