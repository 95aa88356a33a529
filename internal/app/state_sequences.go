package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/state"
)

// savedSequences is the section of sequence numbers. Streams are arrays, since there may
// be a hundred thousand, once a second.
type savedSequences struct {
	// Stopped: nothing was received after this was saved.
	Stopped bool          `json:"stopped"`
	Process string        `json:"process"` // see sequences.process
	Key     string        `json:"key"`     // hexadecimal: JSON has no such integers
	Streams []savedStream `json:"streams"`
}

// savedStream is a stream: the exporter, what is numbered, what it counts by, then numbers.
type savedStream struct {
	exporter netip.Addr
	sequence.Saved
}

// sequences keeps sequence numbers over a restart, in a file of its own: they change with
// every datagram.
type sequences struct {
	table *collector.Exporters
	gap   sequence.Gap // what a gap means if the file is of a stop
	// process is a random name of this process, in both files: where an earlier version of
	// weir wrote the state since, it is missing there, and the numbers are old. before is
	// what the file of state had.
	process, before string
	// stopped is set when the workers have ended; begun when they begin.
	stopped, begun atomic.Bool
	left           int // streams that were not restored
}

// newSequences returns what keeps the numbers of a table, and the section of it that is in
// the file of state.
func (c *collection) newSequences(table *collector.Exporters) state.Section {
	s := &sequences{table: table, gap: c.restartGap(), process: strconv.FormatUint(rand.Uint64(), 16)}
	c.numbers = s
	return state.Section{
		Name:    "process",
		Changes: s.changes,
		Save: func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%q", s.process)
			return err
		},
		Load: func(dec *json.Decoder) error {
			if err := dec.Decode(&s.before); err != nil {
				return fmt.Errorf("%w: process: %w", state.ErrDamaged, err)
			}
			return nil
		},
	}
}

// openSequences loads the numbers that the last process left. The state is loaded.
func (c *collection) openSequences() {
	path, s := statePath(c.cfg), c.numbers
	if path == "" {
		c.numbers = nil
		return
	}
	c.numbersFile = state.New(state.Config{
		Path: path + ".sequences", Interval: time.Second, Activity: c.activity, Unsynced: true, Logger: c.log,
	})
	c.numbersFile.Register(state.Section{
		Name: "sequences", Changes: s.changes, Save: s.save, Load: s.load,
	})
	c.numbersFile.Load()
	if s.left > 0 {
		c.log.Debug("sequence numbers not restored", "streams", s.left)
	}
}

// restartGap returns what a gap in an exporter's numbers over this restart means.
func (c *collection) restartGap() sequence.Gap {
	for _, taken := range c.adopted {
		if !taken {
			return sequence.GapHere
		}
	}
	return sequence.GapOrdinary
}

// changes has the file saved at the start, when it is not of a stop any more, and at the
// stop.
func (s *sequences) changes() uint64 {
	n := uint64(0)
	if s.begun.Load() {
		n++
	}
	if s.stopped.Load() {
		n++
	}
	return n
}

func (s *sequences) save(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10) // it keeps the first error
	fmt.Fprintf(out, `{"stopped":%t,"process":%q,"key":"%016x","streams":[`, s.stopped.Load(), s.process, s.table.StreamKey())
	var b []byte
	s.table.SavedStreams(func(exporter netip.Addr, v *sequence.Saved) {
		if b != nil {
			out.WriteByte(',')
		}
		b = appendStream(append(b[:0], '\n'), exporter, v)
		out.Write(b)
	})
	out.WriteString("]}")
	return out.Flush()
}

// appendStream appends what UnmarshalJSON reads.
func appendStream(b []byte, exporter netip.Addr, v *sequence.Saved) []byte {
	b = exporter.AppendTo(append(b, `["`...))
	b = append(append(append(b, `","`...), v.Key.Kind.String()...), `","`...)
	b = append(strconv.AppendUint(b, v.Key.Domain, 16), `","`...)
	b = append(strconv.AppendUint(b, v.Key.Source, 16), `","`...)
	b = append(append(b, v.CountsBy...), '"')
	open := int64(0)
	if v.Open {
		open = 1
	}
	for _, n := range [...]int64{
		int64(v.Next), open, v.FirstNs, v.LastNs, int64(v.Units), int64(v.Average), int64(v.Rate), int64(v.UptimeMs), int64(v.AtMs),
		int64(v.Last.Sequence), int64(v.Last.UptimeMs), int64(v.Last.AtMs), int64(v.Last.Flags),
		int64(v.Last.Count[0]), int64(v.Last.Count[1]), int64(v.Last.Count[2]), int64(v.Last.Count[3]),
	} {
		b = strconv.AppendInt(append(b, ','), n, 10)
	}
	if v.Key.Port != 0 {
		b = strconv.AppendUint(append(b, ','), uint64(v.Key.Port), 10)
	}
	return append(b, ']')
}

// UnmarshalJSON reads a stream.
func (v *savedStream) UnmarshalJSON(text []byte) error {
	var kind, domain, source, exporter string
	var next, average, rate, upMs, atMs, lastSequence, lastUp, lastAt uint32
	var open, flags uint8
	var counts [4]uint16
	all := []any{
		&exporter, &kind, &domain, &source, &v.CountsBy, // domain and source have 64 bits
		&next, &open, &v.FirstNs, &v.LastNs, &v.Units, &average, &rate, &upMs, &atMs,
		&lastSequence, &lastUp, &lastAt, &flags, &counts[0], &counts[1], &counts[2], &counts[3],
		&v.Key.Port, // may be left out
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	if len(raw) != len(all) && len(raw) != len(all)-1 {
		return fmt.Errorf("%d fields of a stream, not %d", len(raw), len(all))
	}
	for i := range raw {
		if err := json.Unmarshal(raw[i], all[i]); err != nil {
			return fmt.Errorf("field %d of a stream: %w", i, err)
		}
	}
	var err error
	if v.exporter, err = netip.ParseAddr(exporter); err != nil {
		return err
	}
	if v.Key.Domain, err = strconv.ParseUint(domain, 16, 64); err != nil {
		return err
	}
	if v.Key.Source, err = strconv.ParseUint(source, 16, 64); err != nil {
		return err
	}
	v.Key.Kind = sequence.Kind(sequence.NumKinds)
	for k := range sequence.NumKinds {
		if sequence.Kind(k).String() == kind {
			v.Key.Kind = sequence.Kind(k)
		}
	}
	v.Next, v.Open, v.Average, v.Rate, v.UptimeMs, v.AtMs = next, open != 0, average, rate, upMs, atMs
	v.Last = sequence.SavedDatagram{Sequence: lastSequence, UptimeMs: lastUp, AtMs: lastAt, Flags: flags, Count: counts}
	return nil
}

// load restores the streams.
func (s *sequences) load(dec *json.Decoder) error {
	var v savedSequences
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("%w: %w", state.ErrDamaged, err)
	}
	key, err := strconv.ParseUint(v.Key, 16, 64)
	if err != nil {
		return fmt.Errorf("%w: key: %w", state.ErrDamaged, err)
	}
	s.table.SetStreamKey(key)
	gap := s.gap
	switch {
	case v.Process != s.before: // another process received since, which did not say how far it came
		gap = sequence.GapUnknown
	case !v.Stopped && gap == sequence.GapOrdinary:
		// The last process received more after it had saved, and nobody was away.
		gap = sequence.GapUnknown
	}
	for i := range v.Streams {
		if e := v.Streams[i].exporter; e.Zone() != "" || e.Is4In6() {
			return fmt.Errorf("%w: exporter %q is no address", state.ErrDamaged, e)
		}
		if !s.table.RestoreStream(v.Streams[i].exporter, &v.Streams[i].Saved, gap) {
			s.left++
		}
	}
	return nil
}
