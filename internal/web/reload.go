package web

import (
	"fmt"
	"net/http"
	"sync"
)

// reloadHandler reloads the token and the configuration.
type reloadHandler struct {
	mu     sync.Mutex // one at a time
	reload func() error
}

// ServeHTTP answers 200, or 422 with what is wrong, one fault a line; then nothing
// changes. While another one is at work it answers 503.
func (h *reloadHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !h.mu.TryLock() {
		busy(w)
		return
	}
	defer h.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := h.reload(); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "reloaded")
}
