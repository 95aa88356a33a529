package producer_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// everyWay are configurations under which samples and records are written in all
// ways that there are.
func everyWay(t testing.TB) map[string]producer.Config {
	columns := &producer.Mapping{Fields: []string{"type", "src_addr", "proto", "ip_ttl", "ip_tos", "src_port"}}
	layers := &producer.Mapping{
		Custom: []producer.Custom{{Name: "extra", Number: 2000, Type: producer.CustomVarint}},
		Layers: []producer.LayerRule{{Layer: "ipv4", Offset: 0, Length: 8, Destination: "extra"}},
	}
	key := &producer.Mapping{Key: []string{"src_addr", "dst_port"}}
	return map[string]producer.Config{
		"bin":            {Format: producer.FormatBin},
		"bin by samples": {Format: producer.FormatBin, Programs: program(t, key, producer.Settings{})},
		"bin by flows":   {Format: producer.FormatBin, SamplingRate: 1 << 40},
		"bin, layers":    {Format: producer.FormatBin, Programs: program(t, layers, producer.Settings{})},
		"json":           {Format: producer.FormatJSON},
		"json, columns":  {Format: producer.FormatJSON, Programs: program(t, columns, producer.Settings{})},
		"text":           {Format: producer.FormatText},
		"compat":         {Format: producer.FormatJSON, Programs: program(t, nil, producer.Settings{Compat: true})},
	}
}

// withCount returns an sFlow datagram whose header counts n samples.
func withCount(n uint32, samples ...[]byte) []byte {
	d := sflowDatagram(samples...)
	binary.BigEndian.PutUint32(d[24:], n)
	return d
}

// TestSamplesAfterTheCount: the header's count is that of an XDR array, and what
// follows it is counted and no flow.
func TestSamplesAfterTheCount(t *testing.T) {
	plain, walked := flowSample(rawHeader(tcpFrame)), expandedSample(rawHeader(tcpFrame), tagged(2, make([]byte, 24)))
	for name, cfg := range everyWay(t) {
		for i, tc := range []struct {
			d       []byte
			records int
			reason  string
		}{
			{withCount(1, plain, plain, plain, plain, plain), 1, "sflow_sample_count"},
			{withCount(2, walked, walked, walked), 2, "sflow_sample_count"},
			{withCount(3, plain, walked, plain, walked, plain), 3, "sflow_sample_count"},
			{withCount(0, plain), 0, "sflow_sample_count"},
			{withCount(1, plain, counterSample()), 1, "sflow_sample_count"},
			{withCount(1, plain, plain[:20]), 1, "sflow_trailing_bytes"},
			{withCount(1, plain, make([]byte, 64)), 1, "sflow_trailing_bytes"},
			{withCount(2, plain, plain), 2, "none"},
		} {
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 1<<10)
			meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
			res := p.Datagram(batch, meta, tc.d)
			if batch.Records() != tc.records || res.Reason.String() != tc.reason {
				t.Errorf("%s, datagram %d: %d records, %v; want %d, %s", name, i, batch.Records(), res.Reason, tc.records, tc.reason)
			}
			if facts := p.Facts(); int(facts.Records) != len(facts.Samples) || tc.records > 0 && len(facts.Samples) != tc.records {
				t.Errorf("%s, datagram %d: facts of %d samples, %d numbers", name, i, facts.Records, len(facts.Samples))
			}
			if n := len(p.Peek(meta, tc.d).Samples); n > tc.records {
				t.Errorf("%s, datagram %d: Peek sees %d samples", name, i, n)
			}
		}
	}
}

// TestRecordsAfterTheCount: so it is with the records of a sample, and with those of
// the fixed versions.
func TestRecordsAfterTheCount(t *testing.T) {
	sample := flowSample(rawHeader(tcpFrame), tagged(1001, u32(nil, 7, 0, 8, 0)))
	binary.BigEndian.PutUint32(sample[36:], 1) // of two
	lie := func(d []byte, count uint16) []byte {
		binary.BigEndian.PutUint16(d[2:], count)
		return d
	}
	for name, cfg := range everyWay(t) {
		for i, tc := range []struct {
			d       []byte
			records int
			reason  string
		}{
			{sflowDatagram(sample), 1, "sflow_record_trailing"},
			{lie(v5datagram(5), 1), 1, "count_mismatch"},
			{lie(v7datagram(5), 2), 2, "count_mismatch"},
			{lie(v1datagram(5, false), 3), 3, "count_mismatch"},
			{lie(v5datagram(5), 9), 5, "count_mismatch"},
			{append(v5datagram(2), make([]byte, 96)...), 2, "none"}, // padding
			{append(v5datagram(2), 1, 2, 3), 2, "trailing_bytes"},
		} {
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 1<<10)
			res := p.Datagram(batch, producer.Meta{Source: v4source, ReceivedNs: receivedNs}, tc.d)
			if batch.Records() != tc.records || res.Reason.String() != tc.reason {
				t.Errorf("%s, datagram %d: %d records, %v; want %d, %s", name, i, batch.Records(), res.Reason, tc.records, tc.reason)
			}
		}
	}
	o := decodeAll(t, 0, sflowDatagram(sample)).wants(1, "sflow_record_trailing", true)
	equal(t, "VLAN of a record after the count", o.flows[0].SrcVlan, 0)
}

// TestCutSampledHeader: an IP header that is cut before its addresses keeps the
// fields that are there, and what other fields of a record say.
func TestCutSampledHeader(t *testing.T) {
	v6 := join(tcpFrame[:12], unhex("86 dd"), unhex("6a b1 23 45 00 14 06 40"), make([]byte, 32))
	type fields struct{ tos, id, flags, ttl, proto, label uint32 }
	for i, tc := range []struct {
		frame []byte
		want  fields
	}{
		{tcpFrame[:14], fields{}},
		{tcpFrame[:14+2], fields{tos: 0x10}},
		{tcpFrame[:14+6], fields{tos: 0x10, id: 0x1234}},
		{tcpFrame[:14+8], fields{tos: 0x10, id: 0x1234, flags: 2}},
		{tcpFrame[:14+9], fields{tos: 0x10, id: 0x1234, flags: 2, ttl: 0x32}},
		{tcpFrame[:14+10], fields{tos: 0x10, id: 0x1234, flags: 2, ttl: 0x32, proto: 6}},
		{tcpFrame[:14+19], fields{tos: 0x10, id: 0x1234, flags: 2, ttl: 0x32, proto: 6}},
		{v6[:14+4], fields{tos: 0xab, label: 0x12345}},
		{v6[:14+39], fields{tos: 0xab, label: 0x12345, proto: 6, ttl: 64}},
	} {
		check := func(way string, o outcome) {
			t.Helper()
			f := o.flows[len(o.flows)-1]
			got := fields{f.IpTos, f.FragmentId, f.IpFlags, f.IpTtl, f.Proto, f.Ipv6FlowLabel}
			if got != tc.want || len(f.SrcAddr) != 0 {
				t.Errorf("header %d in %s: got %+v, want %+v (source %x)", i, way, got, tc.want, f.SrcAddr)
			}
		}
		check("a sample", decodeAll(t, 0, sflowDatagram(flowSample(rawHeader(tc.frame)))))
		check("a sample with another record", decodeAll(t, 0, sflowDatagram(flowSample(rawHeader(tc.frame), tagged(2, make([]byte, 24))))))
		check("IPFIX", decodeAll(t, 0, ipfix(set(2, tpl(256, 315, variable)), set(256, u8(nil, uint8(len(tc.frame))), tc.frame))))
	}
	// What the record says besides stays where the header says nothing.
	o := decodeAll(t, 0, ipfix(set(2, tpl(256, 4, 1, 52, 1, 315, variable)), set(256, u8(nil, 17, 9, 16), tcpFrame[:16])))
	f := o.flows[0]
	equal(t, "kept", fmt.Sprint(f.Proto, f.IpTtl, f.IpTos), fmt.Sprint(17, 9, 16))
}
