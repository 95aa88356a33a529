package producer_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// TestRandomKeys compares the keys of random records, made of their bytes in
// every format, with those of the messages and with the same by way of a Flow,
// which rates of interfaces ask for, though they name none.
func TestRandomKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range rounds(2000) {
		m := randomKeyMapping(r)
		all := randomKeyed(r)
		config := producer.Config{SamplingRate: uint64(r.IntN(2) * 512), Programs: program(t, m, producer.Settings{})}
		enriched := r.IntN(4) == 0
		batches := map[string]*producer.Batch{}
		keyed := func(name string, format producer.Format, slow bool) {
			cfg := config
			cfg.Format = format
			if enriched {
				cfg.Geo = geo.NewCache(&geo.Source{Find: whereabouts})
			}
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 64<<10)
			for _, a := range all {
				if slow {
					a.meta.Override = &producer.Override{Interfaces: map[uint32]uint64{0: 0}}
				}
				p.Datagram(batch, a.meta, a.data)
			}
			if batches[name] = batch; len(batch.Keys) != batch.Records() {
				t.Fatalf("key %v, %s: %d keys of %d messages", m.Key, name, len(batch.Keys), batch.Records())
			}
		}
		keyed("bin", producer.FormatBin, false)
		keyed("json", producer.FormatJSON, false)
		keyed("text", producer.FormatText, false)
		keyed("flow", producer.FormatBin, true)
		want := slices.Clone(batches["flow"].Keys)
		plain := !slices.ContainsFunc(m.Key, func(name string) bool { return name[0] == '+' })
		for i := range want {
			if plain {
				want[i] = slowKey(t, m.Key, batches["flow"].Message(i))
			}
		}
		for name, b := range batches {
			if !reflect.DeepEqual(b.Keys, want) {
				t.Fatalf("key %v, columns %v, mapping %+v, datagrams %v, %s:\ngot  %08x\nwant %08x",
					m.Key, m.Fields, m.IPFIX, all, name, b.Keys, want)
			}
		}
	}
}

// randomKeyMapping returns a mapping with a key of one to eight fields. Those
// that it adds begin with a plus sign.
func randomKeyMapping(r *rand.Rand) *producer.Mapping {
	m := &producer.Mapping{}
	names := producer.FieldNames()
	if r.IntN(2) == 0 {
		m.Custom = []producer.Custom{
			{Name: "+octets", Number: 2000, Type: producer.CustomVarint}, {Name: "+b", Number: 2001, Type: producer.CustomBytes},
			{Name: "+list", Number: 2002, Type: producer.CustomVarint, Array: true}, {Name: "+bl", Number: 2003, Type: producer.CustomString, Array: true},
		}
		m.NetFlowV9 = randomRules(r, r.IntN(6), keyElements, []string{"+octets", "+list", "+b", "+bl", "in_if", "NextHopAs", "bytes", "bgp_next_hop", "src_mac", "vlan_id"})
		m.IPFIX = m.NetFlowV9
		names = append(names, "+octets", "+b", "+list", "+bl")
	}
	usual := []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port", "in_if", "sampler_address", "time_flow_end_ns", "sampling_rate", "src_as", "icmp_code"}
	for range 1 + r.IntN(8) {
		if r.IntN(2) == 0 {
			m.Key = append(m.Key, usual[r.IntN(len(usual))])
		} else {
			m.Key = append(m.Key, names[r.IntN(len(names))])
		}
	}
	if r.IntN(2) == 0 {
		m.Fields = names[r.IntN(len(names)):]
	}
	return m
}

var keyElements = []uint16{1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 27, 28, 29, 30, 31, 32, 34, 48, 52, 54, 56, 57, 58, 59, 60, 61, 62, 63,
	80, 81, 88, 89, 138, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 176, 177, 197, 239}

// randomKeyed returns datagrams with random records: of a random template, its
// announcement and a sampling rate first, or of version 5.
func randomKeyed(r *rand.Rand) []arrival {
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			if r.IntN(3) > 0 {
				b[i] = byte(r.Uint32() >> r.IntN(8))
			}
		}
		return b
	}
	if r.IntN(8) == 0 {
		d := v5datagram(1 + r.IntN(20))
		copy(d[24:], random(len(d)-24))
		return arrivals(d, d[:24+48], d[:24])
	}
	fields, size := randomTemplate(r, 1+r.IntN(16), keyElements, []uint16{1, 2, 4, 8, 4, 2, 1, 3, 5, 6, 16, 12, 0})
	if size == 0 {
		fields, size = append(fields, 4, 1), 1
	}
	many := random((1 + r.IntN(20)) * size)
	if r.IntN(2) == 0 {
		return arrivals(v9(set(0, tpl(256, fields...)), set(1, opt9(300, 0, 48, 1, 34, 4))), v9(set(300, []byte{7}, u32(nil, 100))), v9(set(256, many)), v9(set(256, many[:size])))
	}
	return arrivals(ipfix(set(2, tpl(256, fields...)), set(3, opt(300, 1, 302, 1, 305, 4))), ipfix(set(300, []byte{7}, u32(nil, 100))), ipfix(set(256, many)), ipfix(set(256, many[:size])))
}
