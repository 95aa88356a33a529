package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// impairment is what happens to datagrams before they are sent, as shares of 1.
type impairment struct {
	drop, reorder, duplicate float64
	seed                     uint64
}

func (i *impairment) any() bool { return i.drop > 0 || i.reorder > 0 || i.duplicate > 0 }

// parseShare reads "1%" or "0.01".
func parseShare(s string) (float64, error) {
	text, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(text, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q: want a share such as 1%% or 0.01", s)
	}
	return f, nil
}

// streamKey is a sequence of numbers of an exporter.
type streamKey struct {
	source int
	kind   sequence.Kind
	domain uint64
	agent  string
	sample uint64
}

// numbers are what a datagram counts for in one stream.
type numbers struct {
	key                       streamKey
	records, flows, templates int
}

// counted is what a datagram counts for in all of its streams; the first is its
// own, unless it has no sequence number.
type counted []numbers

// maxDelay is how many datagrams of the same source overtake a reordered one at
// most.
const maxDelay = 8

// impairer impairs what is sent, and keeps the truth of it.
type impairer struct {
	impairment
	rnd     *rand.Rand
	counts  []counted // of the workload's datagrams
	streams map[streamKey]*truth
	order   []streamKey
	late    map[int][]delayed // by source
}

type delayed struct {
	datagram int
	pass     int    // in which it was due
	left     int    // datagrams of the source that still overtake it
	sent     uint64 // of its stream, when it was held back
}

// truth is what was done to a stream. What was dropped after the last datagram
// that was sent cannot be seen by a receiver.
type truth struct {
	Source      string `json:"source"`
	Protocol    string `json:"protocol"`
	Domain      uint64 `json:"domain"`
	Agent       string `json:"agent,omitempty"`
	SampleOf    string `json:"samples_of,omitempty"`
	Sent        uint64 `json:"sent"`
	Dropped     lost   `json:"dropped"`
	DroppedLast lost   `json:"dropped_last"` // after the last sent, not in Dropped
	Reordered   uint64 `json:"reordered"`
	Duplicated  uint64 `json:"duplicated"`
	// Of Reordered and Duplicated, those without a record: exporters that count
	// records give them no number of their own.
	ReorderedEmpty  uint64 `json:"reordered_empty"`
	DuplicatedEmpty uint64 `json:"duplicated_empty"`
}

// lost counts what was dropped, in all units that exporters count.
type lost struct {
	Datagrams uint64 `json:"datagrams"`
	Records   uint64 `json:"records"`
	Flows     uint64 `json:"flows"`
	Templates uint64 `json:"templates"`
}

func (l *lost) add(o lost) {
	l.Datagrams += o.Datagrams
	l.Records += o.Records
	l.Flows += o.Flows
	l.Templates += o.Templates
}

// newImpairer decodes the workload once, for what each datagram counts.
func newImpairer(cfg impairment, load *workload) *impairer {
	m := &impairer{
		impairment: cfg,
		rnd:        rand.New(rand.NewPCG(cfg.seed, 0x696d7061)),
		streams:    map[streamKey]*truth{},
		late:       map[int][]delayed{},
	}
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	for i := range load.datagrams {
		d := &load.datagrams[i]
		p.Datagram(batch, producer.Meta{Source: surveyAddr(d.source)}, d.payload)
		batch.Reset()
		m.counts = append(m.counts, m.count(d.source, p.Facts(), load))
	}
	return m
}

func (m *impairer) count(source int, f *producer.Facts, load *workload) counted {
	if !f.Numbered {
		return nil
	}
	key := streamKey{source: source, kind: f.Kind, domain: f.Domain}
	if f.Kind == sequence.SFlow {
		key.domain, key.agent = uint64(f.SubAgent), string(f.Agent)
	}
	own := numbers{key, int(f.Records), int(f.Flows), int(f.Templates)}
	all := counted{own}
	for _, s := range f.Samples {
		k := key
		k.kind, k.sample = s.Kind, s.Source
		at := slices.IndexFunc(all, func(n numbers) bool { return n.key == k })
		if at < 0 {
			at = len(all)
			all = append(all, numbers{key: k})
		}
		all[at].records++
	}
	for _, n := range all {
		if m.streams[n.key] != nil {
			continue
		}
		t := &truth{Protocol: n.key.kind.String(), Domain: n.key.domain, Source: "any"}
		if s := load.sources[source]; s.captured.IsValid() {
			t.Source = s.captured.String()
		}
		if addr, ok := netip.AddrFromSlice([]byte(n.key.agent)); ok {
			t.Agent = addr.String()
		}
		if n.key.kind > sequence.SFlow {
			t.SampleOf = fmt.Sprintf("%d:%d", n.key.sample>>32, n.key.sample&(1<<32-1))
		}
		m.streams[n.key] = t
		m.order = append(m.order, n.key)
	}
	return all
}

// next decides what becomes of datagram i in a pass: put is called for each that is sent
// now, with the pass that it is of.
func (m *impairer) next(i, pass, source int, put func(i, pass int)) {
	switch p := m.rnd.Float64(); {
	case p < m.drop:
		for _, n := range m.counts[i] {
			m.streams[n.key].DroppedLast.add(n.lost())
		}
		return
	case p < m.drop+m.reorder:
		late := delayed{datagram: i, pass: pass, left: 1 + m.rnd.IntN(maxDelay)}
		if len(m.counts[i]) > 0 {
			late.sent = m.streams[m.counts[i][0].key].Sent
		}
		m.late[source] = append(m.late[source], late)
		return
	}
	m.sent(i, pass, put)
	if m.rnd.Float64() < m.duplicate {
		put(i, pass)
		if c := m.counts[i]; len(c) > 0 {
			t := m.streams[c[0].key]
			t.Duplicated++
			if c[0].records == 0 {
				t.DuplicatedEmpty++
			}
		}
	}
	waiting := m.late[source]
	kept := waiting[:0]
	for _, d := range waiting {
		if d.left--; d.left > 0 {
			kept = append(kept, d)
			continue
		}
		m.release(d, put)
	}
	m.late[source] = kept
}

// sent counts one that goes out: what was dropped before it can be seen now.
func (m *impairer) sent(i, pass int, put func(i, pass int)) {
	put(i, pass)
	for _, n := range m.counts[i] {
		t := m.streams[n.key]
		t.Sent++
		t.Dropped.add(t.DroppedLast)
		t.DroppedLast = lost{}
	}
}

// release sends one that was held back.
func (m *impairer) release(d delayed, put func(i, pass int)) {
	put(d.datagram, d.pass)
	for at, n := range m.counts[d.datagram] {
		t := m.streams[n.key]
		if at == 0 && t.Sent > d.sent {
			t.Reordered++
			if n.records == 0 {
				t.ReorderedEmpty++
			}
		}
		t.Sent++
	}
}

// finish sends what is still held back.
func (m *impairer) finish(put func(i, pass int)) {
	for source, list := range m.late {
		for _, d := range list {
			m.release(d, put)
		}
		delete(m.late, source)
	}
}

func (n *numbers) lost() lost {
	return lost{1, uint64(n.records), uint64(n.flows), uint64(n.templates)}
}

// truths returns what was done, stream by stream.
func (m *impairer) truths(load *workload) []*truth {
	list := make([]*truth, 0, len(m.order))
	for _, key := range m.order {
		t := m.streams[key]
		if s := load.sources[key.source]; s.local.IsValid() {
			t.Source = s.local.String()
		}
		list = append(list, t)
	}
	return list
}
