package producer_test

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/geo"
)

// whereabouts knows something of most addresses, different in neighbours.
func whereabouts(addr netip.Addr) (geo.Answer, int) {
	last := addr.As16()[15]
	var a geo.Answer
	if last%3 != 0 {
		a.AS = 4_200_000_000 + uint32(last)
	}
	if last%5 != 0 {
		a.Country = geo.Country('A')<<8 | geo.Country('A'+last%26)
	}
	return a, addr.BitLen()
}

// enriched is what a message has to become.
func enriched(m *flowpb.FlowMessage) (src, dst string) {
	find := func(b []byte) geo.Answer {
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return geo.Answer{}
		}
		a, _ := whereabouts(addr.Unmap())
		return a
	}
	s, d := find(m.SrcAddr), find(m.DstAddr)
	if s.AS != 0 {
		m.SrcAs = s.AS
	}
	if d.AS != 0 {
		m.DstAs = d.AS
	}
	return s.Country.String(), d.Country.String()
}

// countries takes the fields of the countries out of a message.
func countries(t *testing.T, m *flowpb.FlowMessage) (src, dst string) {
	t.Helper()
	b := m.ProtoReflect().GetUnknown()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		value, k := protowire.ConsumeBytes(b[n:])
		if n < 0 || k < 0 || kind != protowire.BytesType {
			t.Fatalf("unknown fields %x", b)
		}
		switch number {
		case 1000:
			src += string(value)
		case 1001:
			dst += string(value)
		default:
			t.Fatalf("unknown field %d", number)
		}
		b = b[n+k:]
	}
	m.ProtoReflect().SetUnknown(nil)
	return src, dst
}

// enrichAgrees compares the enriched messages of datagrams with the plain ones.
func enrichAgrees(t *testing.T, all []arrival) (records int) {
	source := &geo.Source{Find: whereabouts}
	plain := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	bin := producer.New(producer.Config{Format: producer.FormatBin, Geo: geo.NewCache(source)}, producer.NewStore(template.DefaultLimits()))
	text := producer.New(producer.Config{Format: producer.FormatJSON, Geo: geo.NewCache(source)}, producer.NewStore(template.DefaultLimits()))
	b0, b1, b2 := producer.NewBatch(0, 1<<16), producer.NewBatch(0, 1<<10), producer.NewBatch(0, 1<<16)
	for i, a := range all {
		b0.Reset()
		b1.Reset()
		b2.Reset()
		r0, r1, r2 := plain.Datagram(b0, a.meta, a.data), bin.Datagram(b1, a.meta, a.data), text.Datagram(b2, a.meta, a.data)
		if r0 != r1 || r0 != r2 {
			t.Fatalf("datagram %d: %+v, enriched %+v and %+v", i, r0, r1, r2)
		}
		for j := range b0.Records() {
			records++
			var want, got flowpb.FlowMessage
			wire := unframed(t, b1.Message(j))
			if err := proto.Unmarshal(unframed(t, b0.Message(j)), &want); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(wire, &got); err != nil {
				t.Fatalf("datagram %d, record %d: %v: %x", i, j, err, b1.Message(j))
			}
			srcWant, dstWant := enriched(&want)
			src, dst := countries(t, &got)
			if src != srcWant || dst != dstWant || !proto.Equal(&want, &got) {
				t.Fatalf("datagram %d, record %d:\ngot  %v %q %q\nwant %v %q %q", i, j, &got, src, dst, &want, srcWant, dstWant)
			}
			for n, count := range fieldCounts(t, wire) {
				if count > 1 && (n == 14 || n == 15 || n >= 1000) {
					t.Fatalf("datagram %d, record %d: field %d is there %d times", i, j, n, count)
				}
			}
			var v struct {
				SrcAS      uint32 `json:"src_as"`
				DstAS      uint32 `json:"dst_as"`
				SrcCountry string `json:"src_country"`
				DstCountry string `json:"dst_country"`
			}
			if err := json.Unmarshal(b2.Message(j), &v); err != nil {
				t.Fatalf("datagram %d, record %d: %v: %s", i, j, err, b2.Message(j))
			}
			if v.SrcAS != want.SrcAs || v.DstAS != want.DstAs || v.SrcCountry != srcWant || v.DstCountry != dstWant {
				t.Fatalf("datagram %d, record %d: JSON has %+v, want %d %d %q %q", i, j, v, want.SrcAs, want.DstAs, srcWant, dstWant)
			}
		}
	}
	return records
}

func unframed(t *testing.T, b []byte) []byte {
	t.Helper()
	size, n := protowire.ConsumeVarint(b)
	if n < 0 || size != uint64(len(b)-n) {
		t.Fatalf("length %d before %d bytes", size, len(b)-n)
	}
	return b[n:]
}

func fieldCounts(t *testing.T, b []byte) map[protowire.Number]int {
	counts := map[protowire.Number]int{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		k := protowire.ConsumeFieldValue(number, kind, b[n:])
		if k < 0 {
			t.Fatal(protowire.ParseError(k))
		}
		counts[number]++
		b = b[n+k:]
	}
	return counts
}

// workloadArrivals returns datagrams of the synthetic mix.
func workloadArrivals(t testing.TB, n int) []arrival {
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 16, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all []arrival
	for _, d := range g.Take(n) {
		all = append(all, arrival{producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs}, d.Payload})
	}
	return all
}

func TestEnriched(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) { enrichAgrees(t, arrivals(s.datagrams...)) })
	}
	t.Run("mix", func(t *testing.T) {
		if n := enrichAgrees(t, workloadArrivals(t, 300)); n < 3000 {
			t.Errorf("%d records only", n)
		}
	})
	names, err := filepath.Glob(filepath.Join("..", "internal", "corpus", "testdata", "*.pcap"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all := capturedArrivals(t, name)
			enrichAgrees(t, all[:min(len(all), 50)])
		})
	}
}

func TestEnrichedDoesNotAllocate(t *testing.T) {
	all := workloadArrivals(t, 200)
	for _, format := range []producer.Format{producer.FormatBin, producer.FormatJSON} {
		p := producer.New(producer.Config{Format: format, Geo: geo.NewCache(&geo.Source{Find: whereabouts})}, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 4<<20)
		round := func() {
			batch.Reset()
			for _, a := range all {
				p.Datagram(batch, a.meta, a.data)
			}
		}
		round()
		round()
		if n := testing.AllocsPerRun(10, round); n != 0 {
			t.Errorf("format %d: %v allocations a round", format, n)
		}
	}
}

// BenchmarkEnrich measures what enrichment adds, in CPU time of the thread: look
// at the difference of the two. Neighbours of an address hit, as in real
// databases.
func BenchmarkEnrich(b *testing.B) {
	source := &geo.Source{Find: func(addr netip.Addr) (geo.Answer, int) {
		return geo.Answer{AS: 64500, Country: 'D'<<8 | 'E'}, addr.BitLen() / 2
	}}
	for _, name := range []string{"nf9", "sflow", "mix"} {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 64, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		datagrams := g.Take(1024)
		for _, way := range []string{"bin/plain", "bin/enriched", "json/plain", "json/enriched"} {
			b.Run(name+"/"+way, func(b *testing.B) {
				cfg := producer.Config{Format: producer.FormatBin}
				if way[0] == 'j' {
					cfg.Format = producer.FormatJSON
				}
				if way[len(way)-1] == 'd' {
					cfg.Geo = geo.NewCache(source)
				}
				p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, producer.DefaultBatchSize)
				records := 0
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				b.ReportAllocs()
				began := cpuTime(b)
				for i := 0; b.Loop(); i++ {
					d := &datagrams[i%len(datagrams)]
					meta := producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs}
					records += p.Datagram(batch, meta, d.Payload).Records
					if len(batch.Buf) >= producer.DefaultBatchSize {
						batch.Reset()
					}
				}
				b.ReportMetric(float64(cpuTime(b)-began)/float64(records), "cpu-ns/record")
			})
		}
	}
}
