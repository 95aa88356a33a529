package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/bench/pace"
)

// counters are written by the sending goroutine and read by the reporting one.
type counters struct {
	datagrams atomic.Uint64 // the kernel took
	bytes     atomic.Uint64 // of UDP payload in them
	skipped   atomic.Uint64 // datagrams it refused, left behind
	errors    atomic.Uint64 // errors of sending, also those that cost no datagram
	frames    atomic.Uint64 // sent on an interface
	dropped   atomic.Uint64 // frames that the interface dropped, known at the end

	mu     sync.Mutex
	byKind map[string]uint64 // errors by the system's text
}

// sent counts datagrams that the kernel took.
func (c *counters) sent(datagrams, bytes int) {
	c.datagrams.Add(uint64(datagrams))
	c.bytes.Add(uint64(bytes))
}

// failed counts an error of sending.
func (c *counters) failed(err error) {
	c.errors.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKind == nil {
		c.byKind = map[string]uint64{}
	}
	c.byKind[err.Error()]++
}

// report writes a line of progress a second until the returned function is
// called, which returns when the last line is out.
func (c *counters) report(w io.Writer, start time.Time) (stop func()) {
	return pace.Report(start, c.datagrams.Load, func(since time.Duration, datagrams uint64, pps float64) {
		fmt.Fprintf(w, "replay: %4.0fs  %d datagrams  %.0f pps  %d bytes  %d errors\n", since.Seconds(), datagrams, pps, c.bytes.Load(), c.errors.Load())
	})
}

// summary is what is written to standard output at the end.
type summary struct {
	To           string            `json:"to"`
	Interface    string            `json:"interface,omitempty"`
	Send         string            `json:"send,omitempty"` // on the interface: afxdp or afpacket
	Files        []string          `json:"files"`
	Sources      int               `json:"sources"`
	Loops        int               `json:"loops"` // whole ones
	Datagrams    uint64            `json:"datagrams"`
	Bytes        uint64            `json:"bytes"`   // of UDP payload
	Skipped      uint64            `json:"skipped"` // datagrams that the kernel refused
	Errors       uint64            `json:"errors"`  // of sending, also those that cost no datagram
	ErrorsByKind map[string]uint64 `json:"errors_by_kind,omitempty"`
	Seconds      float64           `json:"seconds"`
	PPS          float64           `json:"pps"`
	BitsPerSec   float64           `json:"bits_per_second"` // of UDP payload
	Interrupted  bool              `json:"interrupted"`
	Truth        []*truth          `json:"truth,omitempty"` // of -drop, -reorder and -duplicate
	// Frames is of -interface, whether the interface dropped them or not: the kernel
	// need not say which. Dropped is what the interface counted meanwhile, of whoever
	// sent it.
	Frames  uint64 `json:"frames,omitempty"`
	Dropped uint64 `json:"interface_dropped,omitempty"`
}

func (r *replayer) summary(took time.Duration, interrupted bool) *summary {
	seconds := max(took.Seconds(), 1e-9)
	r.mu.Lock()
	defer r.mu.Unlock()
	sources, send := len(r.load.sources), ""
	if w, ok := r.out.(*wire); ok {
		send = w.injector.kind()
		sources = max(sources, w.synthetic)
	}
	var truths []*truth
	if r.bad != nil {
		truths = r.bad.truths(r.load)
	}
	return &summary{
		Truth:        truths,
		Interface:    r.iface,
		Send:         send,
		Frames:       r.frames.Load(),
		Dropped:      r.dropped.Load(),
		To:           r.to.String(),
		Files:        r.files,
		Sources:      sources,
		Loops:        r.loops,
		Datagrams:    r.datagrams.Load(),
		Bytes:        r.bytes.Load(),
		Skipped:      r.skipped.Load(),
		Errors:       r.errors.Load(),
		ErrorsByKind: r.byKind,
		Seconds:      seconds,
		PPS:          float64(r.datagrams.Load()) / seconds,
		BitsPerSec:   float64(r.bytes.Load()) * 8 / seconds,
		Interrupted:  interrupted,
	}
}

// write writes the summary as one line of JSON.
func (s *summary) write(w io.Writer) error { return json.NewEncoder(w).Encode(s) }
