package producer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// edges are numbers at which the length of a varint changes, or how it is
// written.
var edges = []uint64{0, 1, 0x7f, 0x80, 0xff, 0x100, 1<<14 - 1, 1 << 14, 1<<16 - 1, 1 << 16, 1<<21 - 1, 1 << 21, 1<<28 - 1, 1 << 28,
	1<<32 - 1, 1 << 32, 1<<35 - 1, 1 << 35, 1<<42 - 1, 1 << 42, 1<<49 - 1, 1 << 49, 1<<56 - 1, 1 << 56, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// edgeRecord fills a record with such numbers, most of a time of our age.
func edgeRecord(r *rand.Rand, tpl *Template) []byte {
	rec := make([]byte, 0, tpl.Length)
	for _, f := range tpl.Fields {
		var b [16]byte
		v := edges[r.IntN(len(edges))]
		if r.IntN(4) == 0 {
			v = r.Uint64() >> r.IntN(64)
		}
		if r.IntN(40) > 0 {
			switch f.ID {
			case 150, 151:
				v = 1_700_000_000 + v&0xffff
			case 152, 153:
				v = 1_700_000_000_000 + v&0xffffff
			case 154, 155, 156, 157:
				v = (1_700_000_000+ntpEpoch)<<32 + v>>8
			case 4:
				v = []uint64{1, 58, 6, 17}[v%4]
			case 21, 22:
				v = 1_000_000 - v&0xffff
				if r.IntN(8) == 0 {
					v = 1_000_000 + maxAheadMs + v&1
				}
			}
		}
		binary.BigEndian.PutUint64(b[8:], v)
		if f.Length == 16 {
			binary.BigEndian.PutUint64(b[:], r.Uint64())
		}
		rec = append(rec, b[16-f.Length:]...)
	}
	return rec
}

// timePairs are the pairs of elements for start and end that are written
// together, and their length.
var timePairs = [][3]uint16{{21, 22, 4}, {150, 151, 4}, {152, 153, 8}, {154, 155, 8}, {156, 157, 8}}

// TestFusedSets compares whole sets with their records written one by one by the
// encoder that checks all bounds: numbers at the edges of their encoding, times
// of any kind and age, messages on both sides of 128 bytes, rates that differ
// and that do not, all separators, and a batch that has to grow.
func TestFusedSets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sets, whole, untimed, starts := 0, 0, 0, 0
	for range 20_000 {
		tpl := randomTemplate(r, template.V9)
		if r.IntN(2) == 0 {
			pair := timePairs[r.IntN(len(timePairs))]
			for _, id := range pair[:2] {
				tpl.Fields = append(tpl.Fields, template.Field{ID: id, Length: pair[2]})
				tpl.Length += int(pair[2])
			}
			tpl.MinLength = tpl.Length
		}
		pl := compilePlan(tpl).fused
		if pl == nil {
			continue
		}
		sets++
		separator := []byte("\r\n, and more")[:r.IntN(10)]
		cfg := Config{Format: FormatBin, SamplingRate: uint64(r.IntN(2)) * 7, Separator: separator}
		p := New(cfg, NewStore(template.DefaultLimits()))
		p.batch = &Batch{Buf: make([]byte, 0, r.IntN(600)), FirstNs: 1}
		p.meta.ReceivedNs = 1_700_000_000_000_000_000
		var s template.Sampling
		s.Set(uint64(r.IntN(1000)))
		p.fused.long = r.IntN(2) == 0

		first := edgeRecord(r, tpl)
		var body []byte
		n := 1 + r.IntN(12)
		alike := r.IntN(2) == 0
		for range n {
			rec := first
			if !alike {
				rec = edgeRecord(r, tpl)
			}
			body = append(body, rec...)
		}
		begin := func() *fusedContext {
			return p.beginFused(pl, TypeNetFlowV9, 77, 7, 1_700_000_000e9, 1_000_000, s.Rate(), &s)
		}
		var want [][]byte
		c := begin()
		need := len(c.prefix) + pl.maxLen + storeSlack
		all := n
		for i := range n {
			if !pl.timed(c, body[i*pl.recordLen:(i+1)*pl.recordLen]) {
				n = i
				untimed++
				break
			}
			out := make([]byte, need)
			want = append(want, out[:pl.writeSafe(c, body[i*pl.recordLen:(i+1)*pl.recordLen], out)])
		}
		sources, late := c.sources, c.startLate
		if late {
			starts++
		}
		c = begin()
		if got := p.writeFused(pl, c, body, all); got != n || len(p.batch.Ends) != n {
			t.Fatalf("%d records, %d messages, want %d", got, len(p.batch.Ends), n)
		}
		if c.rateKnown {
			whole++
		}
		if c.startLate != late {
			t.Fatalf("template %v: start after end: %v, want %v", tpl.Fields, c.startLate, late)
		}
		if c.sources != sources && n == all {
			t.Fatalf("template %v: sources of rates %v, want %v", tpl.Fields, c.sources, sources)
		}
		for i := range n {
			m, ok := bytes.CutSuffix(p.batch.Message(i), separator)
			size, k := binary.Uvarint(m)
			if !ok || int(size) != len(m)-k || varintLen(size) != k || !sameFields(m[k:], want[i]) {
				t.Fatalf("template %v\nbody %x\nmessage %d of %d\n got %x\nwant %x", tpl.Fields, body, i, n, m, want[i])
			}
		}
	}
	if sets < 3000 || whole < 60 || untimed < 60 || starts < 60 {
		t.Fatalf("only %d sets were fused, %d of them of one rate that records name, %d with a record without times, %d with starts after ends", sets, whole, untimed, starts)
	}
}
