package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/bench/pace"
)

// tally is what was sent by one protocol.
type tally struct {
	datagrams, records, bytes atomic.Uint64
}

// counters are written by the sending goroutine and read by the reporting one.
type counters struct {
	sent           [workload.NumProtocols]tally
	options        atomic.Uint64 // records of options data
	skipped        atomic.Uint64 // datagrams that could not be sent
	skippedRecords atomic.Uint64 // flow records in them
	errors         atomic.Uint64 // of sending, also those that cost no datagram

	byKind map[string]uint64 // errors by the system's text; sending goroutine only
}

// took counts a datagram that the output took.
func (c *counters) took(d *workload.Datagram) {
	t := &c.sent[d.Protocol]
	t.datagrams.Add(1)
	t.records.Add(uint64(len(d.Flows)))
	t.bytes.Add(uint64(len(d.Payload)))
	c.options.Add(uint64(d.Options))
}

// skip counts a datagram that it did not.
func (c *counters) skip(d *workload.Datagram) {
	c.skipped.Add(1)
	c.skippedRecords.Add(uint64(len(d.Flows)))
}

// failed counts an error of sending.
func (c *counters) failed(err error) {
	c.errors.Add(1)
	if c.byKind == nil {
		c.byKind = map[string]uint64{}
	}
	c.byKind[pace.RootCause(err)]++
}

// total returns what was sent by all protocols.
func (c *counters) total() (datagrams, records, bytes uint64) {
	for i := range c.sent {
		datagrams += c.sent[i].datagrams.Load()
		records += c.sent[i].records.Load()
		bytes += c.sent[i].bytes.Load()
	}
	return datagrams, records, bytes
}

// report writes a line of progress a second until the returned function is
// called, which returns when the last line is out.
func (c *counters) report(w io.Writer, start time.Time) (stop func()) {
	total := func() uint64 { n, _, _ := c.total(); return n }
	return pace.Report(start, total, func(since time.Duration, datagrams uint64, pps float64) {
		_, records, bytes := c.total()
		fmt.Fprintf(w, "gen: %4.0fs  %d datagrams  %.0f pps  %d records  %d bytes  %d errors\n", since.Seconds(), datagrams, pps, records, bytes, c.errors.Load())
	})
}

// protocolSummary is the part of one protocol.
type protocolSummary struct {
	Datagrams uint64 `json:"datagrams"`
	Records   uint64 `json:"records"`
	Bytes     uint64 `json:"bytes"`
}

// summary is what is written to standard output at the end.
type summary struct {
	Workload       string                     `json:"workload"`
	Exporters      int                        `json:"exporters"`
	Seed           uint64                     `json:"seed"`
	To             string                     `json:"to,omitempty"`
	ToSFlow        string                     `json:"to_sflow,omitempty"`
	File           string                     `json:"file,omitempty"`
	Datagrams      uint64                     `json:"datagrams"`
	Records        uint64                     `json:"records"` // flow records
	OptionsRecords uint64                     `json:"options_records"`
	Bytes          uint64                     `json:"bytes"` // of UDP payload
	Protocols      map[string]protocolSummary `json:"protocols"`
	FirstID        uint32                     `json:"first_id,omitempty"` // with -ids
	NextID         uint32                     `json:"next_id,omitempty"`  // one after the last
	Skipped        uint64                     `json:"skipped"`            // datagrams that could not be sent
	SkippedRecords uint64                     `json:"skipped_records"`
	Errors         uint64                     `json:"errors"` // of sending, also those that cost no datagram
	ErrorsByKind   map[string]uint64          `json:"errors_by_kind,omitempty"`
	Seconds        float64                    `json:"seconds"`
	PPS            float64                    `json:"pps"`
	Interrupted    bool                       `json:"interrupted"`
}

func (c *counters) summary(o options, took time.Duration) *summary {
	s := &summary{
		Workload:       o.workload.Workload,
		Exporters:      o.workload.Exporters,
		Seed:           o.workload.Seed,
		File:           o.write,
		OptionsRecords: c.options.Load(),
		Protocols:      map[string]protocolSummary{},
		Skipped:        c.skipped.Load(),
		SkippedRecords: c.skippedRecords.Load(),
		Errors:         c.errors.Load(),
		ErrorsByKind:   c.byKind,
		Seconds:        max(took.Seconds(), 1e-9),
	}
	if o.write == "" {
		s.To, s.ToSFlow = o.to.String(), o.toSFlow.String()
	}
	s.Datagrams, s.Records, s.Bytes = c.total()
	s.PPS = float64(s.Datagrams) / s.Seconds
	for i := range c.sent {
		if n := c.sent[i].datagrams.Load(); n > 0 {
			s.Protocols[workload.Protocol(i).String()] = protocolSummary{n, c.sent[i].records.Load(), c.sent[i].bytes.Load()}
		}
	}
	return s
}

// write writes the summary as one line of JSON.
func (s *summary) write(w io.Writer) error { return json.NewEncoder(w).Encode(s) }
