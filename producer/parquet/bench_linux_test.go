package parquet_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sort"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/parquet"
)

// zipf draws numbers below n, of which number k comes in proportion to (k+1)^-s.
type zipf []float64

func newZipf(n int, s float64) zipf {
	z, sum := make(zipf, n), 0.0
	for k := range z {
		sum += math.Pow(float64(k+1), -s)
		z[k] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) uint32 {
	return uint32(sort.SearchFloat64s(z, r.Float64()*z[len(z)-1]))
}

// Where fields of workload nf9 are in its records of 59 bytes.
const (
	recordLen                              = 59
	atSrc, atDst, atNext, atInIf, atOutIf  = 0, 4, 8, 12, 16
	atPackets, atBytes, atStart, atEnd     = 20, 24, 28, 32
	atSrcPort, atDstPort, atSrcAS, atDstAS = 36, 38, 43, 47
)

// realistic returns datagrams of nf9 whose values are distributed as in a network: 4096 clients
// of each exporter, half a million servers in 40,000 prefixes of 5000 ASes, service ports and
// others, sizes with a heavy tail. It is a model, not a trace.
func realistic(b testing.TB, n int) (all []input) {
	g, err := workload.New(workload.Config{Workload: "nf9", Exporters: 64, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	clients, servers, tail := newZipf(4096, 0.9), newZipf(500_000, 1), newZipf(20_000, 1.1)
	services := []uint16{443, 443, 443, 443, 443, 443, 80, 80, 53, 22, 25, 123, 993, 8080}
	put, put16 := binary.BigEndian.PutUint32, binary.BigEndian.PutUint16
	for i, d := range g.Take(n) {
		src := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
		if binary.BigEndian.Uint16(d.Payload[20:]) >= 256 {
			uptime := binary.BigEndian.Uint32(d.Payload[4:])
			for rec := d.Payload[24:]; len(rec) >= recordLen; rec = rec[recordLen:] {
				server := servers.draw(r)
				prefix := server * 2654435761 % 40_000
				as := 1000 + prefix*prefix%5000
				client, port := 10<<24|uint32(d.Exporter)<<16|clients.draw(r), services[r.IntN(len(services))]
				if r.IntN(8) == 0 {
					port = uint16(1024 + tail.draw(r))
				}
				other := uint16(32768 + r.IntN(28232))
				packets := uint32(math.Pow(1-r.Float64(), -1/1.2))
				packets = min(packets, 1<<20)
				size := uint32(40 + r.IntN(1460))
				if r.IntN(3) == 0 {
					size = 52
				}
				server = (40+prefix>>8)<<24 | prefix&255<<16 | server>>3
				put(rec[atSrc:], client)
				put(rec[atDst:], server)
				put(rec[atNext:], 10<<24|uint32(d.Exporter)<<8|prefix%4)
				put(rec[atInIf:], 1+client%6)
				put(rec[atOutIf:], 7+prefix%4)
				put(rec[atSrcAS:], 64500)
				put(rec[atDstAS:], as)
				put16(rec[atSrcPort:], other)
				put16(rec[atDstPort:], port)
				if r.IntN(2) == 0 { // the answer
					put(rec[atSrc:], server)
					put(rec[atDst:], client)
					put(rec[atSrcAS:], as)
					put(rec[atDstAS:], 64500)
					put16(rec[atSrcPort:], port)
					put16(rec[atDstPort:], other)
				}
				put(rec[atPackets:], packets)
				put(rec[atBytes:], packets*size)
				end := uptime - uint32(r.IntN(2000))
				put(rec[atEnd:], end)
				put(rec[atStart:], end-uint32(r.ExpFloat64()*3000))
			}
		}
		all = append(all, input{producer.Meta{Source: src, ReceivedNs: 1_700_000_000_000_000_000 + int64(i)*20_000}, d.Payload})
	}
	return all
}

// BenchmarkFile measures from the datagram to the bytes of a file, row groups of 131,072 flows:
// CPU time of the thread, and bytes a flow.
func BenchmarkFile(b *testing.B) {
	list := realistic(b, 30_000)
	for _, codec := range []struct {
		name string
		c    parquet.Compression
	}{{"none", parquet.None}, {"snappy", parquet.Snappy}, {"zstd", parquet.Zstd}} {
		b.Run(codec.name, func(b *testing.B) {
			w, err := parquet.New(codec.c, "weir test")
			if err != nil {
				b.Fatal(err)
			}
			p := producer.New(producer.Config{Format: producer.FormatColumns}, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 0)
			batch.Columns = columns.New()
			var out []byte
			at := 0
			group := func() int64 {
				for batch.Columns.Rows() < 1<<17 {
					p.Datagram(batch, list[at%len(list)].meta, list[at%len(list)].payload)
					at++
				}
				rows := batch.Columns.Rows()
				out = w.End(w.Append(w.Begin(out[:0]), batch.Columns))
				batch.Reset()
				return int64(rows)
			}
			for range 3 {
				group()
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began, rows, size := threadTime(b), int64(0), int64(0)
			for b.Loop() {
				rows += group()
				size += int64(len(out))
			}
			b.ReportMetric(float64(threadTime(b)-began)/float64(rows), "cpu-ns/record")
			b.ReportMetric(float64(size)/float64(rows), "B/record")
		})
	}
}

// threadTime returns the CPU time of the calling thread in ns.
func threadTime(tb testing.TB) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		tb.Fatal(err)
	}
	return ts.Nano()
}
