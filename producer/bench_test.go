package producer_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// BenchmarkDatagram measures decode and produce, datagram in, messages out, on
// the workloads of bench/gen. cpu-ns/record is the figure to look at: CPU time of
// the thread.
func BenchmarkDatagram(b *testing.B) {
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 64, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		datagrams := g.Take(4096)
		metas := make([]producer.Meta, len(datagrams))
		for i, d := range datagrams {
			metas[i] = producer.Meta{
				Source:     netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055),
				ReceivedNs: 1_700_000_000_000_000_000,
			}
		}
		for _, format := range []struct {
			name string
			cfg  producer.Config
		}{
			{"bin", producer.Config{Format: producer.FormatBin}},
			{"json", producer.Config{Format: producer.FormatJSON, Separator: []byte("\n")}},
			{"text", producer.Config{Format: producer.FormatText, Separator: []byte("\n")}},
		} {
			b.Run(name+"/"+format.name, func(b *testing.B) {
				p := producer.New(format.cfg, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, producer.DefaultBatchSize)
				for i := range datagrams { // templates, and room in the lists
					p.Datagram(batch, metas[i], datagrams[i].Payload)
					batch.Reset()
				}
				records, bytes := 0, 0
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				b.ReportAllocs()
				b.ResetTimer()
				began := cpuTime(b)
				for i := 0; b.Loop(); i++ {
					i %= len(datagrams)
					records += p.Datagram(batch, metas[i], datagrams[i].Payload).Records
					if len(batch.Buf) >= producer.DefaultBatchSize {
						bytes += len(batch.Buf)
						batch.Reset()
					}
				}
				b.ReportMetric(float64(cpuTime(b)-began)/float64(records), "cpu-ns/record")
				b.ReportMetric(float64(bytes)/float64(records), "B/record")
			})
		}
	}
}
