package producer_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// usualMapping is a mapping of the usual kind: a few columns, a field from the
// templates, one from the sampled headers, tunnels on ports and a key.
func usualMapping() *producer.Mapping {
	return &producer.Mapping{
		Fields: []string{"type", "time_received_ns", "sequence_num", "sampling_rate", "direction", "sampler_address", "time_flow_start_ns", "time_flow_end_ns",
			"bytes", "packets", "src_addr", "src_net", "dst_addr", "dst_net", "etype", "proto", "src_port", "dst_port", "in_if", "out_if", "src_mac", "dst_mac", "icmp_name", "checksum"},
		Key:    []string{"sampler_address"},
		Render: map[string]producer.Renderer{"time_received_ns": producer.RenderDateTimeNano},
		Custom: []producer.Custom{
			{Name: "direction", Number: 42, Type: producer.CustomVarint}, {Name: "checksum", Number: 999, Type: producer.CustomVarint},
		},
		IPFIX: []producer.ElementRule{{ID: 61, Destination: "direction"}}, NetFlowV9: []producer.ElementRule{{ID: 61, Destination: "direction"}},
		Layers: []producer.LayerRule{{Layer: "udp", Offset: 48, Length: 16, Destination: "checksum"}, {Layer: "tcp", Offset: 128, Length: 16, Destination: "checksum"}},
		Ports: []producer.PortRule{
			{Proto: "udp", Dst: true, Port: 3544, Parser: "teredo-dst"}, {Proto: "udp", Src: true, Dst: true, Port: 4754, Parser: "gre"},
			{Proto: "udp", Src: true, Dst: true, Port: 6081, Parser: "geneve"},
		},
	}
}

// BenchmarkMapping compares a mapping, and keys, with none: cpu-ns/record. Run
// it with -count: the cases take turns.
func BenchmarkMapping(b *testing.B) {
	programs := map[string]*producer.Programs{
		"none":    program(b, nil, producer.Settings{}),
		"mapping": program(b, usualMapping(), producer.Settings{}),
		"key":     program(b, &producer.Mapping{Key: []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port"}}, producer.Settings{}),
		"sampler": program(b, &producer.Mapping{Key: []string{"sampler_address"}}, producer.Settings{}),
	}
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 64, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		datagrams := g.Take(1024)
		metas := make([]producer.Meta, len(datagrams))
		for i, d := range datagrams {
			metas[i] = producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs}
		}
		for _, format := range []string{"bin", "json"} {
			for _, under := range []string{"none", "mapping", "sampler", "key"} {
				b.Run(name+"/"+format+"/"+under, func(b *testing.B) {
					cfg := producer.Config{Programs: programs[under]}
					if format == "bin" {
						cfg.Format = producer.FormatBin
					}
					p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
					batch := producer.NewBatch(0, producer.DefaultBatchSize)
					for i := range datagrams {
						p.Datagram(batch, metas[i], datagrams[i].Payload)
						batch.Reset()
					}
					records := 0
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					b.ResetTimer()
					began := cpuTime(b)
					for i := 0; b.Loop(); i++ {
						i %= len(datagrams)
						records += p.Datagram(batch, metas[i], datagrams[i].Payload).Records
						if len(batch.Buf) >= producer.DefaultBatchSize {
							batch.Reset()
						}
					}
					b.ReportMetric(float64(cpuTime(b)-began)/float64(records), "cpu-ns/record")
				})
			}
		}
	}
}
