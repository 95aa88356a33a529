package producer_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// outcome is what the last of some datagrams came to.
type outcome struct {
	t        *testing.T
	res      producer.Result
	flows    []*flowpb.FlowMessage
	counters producer.Counters
}

// decodeAll decodes the datagrams of one exporter, fast and slow, and returns
// what the last came to.
func decodeAll(t *testing.T, rate uint64, datagrams ...[]byte) outcome {
	t.Helper()
	return decodeArrivals(t, rate, arrivals(datagrams...))
}

func decodeArrivals(t *testing.T, rate uint64, all []arrival) outcome {
	t.Helper()
	w := newTwin(rate)
	o := outcome{t: t}
	for i, a := range all {
		var err error
		if o.flows, o.res, err = w.decode(a); err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
	}
	o.counters = w.bin.Counters
	return o
}

// wants checks the number of records, the reason and whether it was decoded.
func (o outcome) wants(records int, reason string, decoded bool) outcome {
	o.t.Helper()
	if o.res.Records != records || o.res.Reason.String() != reason || o.res.Decoded != decoded {
		o.t.Fatalf("got %d records, reason %v, decoded %v; want %d, %v, %v",
			o.res.Records, o.res.Reason, o.res.Decoded, records, reason, decoded)
	}
	return o
}

// fault checks the number of faults of a reason over all datagrams.
func (o outcome) fault(name string, want uint64) outcome {
	o.t.Helper()
	for i, n := range o.counters.Faults {
		if producer.Reason(i).String() == name {
			if n != want {
				o.t.Errorf("got %d faults %s, want %d", n, name, want)
			}
			return o
		}
	}
	o.t.Fatalf("no reason is named %q", name)
	return o
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestHostile meets input that is made to cost a collector its memory or time.
func TestHostile(t *testing.T) {
	flowTpl := tpl(256, flowFields...)
	t.Run("field count 0 template and data", func(t *testing.T) {
		decodeAll(t, 0, v9(set(0, tpl(256)), set(256, flowRecord(1)))).
			wants(0, "template_empty", false).fault("template_missing", 1)
		// In IPFIX it is a withdrawal.
		decodeAll(t, 0, ipfix(set(2, tpl(256)), set(256, flowRecord(1)))).
			wants(0, "template_missing", true)
	})
	t.Run("options template of no field", func(t *testing.T) {
		decodeAll(t, 0, v9(set(1, opt9(256, 0)), set(256, flowRecord(1)))).
			wants(0, "template_empty", false).fault("template_missing", 1)
	})
	t.Run("zero-length fields only", func(t *testing.T) {
		for _, d := range [][]byte{
			v9(set(0, tpl(256, 8, 0, 12, 0)), set(256, flowRecord(1))),
			ipfix(set(2, tpl(256, 8, 0, 12, 0)), set(256, flowRecord(1))),
		} {
			decodeAll(t, 0, d).wants(0, "template_empty", false).fault("template_missing", 1)
		}
	})
	t.Run("zero-length fields among others", func(t *testing.T) {
		o := decodeAll(t, 0, v9(set(0, tpl(256, 8, 0, 7, 2, 12, 0)), set(256, u16(nil, 80, 443)))).wants(2, "none", true)
		equal(t, "port", o.flows[1].SrcPort, 443)
		equal(t, "address", len(o.flows[1].SrcAddr), 0)
	})
	t.Run("sflow record count 0xffffffff", func(t *testing.T) {
		sample := u32(nil, 1, 0, 3, 400, 1, 0, 0, 1, 0, 2, 0xffffffff)
		o := decodeAll(t, 0, sflowDatagram(tagged(3, append(sample, rawHeader(tcpFrame)...)))).wants(1, "sflow_record_count", true)
		equal(t, "port", o.flows[0].SrcPort, 443)
	})
	t.Run("sflow sample count 0xffffffff", func(t *testing.T) {
		d := sflowDatagram(flowSample(rawHeader(tcpFrame)))
		copy(d[24:], u32(nil, 0xffffffff))
		decodeAll(t, 0, d).wants(1, "sflow_sample_count", true)
	})
	t.Run("sflow AS path of 2^32 numbers", func(t *testing.T) {
		b := u32(nil, 1, 0xcb007101, 64500, 64496, 64497, 0xffffffff, 2, 0xffffffff, 1, 2)
		o := decodeAll(t, 0, sflowDatagram(flowSample(rawHeader(tcpFrame), tagged(1003, b)))).wants(1, "record_malformed", true)
		equal(t, "path", len(o.flows[0].AsPath), 0)
		equal(t, "source AS", o.flows[0].SrcAs, 64496)
	})
	t.Run("v5 of 24 bytes with count 65535", func(t *testing.T) {
		d := v5datagram(0)
		copy(d[2:], u16(nil, 65535))
		decodeAll(t, 0, d).wants(0, "count_mismatch", false)
	})
	t.Run("v5 with a count above its records", func(t *testing.T) {
		d := v5datagram(30)
		copy(d[2:], u16(nil, 55582))
		decodeAll(t, 0, d).wants(30, "count_mismatch", true)
	})
	t.Run("more templates than a domain may have", func(t *testing.T) {
		limits := template.Limits{Domains: 2, TemplatesPerDomain: 3, FieldsPerTemplate: 4}
		store := producer.NewStore(limits)
		p := producer.New(producer.Config{}, store)
		batch := producer.NewBatch(0, 1<<10)
		for id := uint16(256); id < 300; id++ {
			p.Datagram(batch, producer.Meta{Source: v4source}, ipfix(set(2, tpl(id, 7, 2))))
		}
		// Each takes the place of one that was of no use.
		equal(t, "added", p.Counters.TemplatesAdded, 44)
		equal(t, "kept", store.Totals().Templates, 3)
		res := p.Datagram(batch, producer.Meta{Source: v4source}, ipfix(set(2, tpl(256, 7, 2, 7, 2, 7, 2, 7, 2, 7, 2))))
		equal(t, "reason", res.Reason.String(), "template_fields_limit")
		for i := range byte(10) {
			source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 1)
			p.Datagram(batch, producer.Meta{Source: source}, ipfix(set(2, tpl(256, 7, 2))))
		}
		// Each new domain takes the place of one that was of no use.
		equal(t, "added with domains", p.Counters.TemplatesAdded, 44+10)
		_ = flowTpl
	})
	// Work must follow from the bytes of the datagram, not from what they
	// claim.
	for _, c := range []struct {
		name      string
		datagrams [][]byte
	}{
		{"one byte a record, 1023 fields without length", [][]byte{ipfix(set(2, tpl(256, emptyFields(1023, 4, variable)...))), maxSet(256)}},
		{"options of one byte, 1023 fields without length", [][]byte{ipfix(set(3, opt(256, 1, emptyFields(1023, 34, 1)...))), maxSet(256)}},
		{"withdrawals of nothing in a full domain", append(fullDomain(), ipfix(set(2, repeated(16000, tpl(60000)))))},
		{"redefinitions in a full domain", append(fullDomain(), ipfix(set(2, redefinitions(8000))))},
		{"sets of unknown templates in a full domain", append(fullDomain(), ipfix(repeated(16000, set(8192+256))))},
		{"a new sampler a record", [][]byte{ipfix(set(3, opt(256, 1, 302, 2, 34, 1))), ipfix(set(256, samplerRecords(20000))), ipfix(set(256, samplerRecords(20000)))}},
	} {
		t.Run("time of "+c.name, func(t *testing.T) {
			last := len(c.datagrams) - 1
			inPace(t, len(c.datagrams[last]), func() time.Duration {
				p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 1<<20)
				for _, d := range c.datagrams[:last] {
					p.Datagram(batch, producer.Meta{Source: v4source}, d)
				}
				batch.Reset()
				began := cpuTime(t)
				p.Datagram(batch, producer.Meta{Source: v4source}, c.datagrams[last])
				return cpuTime(t) - began
			})
		})
	}
}

// emptyFields returns n fields without length and one of that number and
// length.
func emptyFields(n int, id, length uint16) []uint16 {
	fields := []uint16{id, length}
	for range n {
		fields = append(fields, 210, 0)
	}
	return fields
}

// maxSet returns a datagram whose only set is as long as one can be.
func maxSet(id uint16) []byte { return ipfix(set(id, make([]byte, 65507-20))) }

// fullDomain returns datagrams that announce as many templates as a domain may
// have.
func fullDomain() [][]byte {
	var all [][]byte
	for id := uint16(256); id < 256+4096; id += 512 {
		var body []byte
		for i := range uint16(512) {
			body = append(body, tpl(id+i, 7, 2)...)
		}
		all = append(all, ipfix(set(2, body)))
	}
	return all
}

func redefinitions(n int) []byte {
	var body []byte
	for i := range n {
		body = append(body, tpl(256+uint16(i%4096), 7, 4)...)
	}
	return body
}

func repeated(n int, b []byte) []byte { return bytes.Repeat(b, n) }

func samplerRecords(n int) []byte {
	var body []byte
	for i := range n {
		body = append(u16(body, uint16(i%1024)), byte(i/1024)|1)
	}
	return body
}

// TestOneBadPiece puts a bad piece next to a good one, which must be decoded.
func TestOneBadPiece(t *testing.T) {
	flowTpl := tpl(256, flowFields...)
	data := set(256, flowRecord(1), flowRecord(2))
	ports := func(o outcome) {
		o.t.Helper()
		equal(o.t, "first port", o.flows[0].SrcPort, 1025)
		equal(o.t, "last port", o.flows[len(o.flows)-1].SrcPort, 1026)
	}
	t.Run("unknown template next to a good set", func(t *testing.T) {
		ports(decodeAll(t, 0, v9(set(0, flowTpl)), v9(set(999, flowRecord(7)), data)).wants(2, "template_missing", true))
		ports(decodeAll(t, 0, ipfix(set(2, flowTpl)), ipfix(data, set(999, flowRecord(7)))).wants(2, "template_missing", true))
	})
	t.Run("reserved set id", func(t *testing.T) {
		ports(decodeAll(t, 0, v9(set(0, flowTpl), set(2, []byte{1, 2, 3, 4}), data)).wants(2, "reserved_set", true))
		ports(decodeAll(t, 0, ipfix(set(2, flowTpl), set(4, []byte{1, 2, 3, 4}), set(255), data)).
			wants(2, "reserved_set", true).fault("reserved_set", 2))
	})
	t.Run("zero padding after the last set", func(t *testing.T) {
		for _, n := range []int{1, 3, 4, 7, 64} {
			ports(decodeAll(t, 0, v9(set(0, flowTpl), data, make([]byte, n))).wants(2, "none", true))
			ports(decodeAll(t, 0, ipfix(set(2, flowTpl), data, make([]byte, n))).wants(2, "none", true))
		}
	})
	t.Run("padding within sets", func(t *testing.T) {
		for n := range 4 {
			ports(decodeAll(t, 0, v9(set(0, flowTpl, make([]byte, n)), set(256, flowRecord(1), flowRecord(2), make([]byte, n)))).wants(2, "none", true))
		}
	})
	t.Run("set length beyond the message", func(t *testing.T) {
		long := bytes.Clone(data)
		copy(long[2:], u16(nil, 60000))
		ports(decodeAll(t, 0, ipfix(set(2, flowTpl), long)).wants(2, "set_overrun", true))
	})
	t.Run("set length below 4", func(t *testing.T) {
		ports(decodeAll(t, 0, ipfix(set(2, flowTpl), data, u16(nil, 256, 3))).wants(2, "set_length", true))
	})
	t.Run("truncated template next to a good one", func(t *testing.T) {
		bad := tpl(300, 8, 4)
		copy(bad[2:], u16(nil, 60))
		ports(decodeAll(t, 0, ipfix(set(2, flowTpl, bad), data)).wants(2, "template_truncated", true))
	})
	t.Run("template id below 256 before a good one", func(t *testing.T) {
		ports(decodeAll(t, 0, v9(set(0, tpl(17, 8, 4), flowTpl), data)).wants(2, "template_id", true))
	})
	t.Run("2-byte IE 34", func(t *testing.T) {
		o := decodeAll(t, 0, v9(set(1, opt9(300, 1, 1, 4, 34, 2)), set(0, flowTpl)), v9(set(300, u32(nil, 0), u16(nil, 250)), data))
		o.wants(2, "none", true)
		equal(t, "rate", o.flows[0].SamplingRate, 250)
	})
	t.Run("options-template withdrawal", func(t *testing.T) {
		o := decodeAll(t, 0, ipfix(set(3, opt(301, 1, 302, 8, 34, 4)), set(2, flowTpl)), ipfix(set(3, tpl(301)), data))
		ports(o.wants(2, "none", true))
		equal(t, "withdrawn", o.counters.TemplatesWithdrawn, 1)
		decodeAll(t, 0, ipfix(set(3, opt(301, 1, 302, 8, 34, 4))), ipfix(set(3, tpl(301))), ipfix(set(301, make([]byte, 12)))).
			wants(0, "template_missing", false)
	})
	t.Run("enterprise bit in options templates", func(t *testing.T) {
		body := join(u16(nil, 302, 3, 1, 0x8000|149, 4), u32(nil, 9), u16(nil, 0x8000|34, 4), u32(nil, 29305), u16(nil, 34, 2))
		o := decodeAll(t, 0, ipfix(set(3, body), set(2, flowTpl)), ipfix(set(302, u32(nil, 1, 4711), u16(nil, 222)), data)).wants(2, "none", true)
		equal(t, "rate", o.flows[0].SamplingRate, 222)
		equal(t, "options records", o.counters.OptionsRecords, 1)
	})
	t.Run("variable length beyond the set", func(t *testing.T) {
		fields := append([]uint16{82, variable}, flowFields...)
		good := append([]byte{0}, flowRecord(1)...)
		for _, prefix := range [][]byte{{200}, {255, 200, 0}, {255, 1}} {
			o := decodeAll(t, 0, ipfix(set(2, tpl(259, fields...)), set(259, good, prefix, flowRecord(2)), set(259, good)))
			o.wants(2, "record_truncated", true)
		}
	})
	t.Run("unknown sflow sample format", func(t *testing.T) {
		d := sflowDatagram(tagged(99, []byte{1, 2, 3}), tagged(7<<12|1, make([]byte, 40)), flowSample(rawHeader(tcpFrame)))
		o := decodeAll(t, 0, d).wants(1, "sflow_sample_unknown", true).fault("sflow_sample_unknown", 2)
		equal(t, "unknown", o.counters.UnknownSamples, 2)
	})
	t.Run("unknown sflow record format", func(t *testing.T) {
		d := sflowDatagram(flowSample(tagged(2222, []byte{1}), tagged(8800<<12|1, []byte{1, 2, 3, 4, 5}), rawHeader(tcpFrame)))
		equal(t, "port", decodeAll(t, 0, d).wants(1, "none", true).flows[0].SrcPort, 443)
	})
	t.Run("sflow next-hop address type 0", func(t *testing.T) {
		router := tagged(1002, u32(nil, 0, 24, 16))
		gw := tagged(1003, u32(nil, 0, 64500, 64496, 64497, 1, 2, 1, 64501, 0, 100))
		o := decodeAll(t, 0, sflowDatagram(flowSample(router, gw, rawHeader(tcpFrame)))).wants(1, "none", true)
		equal(t, "source prefix", o.flows[0].SrcNet, 24)
		equal(t, "next hop", len(o.flows[0].NextHop)+len(o.flows[0].BgpNextHop), 0)
		equal(t, "AS", o.flows[0].DstAs, 64501)
	})
	t.Run("sflow sample that is cut", func(t *testing.T) {
		d := sflowDatagram(flowSample(rawHeader(tcpFrame)), flowSample(rawHeader(tcpFrame)))
		o := decodeAll(t, 0, d[:len(d)-10])
		equal(t, "reason", o.res.Reason.String(), "sflow_"+sflow.ErrSampleTruncated.String())
		equal(t, "port", o.flows[0].SrcPort, 443)
	})
	t.Run("ipfix header length 2 short", func(t *testing.T) {
		d := ipfix(set(2, flowTpl), data)
		copy(d[2:], u16(nil, uint16(len(d)-2)))
		ports(decodeAll(t, 0, d).wants(2, "length_mismatch", true))
	})
	t.Run("v5 with 6 bytes behind its records", func(t *testing.T) {
		decodeAll(t, 0, append(v5datagram(3), 0, 0, 0, 0, 0, 0)).wants(3, "none", true)
		decodeAll(t, 0, append(v5datagram(3), 1, 0, 0, 0, 0, 0)).wants(3, "trailing_bytes", true)
	})
}
