package producer

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/columns"
)

// threadTime returns the CPU time of the calling thread in ns.
func threadTime(tb testing.TB) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		tb.Fatal(err)
	}
	return ts.Nano()
}

// BenchmarkFillColumns measures records of data sets to columns alone, without the parsing of
// datagrams and sets, and from the datagram.
func BenchmarkFillColumns(b *testing.B) {
	list := generated(b, "nf9", 2000)
	p := New(Config{Format: FormatColumns}, NewStore(template.DefaultLimits()))
	batch := NewBatch(0, DefaultBatchSize)
	batch.Columns = columns.New()
	const maxRows = 1 << 17
	for batch.Columns.Rows() < maxRows {
		for _, d := range list {
			p.Datagram(batch, d.meta, d.payload)
		}
	}
	batch.Reset()
	b.Run("set", func(b *testing.B) {
		type set struct {
			in     *columnInput
			body   []byte
			n      int
			domain *TemplateDomain
			plan   *plan
		}
		var sets []set
		for i := range list {
			d := &list[i]
			p.start(&d.meta, d.meta.Source.Addr().As16(), batch)
			id := binary.BigEndian.Uint16(d.payload[20:])
			key := p.key(template.V9, binary.BigEndian.Uint32(d.payload[16:]))
			domain := p.store.Lookup(&key)
			if t := domain.Template(id); t != nil {
				sets = append(sets, set{d, d.payload[24:], (len(d.payload) - 24) / t.Length, domain, p.planOf(t)})
			}
		}
		rows := 0
		batch.Columns.Reset()
		b.ReportAllocs()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began := threadTime(b)
		for i := 0; b.Loop(); i++ {
			s := &sets[i%len(sets)]
			sampling := s.domain.Sampling()
			c := p.beginFused(s.plan.fused, TypeNetFlowV9, uint32(i), 1, 1_700_000_000_000_000_000, 1<<31, sampling.Rate(), sampling)
			rows += p.fillColumns(s.plan.fused, c, s.body, s.n)
			if batch.Columns.Rows() > maxRows {
				batch.Reset()
			}
		}
		b.ReportMetric(float64(threadTime(b)-began)/float64(rows), "cpu-ns/record")
	})
	b.Run("datagram", func(b *testing.B) {
		rows := 0
		batch.Columns.Reset()
		b.ReportAllocs()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began := threadTime(b)
		for i := 0; b.Loop(); i++ {
			d := &list[i%len(list)]
			rows += p.Datagram(batch, d.meta, d.payload).Records
			if batch.Columns.Rows() > maxRows {
				batch.Reset()
			}
		}
		b.ReportMetric(float64(threadTime(b)-began)/float64(rows), "cpu-ns/record")
	})
}
