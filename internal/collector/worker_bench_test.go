package collector

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// BenchmarkWorker is what a worker does with a datagram, in addition to decoding it: what
// is between them is looking the exporter up and counting. Cold is where other memory is
// gone through in between, as if the worker had slept: what is expensive then is how many
// places in memory a datagram needs.
func BenchmarkWorker(b *testing.B) {
	for _, name := range []string{"nf9", "nf5", "ipfix", "sflow"} {
		for _, kind := range []string{"decode", "worker", "decode-cold", "worker-cold"} {
			b.Run(name+"/"+kind, func(b *testing.B) { benchmarkWorker(b, name, kind) })
		}
	}
}

func benchmarkWorker(b *testing.B, name, kind string) {
	const exporters = 64
	g, err := workload.New(workload.Config{Workload: name, Exporters: exporters, IntervalNs: 1e5, MaxPayload: 1472})
	if err != nil {
		b.Fatal(err)
	}
	list := g.Take(512 * exporters)
	lane := sink.NewLane(0, 4, producer.DefaultBatchSize)
	w, err := NewWorker(0, Config{BatchSize: producer.DefaultBatchSize, Linger: 1e9}, Parts{
		CPU: -1, Lane: lane, Notify: func() {}, Exporters: NewExporters(), Gate: NewGate(NewAdmission(nil, nil, 0)),
		Producer: producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits())),
		Names:    NewGoflow2Names(1000), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	other := make([]byte, 8<<20)
	at := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := &list[i%len(list)]
		src := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
		switch kind {
		case "worker", "worker-cold":
			w.frame(src, d.Payload, d.TimeNs)
		default:
			w.prod.Datagram(w.open(), producer.Meta{Source: src, ReceivedNs: d.TimeNs}, d.Payload)
			if len(w.batch.Buf) >= producer.DefaultBatchSize {
				w.seal()
			}
		}
		if i%64 == 63 {
			w.tend(64)
		}
		if batch, ok := lane.Full.Pop(); ok {
			batch.Reset()
			lane.Empty.Push(batch)
		}
		if kind == "decode-cold" || kind == "worker-cold" {
			for range 512 { // 32 KiB
				other[at]++
				at = (at + 64) % len(other)
			}
		}
	}
}
