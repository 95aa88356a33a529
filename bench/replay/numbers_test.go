package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gen "github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// generated is a workload as if it had been captured.
func generated(t *testing.T, name string, exporters, datagrams int) []packet {
	t.Helper()
	g, err := gen.New(gen.Config{Workload: name, Exporters: exporters, Seed: 7, MaxPayload: 1400})
	if err != nil {
		t.Fatal(err)
	}
	var list []packet
	for _, d := range g.Take(datagrams) {
		from := netip.AddrPortFrom(gen.ExporterAddr(d.Exporter), 2055)
		list = append(list, packet{from.String(), "198.51.100.1:2055", d.Payload})
	}
	return list
}

// trouble is what a collector finds wrong with the sequences of payloads, by source.
func trouble(bySource map[netip.AddrPort][]string) (sum sequence.Info, streams int) {
	table := sequence.NewTable(1000)
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	now := int64(1e18)
	sets := map[netip.AddrPort]*sequence.Set{}
	for from, list := range bySource {
		set := &sequence.Set{}
		sets[from] = set
		for _, payload := range list {
			now += 1e6
			p.Datagram(batch, producer.Meta{Source: from, ReceivedNs: now}, []byte(payload))
			batch.Reset()
			f := p.Facts()
			key := sequence.Key{Kind: f.Kind, Domain: f.Domain}
			if f.Kind == sequence.SFlow {
				key.Domain = table.Agent(f.Agent, f.SubAgent)
			}
			set.Observe(table, key, &f.Observation)
			o := sequence.Observation{NowNs: f.NowNs}
			for _, s := range f.Samples {
				key.Kind, key.Source, o.Sequence = s.Kind, s.Source, s.Sequence
				set.Observe(table, key, &o)
			}
		}
	}
	table.Sweep(now, sequence.Network, true)
	for _, set := range sets {
		for _, s := range set.Streams() {
			streams++
			sum.Lost += s.Lost
			sum.Reordered += s.Reordered
			sum.Duplicates += s.Duplicates
			sum.Restarts += s.Restarts
		}
	}
	return sum, streams
}

// To a collector the passes are exporters that go on.
func TestRewriteSequence(t *testing.T) {
	const passes, datagrams = 4, 200
	for _, name := range []string{"nf5", "nf9", "ipfix", "sflow"} {
		t.Run(name, func(t *testing.T) {
			capture := writePcap(t, generated(t, name, 3, datagrams)...)
			for _, rewrite := range []bool{true, false} {
				s := collector(t, "127.0.0.1:0")
				args := []string{"-to", s.LocalAddr().String(), "-loop", fmt.Sprint(passes), "-keep-source", capture}
				if rewrite {
					args = append([]string{"-rewrite-sequence"}, args...)
				}
				code, _, stderr := runReplay(t, args...)
				bySource, total := received(t, s)
				if code != 0 || total != passes*datagrams || len(bySource) != 3 {
					t.Fatalf("code %d, %d datagrams from %d sources: %s", code, total, len(bySource), stderr)
				}
				sum, streams := trouble(bySource)
				if streams < 3 {
					t.Errorf("%d streams", streams)
				}
				if fine := sum == (sequence.Info{}); fine != rewrite {
					t.Errorf("rewritten %v: %+v", rewrite, sum)
				}
			}
		})
	}
}

// What is held back keeps the number of the pass that it was due in, also when the next one
// has begun, or all are over.
func TestRewriteSequenceOfLateOnes(t *testing.T) {
	const passes, datagrams = 3, 40
	for _, loops := range []int{1, passes} {
		s := collector(t, "127.0.0.1:0")
		code, _, stderr := runReplay(t, "-to", s.LocalAddr().String(), "-loop", fmt.Sprint(loops), "-keep-source",
			"-rewrite-sequence", "-reorder", "60%", writePcap(t, generated(t, "nf9", 1, datagrams)...))
		bySource, total := received(t, s)
		if code != 0 || total != loops*datagrams || len(bySource) != 1 {
			t.Fatalf("code %d, %d datagrams: %s", code, total, stderr)
		}
		for _, list := range bySource {
			var numbers []uint32
			late := false
			for _, payload := range list {
				n := binary.BigEndian.Uint32([]byte(payload[12:]))
				late = late || len(numbers) > 0 && n < numbers[len(numbers)-1]
				numbers = append(numbers, n)
			}
			slices.Sort(numbers)
			for i, n := range numbers {
				if n != numbers[0]+uint32(i) {
					t.Fatalf("%d passes: number %d is %d, want each once: %v", loops, i, n, numbers)
				}
			}
			if !late {
				t.Error("nothing was late")
			}
		}
	}
}

// Frames get the numbers that payloads do, wherever a fragment holds them, and checksums
// that fit.
func TestNumbersInFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, p := range framePaths {
		for _, mtu := range []int{maxPacket, 1500, 1280} {
			for _, size := range []int{4, 24, 1400, 4000, 9000} {
				p.mtu = mtu
				payload := random(r, size)
				var list []number
				for at := range size / 4 {
					if at == 0 || r.IntN(20) == 0 {
						list = append(list, number{at: 4 * at, first: binary.BigEndian.Uint32(payload[4*at:]), step: r.Uint32()})
					}
				}
				from := netip.AddrPortFrom(randomAddr(r, p.to.Addr().Is6()), 1000)
				d, err := p.build(from, payload, 0xabcd)
				if err != nil {
					t.Fatal(err)
				}
				for pass := range 3 {
					want := bytes.Clone(payload)
					setNumbers(want, list, pass)
					whole := p
					whole.mtu = maxPacket
					reference := reference(t, &whole, from, want)
					var segment []byte
					for i, f := range d.frames {
						f = bytes.Clone(f)
						d.setNumbers(f, i, list, pass)
						if len(d.frames) == 1 {
							segment = f[d.sumAt-6:]
							break
						}
						body, _, _ := fragmentOf(t, f, from.Addr())
						segment = append(segment, body...)
					}
					if !bytes.HasSuffix(reference, segment) {
						t.Errorf("MTU %d, %d bytes, pass %d: the frames do not have the payload", mtu, size, pass)
					}
				}
			}
		}
	}
}

// A pass ends where the exporter would have gone on.
func TestSteps(t *testing.T) {
	one := units{1, 5, 4}
	tests := []struct {
		name    string
		numbers []uint32
		counts  []units
		want    uint32
	}{
		{"a single one", []uint32{7}, []units{{3, 2, 1}}, 3},
		{"datagrams", []uint32{1, 2, 3}, []units{one, one, one}, 3},
		{"past the highest number", []uint32{1<<32 - 1, 0, 1}, []units{one, one, one}, 3},
		{"flows, where records are expected", []uint32{10, 14, 18}, []units{{5, 4, 1}, {5, 4, 1}, {5, 4, 1}}, 12},
		{"records, of the datagram at hand too", []uint32{10, 17, 20}, []units{{5, 5, 1}, {7, 7, 1}, {3, 3, 1}}, 15},
		{"the last one late", []uint32{1, 2, 4, 3}, []units{one, one, one, one}, 4},
		{"one lost", []uint32{1, 2, 4}, []units{one, one, one}, 4},
		{"began anew", []uint32{50000, 50001, 0, 1}, []units{one, one, one, one}, 1<<32 - 49_998},
	}
	for _, test := range tests {
		c := course{}
		for i, n := range test.numbers {
			c.add(n, test.counts[i])
		}
		if got := c.step(); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
