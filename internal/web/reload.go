package web

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// reloadEvery is the pace of reloads: each one earns another after that time.
	reloadEvery = 2 * time.Second
	// reloadBurst is how many may follow each other at once.
	reloadBurst = 5
)

// reloadHandler reloads the token and the configuration, one at a time and at a pace:
// a reload reads files and compiles programs, and workers seal their batches for it.
type reloadHandler struct {
	reload func() (text string, err error)
	now    func() time.Time

	mu sync.Mutex // held while one is at work; guards what follows
	// next is when all that was taken of the burst is earned again.
	next time.Time
}

// ServeHTTP answers 200, or 422 with what is wrong, one fault a line; then nothing
// changes. While another one is at work it answers 503, and 429 to more than
// reloadBurst beyond one every reloadEvery, whether they succeed or not.
func (h *reloadHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !h.mu.TryLock() {
		busy(w)
		return
	}
	defer h.mu.Unlock()
	if wait := h.early(); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		http.Error(w, fmt.Sprintf("too many reloads: at most %d at once, and one every %v", reloadBurst, reloadEvery), http.StatusTooManyRequests)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text, err := h.reload()
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprint(w, text)
}

// early returns how long until there may be a reload, 0 if now: then it is taken. h.mu is
// held.
func (h *reloadHandler) early() time.Duration {
	now := h.now()
	if h.next.Before(now) {
		h.next = now
	}
	if wait := h.next.Sub(now) - (reloadBurst-1)*reloadEvery; wait > 0 {
		return wait
	}
	h.next = h.next.Add(reloadEvery)
	return 0
}
