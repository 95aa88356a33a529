package collector

import (
	"net/netip"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// BenchmarkFollow is what the sequences of a datagram cost in addition to its decoding.
func BenchmarkFollow(b *testing.B) {
	for _, name := range []string{"nf5", "nf9", "ipfix", "sflow"} {
		for _, follow := range []string{"decode", "follow"} {
			b.Run(name+"/"+follow, func(b *testing.B) {
				g, err := workload.New(workload.Config{Workload: name, Exporters: 16, IntervalNs: 1e5})
				if err != nil {
					b.Fatal(err)
				}
				list := g.Take(4096)
				store := producer.NewStore(template.DefaultLimits())
				p := producer.New(producer.Config{Format: producer.FormatBin}, store)
				batch := producer.NewBatch(0, 1<<20)
				w := &Worker{prod: p, parts: Parts{Exporters: NewExporters()}, senders: newSenders(DefaultMaxExporters)}
				senders := make([]*sender, 16)
				for i := range senders {
					e := w.parts.Exporters.Get(workload.ExporterAddr(i))
					senders[i] = &sender{Exporter: e, next: &e.next}
				}
				b.ReportAllocs()
				for i := range b.N {
					d := &list[i%len(list)]
					p.Datagram(batch, producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 1), ReceivedNs: d.TimeNs}, d.Payload)
					batch.Reset()
					if follow == "follow" {
						w.follow(senders[d.Exporter], p.Facts())
					}
				}
			})
		}
	}
}
