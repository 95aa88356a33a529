package sflow

import (
	"bytes"
	"testing"
)

// visit walks all of a datagram and every reader, and gives each view to see.
// It returns the number of samples and records met.
func visit(b []byte, numbers []uint32, see func([]byte)) (steps, ases int) {
	h, rest, err := ParseHeader(b)
	if err != nil {
		return 0, 0
	}
	see(h.Agent)
	var s Samples
	s.Init(rest, h.SampleCount)
	for s.Next() {
		steps++
		see(s.Sample.Data)
		for s.Records.Next() {
			steps++
			d := s.Records.Record.Data
			see(d)
			r1, _ := ParseRawHeader(d)
			see(r1.Header)
			ParseEthernet(d)
			r3, _ := ParseIPv4(d)
			see(r3.Src)
			see(r3.Dst)
			r4, _ := ParseIPv6(d)
			see(r4.Src)
			see(r4.Dst)
			ParseExtendedSwitch(d)
			r6, _ := ParseExtendedRouter(d)
			see(r6.NextHop)
			r7, _ := ParseExtendedGateway(d)
			see(r7.NextHop)
			see(r7.Segments)
			see(r7.Communities)
			ases += len(r7.ASPath(numbers[:0])) + len(r7.AppendCommunities(numbers[:0]))
		}
	}
	see(s.Rest())
	return steps, ases
}

var busy = func() []byte {
	gateway := piece(FlowExtendedGateway, cat(words(1), agent4, words(1, 2, 3, 2, 2, 2, 10, 20, 1, 1, 30, 1, 5, 100)))
	router := piece(FlowExtendedRouter, cat(words(1), agent4, words(24, 16)))
	ip4 := piece(FlowIPv4, make([]byte, 32))
	ip6 := piece(FlowIPv6, make([]byte, 56))
	eth := piece(FlowEthernet, make([]byte, 24))
	raw := rawHeader(make([]byte, 128))
	return datagram(6, flow(3, raw, switched(), gateway), flowExpanded(4, raw, router, ip4, ip6), counter(1, piece(1, make([]byte, 88))),
		drop(2, piece(FlowACL, make([]byte, 12)), eth), piece(4413<<12|1, make([]byte, 20)), flow(2, raw, switched()))
}()

func TestNoAllocation(t *testing.T) {
	numbers := make([]uint32, 0, 64)
	var total int
	cut := busy[:len(busy)-3]
	if n := testing.AllocsPerRun(100, func() {
		a, b := visit(busy, numbers, func([]byte) {})
		c, d := visit(cut, numbers, func([]byte) {})
		total += a + b + c + d
		if _, _, err := ParseHeader(busy[4:]); err == nil {
			total = 0
		}
	}); n != 0 || total == 0 {
		t.Errorf("%v allocations, %d steps", n, total)
	}
}

// TestHostileCounts gives every count and length of a datagram its largest value.
func TestHostileCounts(t *testing.T) {
	numbers := make([]uint32, 0, len(busy))
	for i := 0; i+4 <= len(busy); i += 4 {
		for _, v := range []uint32{0, 1, 0x3fffffff, 0x40000001, 0x7fffffff, 0xfffffff8, 0xfffffffc, 0xffffffff} {
			b := bytes.Clone(busy)
			copy(b[i:], words(v))
			if steps, ases := visit(b, numbers, func([]byte) {}); steps > len(b)/8 || ases > len(b)/4 {
				t.Fatalf("word %d = %#x: %d steps, %d numbers", i/4, v, steps, ases)
			}
		}
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add(busy)
	f.Add(cat(words(5, 2), agent6, words(1, 2, 3, 1), flow(1, switched())))
	f.Add(datagram(0xffffffff, flowExpanded(0xffffffff)))
	f.Add(datagram(2, piece(0, nil), piece(SampleFlow, nil)))
	f.Add(datagram(1, drop(1, words(FlowFunction, 10, 6), []byte("foobar"))))
	f.Fuzz(func(t *testing.T, in []byte) {
		in = in[:len(in):len(in)]
		places := make(map[*byte]int, len(in))
		for i := range in {
			places[&in[i]] = i
		}
		steps, ases := visit(in, nil, func(v []byte) {
			if len(v) == 0 {
				return
			}
			i, ok := places[&v[0]]
			if !ok || i+len(v) > len(in) || i+cap(v) > len(in) {
				t.Fatalf("view of %d bytes is not within the %d of the datagram", len(v), len(in))
			}
		})
		if steps > len(in)/8 || ases > len(in)/4 {
			t.Fatalf("%d steps and %d numbers in %d bytes", steps, ases, len(in))
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	raw := rawHeader(make([]byte, 128))
	in := datagram(6, flow(2, raw, switched()), flow(2, raw, switched()), flow(2, raw, switched()),
		flow(2, raw, switched()), flow(2, raw, switched()), flow(2, raw, switched()))
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	var sum uint32
	for b.Loop() {
		h, rest, err := ParseHeader(in)
		if err != nil {
			b.Fatal(err)
		}
		var s Samples
		s.Init(rest, h.SampleCount)
		for s.Next() {
			for s.Records.Next() {
				switch s.Records.Record.Format {
				case FlowRawHeader:
					r, _ := ParseRawHeader(s.Records.Record.Data)
					sum += r.FrameLength
				case FlowExtendedSwitch:
					r, _ := ParseExtendedSwitch(s.Records.Record.Data)
					sum += r.DstVLAN
				}
			}
		}
	}
	if sum == 0 {
		b.Fatal("nothing read")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/6, "ns/sample")
}
