package web

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// listSlots is how many requests for a list are served at once, and listQueue
	// how many wait. With one slot, lists take at most one CPU.
	listSlots, listQueue = 1, 16
)

// smallest keeps the limit smallest values passed to add.
type smallest[T any] struct {
	limit   int
	compare func(a, b *T) int
	list    []T
	full    bool // the list was cut: what is not smaller than its last is left out
	kept    int  // of the list, after it was cut
}

// newSmallest keeps the n smallest.
func newSmallest[T any](n int, compare func(a, b *T) int) *smallest[T] {
	return &smallest[T]{limit: n, compare: compare}
}

func (s *smallest[T]) add(v *T) {
	if s.full && s.compare(v, &s.list[s.kept-1]) >= 0 {
		return
	}
	s.list = append(s.list, *v)
	if len(s.list) >= 2*s.limit {
		s.cut()
	}
}

func (s *smallest[T]) cut() {
	slices.SortFunc(s.list, func(a, b T) int { return s.compare(&a, &b) })
	if len(s.list) > s.limit {
		clear(s.list[s.limit:])
		s.list, s.full = s.list[:s.limit], true
	}
	s.kept = len(s.list)
}

// sorted returns the values in order. It reports whether some were left out.
func (s *smallest[T]) sorted() (list []T, more bool) {
	s.cut()
	return s.list, s.full
}

// paging is what a request wants of a list.
type paging struct {
	limit int    // entries; -1 for all
	after string // the cursor of the page before; "" for the first
	query url.Values
}

// newPaging reads the query of a request, which may have the parameters limit,
// after and those of the page. Each may be there once.
func newPaging(r *http.Request, others ...string) (p paging, err error) {
	p.limit = -1
	if p.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return p, errors.New("query: not well-formed")
	}
	for name, values := range p.query {
		if name != "limit" && name != "after" && !slices.Contains(others, name) {
			return p, fmt.Errorf("unknown parameter %s: want %s", strconv.QuoteToASCII(name[:min(len(name), 40)]), strings.Join(append([]string{"limit", "after"}, others...), ", "))
		}
		if len(values) > 1 {
			return p, fmt.Errorf("%s: want it once", name)
		}
	}
	p.after = p.query.Get("after")
	if text := p.query.Get("limit"); text != "" {
		if p.limit, err = strconv.Atoi(text); err != nil || p.limit < 0 {
			return p, errors.New("limit: want a whole number from 0")
		}
	}
	return p, nil
}

// list buffers a page. A write error aborts the response, so that the client does not
// take it for complete.
type list struct {
	*bufio.Writer
}

func newList(k *work) list { return list{bufio.NewWriterSize(k, writePiece)} }

// text writes a piece of the page.
func (l list) text(p []byte) {
	if _, err := l.Write(p); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (l list) string(s string) {
	if _, err := l.WriteString(s); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// end writes what is in the buffer.
func (l list) end() {
	if l.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
}
