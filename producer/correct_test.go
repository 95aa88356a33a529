package producer_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestSampledHeaders meets what is easily misread in a sampled header.
func TestSampledHeaders(t *testing.T) {
	decode := func(t *testing.T, frame []byte) outcome {
		t.Helper()
		return decodeAll(t, 0, sflowDatagram(flowSample(rawHeader(frame)))).wants(1, "none", true)
	}
	ipv4 := tcpFrame[14:]
	t.Run("vlan id of 12 bits", func(t *testing.T) {
		f := decode(t, vlanFrame).flows[0]
		equal(t, "vlan", f.VlanId, 0x123)
		equal(t, "port", f.SrcPort, 443)
	})
	t.Run("options of IPv4 before the ports", func(t *testing.T) {
		b := slices.Concat(tcpFrame[:14], []byte{0x46}, ipv4[1:20], []byte{1, 1, 1, 1}, ipv4[20:])
		f := decode(t, b).flows[0]
		equal(t, "source port", f.SrcPort, 443)
		equal(t, "destination port", f.DstPort, 1024)
	})
	t.Run("no ports of a later fragment", func(t *testing.T) {
		b := bytes.Clone(tcpFrame)
		copy(b[20:], u16(nil, 0x2010))
		f := decode(t, b).flows[0]
		equal(t, "ports", f.SrcPort+f.DstPort, 0)
		equal(t, "offset", f.FragmentOffset, 16)
		equal(t, "flags", f.IpFlags, 1)
		equal(t, "protocol", f.Proto, 6)
	})
	t.Run("protocol behind IPv6 extension headers", func(t *testing.T) {
		b := slices.Concat(tcpFrame[:12], unhex("86dd 6000 0000 0024 00 40"), bytes.Repeat([]byte{0x20, 1}, 16),
			unhex("3c 00 0102 0000 0000"), unhex("06 00 0102 0000 0000"), ipv4[20:])
		f := decode(t, b).flows[0]
		equal(t, "protocol", f.Proto, 6)
		equal(t, "port", f.SrcPort, 443)
	})
	t.Run("GRE with a key", func(t *testing.T) {
		outer := bytes.Clone(ipv4[:20])
		outer[9] = 47
		b := slices.Concat(tcpFrame[:14], outer, unhex("2000 0800 0000 0001"), ipv4)
		f := decode(t, b).flows[0]
		equal(t, "protocol", f.Proto, 47)
		equal(t, "layers", len(f.LayerStack), 5)
		equal(t, "size of GRE", f.LayerSize[2], 8)
		equal(t, "innermost", f.LayerStack[4].String(), "TCP")
	})
}

// TestTimes pins how an exporter's clocks become Unix time.
func TestTimes(t *testing.T) {
	const ms = 1_000_000
	now := uint64(unixSecs) * 1e9
	// v9 with an uptime of that many milliseconds, and a flow of that time.
	v9times := func(t *testing.T, uptime, start, end uint32) (uint64, uint64) {
		t.Helper()
		d := v9(set(0, tpl(256, 22, 4, 21, 4)), set(256, u32(nil, start, end)))
		copy(d[4:], u32(nil, uptime))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		return f.TimeFlowStartNs, f.TimeFlowEndNs
	}
	t.Run("v9", func(t *testing.T) {
		start, end := v9times(t, 100_000, 70_000, 99_000)
		equal(t, "start", start, now-30_000*ms)
		equal(t, "end", end, now-1_000*ms)
	})
	t.Run("v9 start before the uptime wrapped", func(t *testing.T) {
		start, end := v9times(t, 5_000, 0xffffffff-9_999, 1_000)
		equal(t, "start", start, now-15_000*ms)
		equal(t, "end", end, now-4_000*ms)
	})
	t.Run("v9 flow older than the exporter's uptime", func(t *testing.T) {
		// A flow that began 40 days before: the clock of softflowd begins
		// with the program.
		start, _ := v9times(t, 1_000, uint32(1_000+1<<32-40*86_400_000), 900)
		equal(t, "start", start, now-40*86_400_000*ms)
	})
	t.Run("v9 end just after the export", func(t *testing.T) {
		_, end := v9times(t, 5_000, 1_000, 5_250)
		equal(t, "end", end, now+250*ms)
	})
	t.Run("v5 wrap", func(t *testing.T) {
		d := v5datagram(1)
		copy(d[4:], u32(nil, 5_000))
		copy(d[24+24:], u32(nil, 0xffffffff-9_999, 1_000))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now+500*ms-15_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now+500*ms-4_000*ms)
	})
	t.Run("absolute in v9", func(t *testing.T) {
		d := v9(set(0, tpl(256, 150, 4, 151, 4), tpl(257, 152, 8, 153, 8), tpl(258, 154, 8, 157, 8)),
			set(256, u32(nil, 1_600_000_000, 1_600_000_001)),
			set(257, u64(nil, 1_600_000_000_123, 1_600_000_001_456)),
			set(258, u64(nil, (1_600_000_000+2208988800)<<32|1<<31, (1_600_000_001+2208988800)<<32|1<<30)))
		f := decodeAll(t, 0, d).wants(3, "none", true).flows
		equal(t, "seconds", f[0].TimeFlowStartNs, 1_600_000_000*1e9)
		equal(t, "seconds", f[0].TimeFlowEndNs, 1_600_000_001*1e9)
		equal(t, "milliseconds", f[1].TimeFlowStartNs, 1_600_000_000_123*1e6)
		equal(t, "milliseconds", f[1].TimeFlowEndNs, 1_600_000_001_456*1e6)
		equal(t, "ntp", f[2].TimeFlowStartNs, 1_600_000_000_500_000_000)
		equal(t, "ntp", f[2].TimeFlowEndNs, 1_600_000_001_250_000_000)
	})
	t.Run("absolute of no length with relative", func(t *testing.T) {
		// The absolute time is declared but never there.
		d := v9(set(0, tpl(256, 152, 0, 22, 4, 21, 4)), set(256, u32(nil, uptimeMs-2_000, uptimeMs-1_000)))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-2_000*ms)
	})
	t.Run("relative in ipfix with boot time", func(t *testing.T) {
		boot := uint64(unixSecs)*1000 - 100_000
		d := ipfix(set(2, tpl(256, 160, 8, 22, 4, 21, 4)), set(256, u64(nil, boot), u32(nil, 70_000, 99_000)))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-30_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now-1_000*ms)
	})
	t.Run("relative in ipfix with a boot time of long ago", func(t *testing.T) {
		// Up for 60 days: the 32-bit clock has wrapped once.
		const up = 60 * 86_400_000
		boot := uint64(unixSecs)*1000 - up
		d := ipfix(set(2, tpl(256, 160, 8, 22, 4, 21, 4)), set(256, u64(nil, boot), u32(nil, (up-30_000)%(1<<32), (up-1_000)%(1<<32))))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-30_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now-1_000*ms)
	})
	t.Run("relative in ipfix with a boot time in options data", func(t *testing.T) {
		// As softflowd does it.
		boot := uint64(unixSecs)*1000 - 100_000
		f := decodeAll(t, 0,
			ipfix(set(3, opt(300, 1, 143, 4, 160, 8)), set(300, u32(nil, 1), u64(nil, boot))),
			ipfix(set(2, tpl(256, 22, 4, 21, 4)), set(256, u32(nil, 70_000, 99_000)))).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-30_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now-1_000*ms)
	})
	t.Run("relative in ipfix without boot time", func(t *testing.T) {
		d := ipfix(set(2, tpl(256, 22, 4, 21, 4)), set(256, u32(nil, 70_000, 99_000)))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-29_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now)
	})
	t.Run("microseconds before the export", func(t *testing.T) {
		d := ipfix(set(2, tpl(256, 158, 4, 159, 4)), set(256, u32(nil, 3_000_000, 1_000)))
		f := decodeAll(t, 0, d).wants(1, "none", true).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now-3_000*ms)
		equal(t, "end", f.TimeFlowEndNs, now-ms)
	})
	t.Run("none given", func(t *testing.T) {
		f := decodeAll(t, 0, ipfix(set(2, tpl(256, 7, 2)), set(256, u16(nil, 80)))).flows[0]
		equal(t, "start", f.TimeFlowStartNs, now)
		equal(t, "end", f.TimeFlowEndNs, now)
	})
}

// TestSamplingRates pins where a flow's sampling rate comes from.
func TestSamplingRates(t *testing.T) {
	rates := func(o outcome) []uint64 {
		var all []uint64
		for _, f := range o.flows {
			all = append(all, f.SamplingRate)
		}
		return all
	}
	flow48 := set(2, tpl(256, 302, 8, 7, 2))
	data48 := set(256, u64(nil, 5), u16(nil, 80), u64(nil, 6), u16(nil, 80), u64(nil, 7), u16(nil, 80))
	for _, c := range []struct {
		name      string
		rate      uint64
		datagrams [][]byte
		want      []uint64
	}{
		{"by sampler id in v9", 0, scenarioOf("v9 sampler id"), []uint64{1000, 2000, 0}},
		{"by selector id in ipfix", 0, [][]byte{
			ipfix(set(3, opt(300, 1, 302, 8, 50, 4)), flow48),
			ipfix(set(300, u64(nil, 5), u32(nil, 100), u64(nil, 6), u32(nil, 200))), ipfix(data48),
		}, []uint64{100, 200, 0}},
		{"interval and space", 0, [][]byte{
			ipfix(set(3, opt(300, 1, 302, 8, 305, 4, 306, 4)), flow48),
			ipfix(set(300, u64(nil, 5), u32(nil, 1, 99), u64(nil, 6), u32(nil, 10, 990), u64(nil, 7), u32(nil, 1, 0))), ipfix(data48),
		}, []uint64{100, 100, 1}},
		{"interval alone", 0, [][]byte{
			ipfix(set(3, opt(300, 1, 302, 8, 305, 4)), flow48), ipfix(set(300, u64(nil, 5), u32(nil, 512))), ipfix(data48),
		}, []uint64{512, 0, 0}},
		{"305 before 50 before 34", 0, [][]byte{
			ipfix(set(3, opt(300, 1, 302, 8, 34, 4, 50, 4, 305, 4)), flow48),
			ipfix(set(300, u64(nil, 5), u32(nil, 1, 2, 3), u64(nil, 6), u32(nil, 4, 5, 0), u64(nil, 7), u32(nil, 6, 0, 0))), ipfix(data48),
		}, []uint64{3, 5, 6}},
		{"in the data record", 0, [][]byte{
			ipfix(set(3, opt(300, 1, 143, 4, 34, 4)), set(2, tpl(256, 34, 4, 7, 2))),
			ipfix(set(300, u32(nil, 1, 100))), ipfix(set(256, u32(nil, 50), u16(nil, 80), u32(nil, 0), u16(nil, 80))),
		}, []uint64{50, 100}},
		{"of another domain", 9, [][]byte{
			ipfixDomain(1, set(3, opt(300, 1, 143, 4, 34, 4))), ipfixDomain(1, set(300, u32(nil, 1, 100))),
			ipfixDomain(2, set(2, tpl(256, 7, 2)), set(256, u16(nil, 80))),
		}, []uint64{100}},
		{"default where none is announced", 4096, [][]byte{v9(set(0, tpl(256, 7, 2)), set(256, u16(nil, 80)))}, []uint64{4096}},
		{"default is no override", 4096, [][]byte{v5datagram(1)}, []uint64{512}},
		{"default of v1", 4096, [][]byte{v1datagram(1, false)}, []uint64{4096}},
		{"sflow", 4096, [][]byte{sflowDatagram(flowSample(rawHeader(tcpFrame)))}, []uint64{400}},
		{"none", 0, [][]byte{v9(set(0, tpl(256, 7, 2)), set(256, u16(nil, 80)))}, []uint64{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rates(decodeAll(t, c.rate, c.datagrams...)); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func scenarioOf(name string) [][]byte {
	for _, s := range scenarios() {
		if s.name == name {
			return s.datagrams
		}
	}
	panic("no scenario " + name)
}

// TestElements pins single information elements.
func TestElements(t *testing.T) {
	one := func(t *testing.T, fields []uint16, record []byte) outcome {
		t.Helper()
		return decodeAll(t, 0, ipfix(set(2, tpl(256, fields...)), set(256, record))).wants(1, "none", true)
	}
	t.Run("zero address does not replace one", func(t *testing.T) {
		f := one(t, []uint16{8, 4, 12, 4, 27, 16, 28, 16}, join([]byte{10, 0, 0, 1, 10, 0, 0, 2}, make([]byte, 32))).flows[0]
		equal(t, "source", netip.AddrFrom4([4]byte(f.SrcAddr)).String(), "10.0.0.1")
		equal(t, "etype", f.Etype, 0x800)
	})
	t.Run("address behind a zero one", func(t *testing.T) {
		f := one(t, []uint16{8, 4, 12, 4, 27, 16, 28, 16}, join(make([]byte, 8), bytes.Repeat([]byte{0x20}, 32))).flows[0]
		equal(t, "source", len(f.SrcAddr), 16)
		equal(t, "etype", f.Etype, 0x86dd)
	})
	t.Run("address of a length that it cannot have", func(t *testing.T) {
		f := one(t, []uint16{8, 16, 12, 5, 27, 4, 28, 4, 7, 2}, join(bytes.Repeat([]byte{1}, 29), u16(nil, 80))).flows[0]
		equal(t, "source", len(f.SrcAddr), 0)
		equal(t, "destination", len(f.DstAddr), 0)
		equal(t, "port", f.SrcPort, 80)
	})
	t.Run("reduced-size numbers", func(t *testing.T) {
		f := one(t, []uint16{1, 3, 2, 5, 10, 1, 16, 3}, unhex("010203 0000000007 09 01fbf4")).flows[0]
		equal(t, "bytes", f.Bytes, 0x010203)
		equal(t, "packets", f.Packets, 7)
		equal(t, "interface", f.InIf, 9)
		equal(t, "AS", f.SrcAs, 0x1fbf4)
	})
	t.Run("number of 9 bytes", func(t *testing.T) {
		f := one(t, []uint16{1, 9, 7, 2}, unhex("010203040506070809 0050")).flows[0]
		equal(t, "bytes", f.Bytes, 0)
		equal(t, "port", f.SrcPort, 80)
	})
	t.Run("delta before post", func(t *testing.T) {
		f := one(t, []uint16{1, 4, 23, 4, 24, 4, 2, 4}, u32(nil, 1, 2, 3, 4)).flows[0]
		equal(t, "bytes", f.Bytes, 1)
		equal(t, "packets", f.Packets, 4)
	})
	t.Run("enterprise elements are no others", func(t *testing.T) {
		body := join(u16(nil, 256, 2, 0x8001, 4), u32(nil, 29305), u16(nil, 1, 4))
		f := decodeAll(t, 0, ipfix(set(2, body), set(256, u32(nil, 77, 88)))).flows[0]
		equal(t, "bytes", f.Bytes, 88)
		body = join(u16(nil, 256, 2, 1, 4, 0x8001, 4), u32(nil, 0xffffffff))
		f = decodeAll(t, 0, ipfix(set(2, body), set(256, u32(nil, 88, 77)))).flows[0]
		equal(t, "bytes", f.Bytes, 88)
	})
	t.Run("v9 numbers above 32767 are no enterprise bits", func(t *testing.T) {
		f := decodeAll(t, 0, v9(set(0, tpl(256, 40005, 1, 0x8001, 4, 7, 2)), set(256, unhex("02 00000009 0050")))).flows[0]
		equal(t, "bytes", f.Bytes, 0)
		equal(t, "port", f.SrcPort, 80)
	})
	t.Run("frame section", func(t *testing.T) {
		f := one(t, []uint16{10, 4, 315, variable}, join(u32(nil, 7), []byte{byte(len(tcpFrame))}, tcpFrame)).flows[0]
		equal(t, "packets", f.Packets, 1)
		equal(t, "bytes", f.Bytes, uint64(len(tcpFrame)))
		equal(t, "port", f.SrcPort, 443)
		f = one(t, []uint16{312, 2, 315, variable}, join(u16(nil, 1500), []byte{byte(len(tcpFrame))}, tcpFrame)).flows[0]
		equal(t, "bytes", f.Bytes, 1500)
	})
}

// TestTemplates pins whose templates are whose.
func TestTemplates(t *testing.T) {
	announce := ipfix(set(2, tpl(256, flowFields...)))
	data := ipfix(set(256, flowRecord(1)))
	from := func(addr string, datagram []byte) arrival {
		return arrival{producer.Meta{Source: netip.MustParseAddrPort(addr), ReceivedNs: receivedNs}, datagram}
	}
	t.Run("survive a change of the source port", func(t *testing.T) {
		decodeArrivals(t, 0, []arrival{from("192.0.2.1:1000", announce), from("192.0.2.1:2000", data)}).wants(1, "none", true)
	})
	t.Run("of another exporter", func(t *testing.T) {
		decodeArrivals(t, 0, []arrival{from("192.0.2.1:1000", announce), from("192.0.2.2:1000", data)}).wants(0, "template_missing", false)
	})
	t.Run("of another domain", func(t *testing.T) {
		decodeAll(t, 0, announce, ipfixDomain(8, set(256, flowRecord(1)))).wants(0, "template_missing", false)
	})
	t.Run("of another version", func(t *testing.T) {
		decodeAll(t, 0, announce, v9(set(256, flowRecord(1)))).wants(0, "template_missing", false)
	})
	t.Run("withdrawn", func(t *testing.T) {
		decodeAll(t, 0, announce, ipfix(set(2, tpl(256))), data).wants(0, "template_missing", false)
	})
	t.Run("all withdrawn", func(t *testing.T) {
		decodeAll(t, 0, announce, ipfix(set(2, tpl(2))), data).wants(0, "template_missing", false)
	})
	t.Run("other kind withdrawn", func(t *testing.T) {
		decodeAll(t, 0, announce, ipfix(set(3, tpl(3))), data).wants(1, "none", true)
	})
	t.Run("redefined", func(t *testing.T) {
		o := decodeAll(t, 0, announce, ipfix(set(2, tpl(256, 7, 2)), set(256, u16(nil, 80)))).wants(1, "none", true)
		equal(t, "port", o.flows[0].SrcPort, 80)
		equal(t, "replaced", o.counters.TemplatesReplaced, 1)
	})
	t.Run("announced again", func(t *testing.T) {
		equal(t, "unchanged", decodeAll(t, 0, announce, announce, announce).counters.TemplatesUnchanged, 2)
	})
	t.Run("learnt by another producer", func(t *testing.T) {
		store := producer.NewStore(template.DefaultLimits())
		a, b := producer.New(producer.Config{}, store), producer.New(producer.Config{}, store)
		batch := producer.NewBatch(0, 1<<10)
		a.Datagram(batch, producer.Meta{Source: v4source}, announce)
		if res := b.Datagram(batch, producer.Meta{Source: v4source}, data); res.Records != 1 {
			t.Fatalf("got %+v", res)
		}
	})
}

// TestConcurrentProducers has four workers share a store: each decodes, each
// announces, and some withdraw what all use.
func TestConcurrentProducers(t *testing.T) {
	store := producer.NewStore(template.DefaultLimits())
	const rounds = 300
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := producer.New(producer.Config{Format: producer.FormatBin}, store)
			batch := producer.NewBatch(worker, 64<<10)
			for round := range rounds {
				for i, s := range scenarios() {
					for _, d := range s.datagrams {
						batch.Reset()
						p.Datagram(batch, producer.Meta{Source: v4source, ReceivedNs: receivedNs}, d)
					}
					if i > 12 && round%8 != 0 {
						break
					}
				}
				// Exporters of one's own, which make the table grow.
				addr := netip.AddrFrom4([4]byte{10, byte(worker), byte(round >> 8), byte(round)})
				meta := producer.Meta{Source: netip.AddrPortFrom(addr, 1)}
				batch.Reset()
				p.Datagram(batch, meta, ipfix(set(2, tpl(256, flowFields...))))
				if res := p.Datagram(batch, meta, ipfix(set(256, flowRecord(1)))); res.Records != 1 {
					t.Errorf("worker %d round %d: %+v", worker, round, res)
					return
				}
			}
			if got, want := producer.Sum(p.Counters.Datagrams[:]), producer.Sum(p.Counters.Decoded[:])+producer.Sum(p.Counters.Failed[:]); got != want {
				t.Errorf("received %d, accounted %d", got, want)
			}
		}()
	}
	wg.Wait()
}

// TestLargeDatagrams decodes datagrams as large as UDP can carry.
func TestLargeDatagrams(t *testing.T) {
	const largest = 65507
	t.Run("v5", func(t *testing.T) {
		n := (largest - 24) / 48
		decodeAll(t, 0, v5datagram(n)).wants(n, "none", true)
	})
	t.Run("v9", func(t *testing.T) {
		n := (largest - 20 - 4) / len(flowRecord(1))
		decodeAll(t, 0, v9(set(0, tpl(256, flowFields...))), v9(set(256, bytes.Repeat(flowRecord(1), n)))).wants(n, "none", true)
	})
	t.Run("ipfix", func(t *testing.T) {
		n := (largest - 16 - 4) / len(flowRecord(1))
		decodeAll(t, 0, ipfix(set(2, tpl(256, flowFields...))), ipfix(set(256, bytes.Repeat(flowRecord(1), n)))).wants(n, "none", true)
	})
	t.Run("sflow", func(t *testing.T) {
		one := flowSample(rawHeader(tcpFrame))
		n := (largest - 28) / len(one)
		samples := make([][]byte, n)
		for i := range samples {
			samples[i] = one
		}
		decodeAll(t, 0, sflowDatagram(samples...)).wants(n, "none", true)
	})
	// Messages whose length prefix takes one, two and three bytes.
	t.Run("sflow with long lists", func(t *testing.T) {
		for _, n := range []int{0, 1, 20, 24, 25, 26, 27, 28, 3200, 3263, 3270, 3276, 3277, 3278, 3290, 12000} {
			b := u32(nil, 1, 0xcb007101, 64500, 64496, 64497, 0, uint32(n))
			for range n {
				b = binary.BigEndian.AppendUint32(b, 0xffffffff)
			}
			b = u32(b, 100)
			o := decodeAll(t, 0, sflowDatagram(flowSample(tagged(1003, b)))).wants(1, "none", true)
			equal(t, "communities", len(o.flows[0].BgpCommunities), n)
		}
	})
}
