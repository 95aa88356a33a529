package producer_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// templateDatagram announces n templates of v9 from id 256 on, all of 21 fields
// in 59 bytes; dataDatagram has 24 records of one of them.
func templateDatagram(n int) []byte {
	fields := []uint16{8, 4, 12, 4, 15, 4, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2,
		6, 1, 4, 1, 5, 1, 16, 4, 17, 4, 9, 1, 13, 1, 61, 1, 48, 4, 89, 1}
	var set []byte
	for i := range n {
		set = binary.BigEndian.AppendUint16(set, uint16(256+i))
		set = binary.BigEndian.AppendUint16(set, uint16(len(fields)/2))
		for _, f := range fields {
			set = binary.BigEndian.AppendUint16(set, f)
		}
	}
	return v9Datagram(uint16(n), 0, set)
}

func dataDatagram(id uint16) []byte {
	const records, size = 24, 59
	body := make([]byte, records*size)
	for i := range body {
		body[i] = byte(i * 7)
	}
	return v9Datagram(records, id, body)
}

func v9Datagram(count, set uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, 9)
	b = binary.BigEndian.AppendUint16(b, count)
	b = append(b, 0, 1, 0, 0, 0x65, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, set)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(body)))
	return append(b, body...)
}

// BenchmarkExporters measures the same work for few and for many exporters of
// ten templates each, and what the store of their templates takes.
func BenchmarkExporters(b *testing.B) {
	const templates = 10
	announce := templateDatagram(templates)
	var data [templates][]byte
	for i := range data {
		data[i] = dataDatagram(uint16(256 + i))
	}
	for _, exporters := range []int{64, 20_000} {
		b.Run(fmt.Sprint(exporters), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			store := producer.NewStore(template.DefaultLimits())
			p := producer.New(producer.Config{Format: producer.FormatBin}, store)
			batch := producer.NewBatch(0, producer.DefaultBatchSize)
			meta := func(e int) producer.Meta {
				return producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(e), 2055), ReceivedNs: receivedNs}
			}
			for e := range exporters {
				p.Datagram(batch, meta(e), announce)
				if p.Datagram(batch, meta(e), data[e%templates]).Records == 0 {
					b.Fatal("no records")
				}
				batch.Reset()
			}
			if n := store.Totals().Templates; n != exporters*templates {
				b.Fatalf("%d templates are stored of %d", n, exporters*templates)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			records := 0
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.ReportAllocs()
			b.ResetTimer()
			began := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				// A step that has nothing in common with either number.
				e := i * 7919 % exporters
				records += p.Datagram(batch, meta(e), data[i%templates]).Records
				if len(batch.Buf) >= producer.DefaultBatchSize {
					batch.Reset()
				}
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(records), "cpu-ns/record")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "heap-MiB")
		})
	}
}

// BenchmarkWorkers measures what one worker decodes and what two decode at the
// same time, each with a producer of its own and one store between them, in turns:
// an iteration is a turn. scaling is the second over the first; machine is the same
// for two threads that do nothing but count, which is all that this machine could
// give at that time. The figures are medians of the turns. cpu-ns/record of both
// must be the same, or they are in each other's way.
func BenchmarkWorkers(b *testing.B) {
	g, err := workload.New(workload.Config{Workload: "nf9", Exporters: 64, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	datagrams := g.Take(4096)
	store := producer.NewStore(template.DefaultLimits())
	var producers [2]*producer.Producer
	var batches [2]*producer.Batch
	for w := range producers {
		producers[w] = producer.New(producer.Config{Format: producer.FormatBin}, store)
		batches[w] = producer.NewBatch(w, producer.DefaultBatchSize)
	}
	decode := func(worker int) (records int) {
		p, batch := producers[worker], batches[worker]
		for i := range datagrams {
			if d := &datagrams[i]; d.Exporter%2 == worker {
				records += p.Datagram(batch, producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs}, d.Payload).Records
				if len(batch.Buf) >= producer.DefaultBatchSize {
					batch.Reset()
				}
			}
		}
		return records
	}
	var sums [2]uint64
	count := func(worker int) int {
		sum := sums[worker]
		for i := range uint64(1 << 19) {
			sum = sum*6364136223846793005 + i
		}
		sums[worker] = sum
		return 1
	}
	// during has so many workers work, and returns what they did a second and
	// their CPU time for one of it.
	during := func(workers int, work func(worker int) int) (rate, cost float64) {
		var wg sync.WaitGroup
		var total, used atomic.Int64
		began := time.Now()
		until := began.Add(100 * time.Millisecond)
		for w := range workers {
			wg.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				n, began := 0, cpuTime(b)
				for time.Now().Before(until) {
					n += work(w)
				}
				total.Add(int64(n))
				used.Add(int64(cpuTime(b) - began))
			})
		}
		wg.Wait()
		return float64(total.Load()) / time.Since(began).Seconds(), float64(used.Load()) / float64(total.Load())
	}
	var scaling, machine, rate, alone, both []float64
	during(2, decode)
	for b.Loop() {
		spin, _ := during(1, count)
		spins, _ := during(2, count)
		one, cost := during(1, decode)
		two, costs := during(2, decode)
		scaling, machine = append(scaling, two/one), append(machine, spins/spin)
		rate, alone, both = append(rate, two), append(alone, cost), append(both, costs)
	}
	for unit, turns := range map[string][]float64{"scaling": scaling, "machine": machine, "records/s": rate, "alone-ns/record": alone, "both-ns/record": both} {
		slices.Sort(turns)
		b.ReportMetric(turns[len(turns)/2], unit)
	}
}
