package producer_test

import (
	"encoding/json"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// allNames joins every kind.
const allNames = names.Kinds(1<<names.NumKinds - 1)

// joinOf decodes datagrams and returns the messages, as JSON.
func joinOf(t *testing.T, join names.Kinds, compat bool, datagrams ...[]byte) (flows []map[string]any, table *names.Table) {
	t.Helper()
	table = names.NewTable(names.DefaultBytes)
	p := producer.New(producer.Config{
		Names: table, Join: join, Programs: program(t, nil, producer.Settings{Compat: compat}),
	}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	for _, a := range arrivals(datagrams...) {
		if r := p.Datagram(batch, a.meta, a.data); r.Reason != producer.ReasonNone {
			t.Fatalf("%v", r.Reason)
		}
	}
	for i := range batch.Records() {
		var m map[string]any
		if err := json.Unmarshal(batch.Message(i), &m); err != nil {
			t.Fatal(err)
		}
		flows = append(flows, m)
	}
	return flows, table
}

// padded returns a text of n bytes.
func padded(s string, n int) []byte { return append([]byte(s), make([]byte, n-len(s))...) }

// TestJoin: names from options data are added to flows by exporter and domain; what the
// record says itself stays.
func TestJoin(t *testing.T) {
	data9 := tpl(256, 8, 4, 10, 4, 14, 4, 234, 4, 235, 4, 95, 4, 48, 1)
	rec := join([]byte{10, 0, 0, 1}, u32(nil, 3, 4, 7, 0, 0x03000050), []byte{2})
	// Cisco: options interface-table, vrf-table, application-table, sampler-table.
	options9 := [][]byte{
		v9(set(1, u16(nil, 300, 4, 12, 1, 4, 10, 4, 82, 8, 83, 8), u16(nil, 0)),
			set(300, u32(nil, 0, 3), padded("Gi0/3", 8), padded("uplink", 8), u32(nil, 0, 4), padded("", 8), padded("core", 8))),
		v9(set(1, u16(nil, 301, 4, 8, 1, 4, 234, 4, 236, 8)), set(301, u32(nil, 0, 7), padded("red", 8), u32(nil, 0, 0), padded("global", 8))),
		v9(set(1, u16(nil, 302, 4, 8, 1, 4, 95, 4, 96, 8)), set(302, u32(nil, 0, 0x03000050), padded("http", 8))),
		v9(set(1, u16(nil, 303, 4, 16, 1, 4, 48, 1, 84, 4, 49, 1, 50, 2)), set(303, u32(nil, 0), []byte{2}, padded("s2", 4), []byte{2, 0, 100})),
		v9(set(1, u16(nil, 304, 4, 8, 2, 4, 82, 8, 42, 4)), set(304, u32(nil, 9), padded("Gi0/9", 8), u32(nil, 1000))),
	}
	send := append(append([][]byte{}, options9...), v9(set(0, data9)), v9(set(256, rec)))
	want := map[string]any{
		"in_if_name": "Gi0/3", "out_if_name": "core", "ingress_vrf_name": "red", "egress_vrf_name": "global",
		"application_name": "http", "sampler_name": "s2", "sampler_mode": "random", "sampling_rate": 100.,
	}
	flows, table := joinOf(t, allNames, false, send...)
	for name, value := range want {
		if len(flows) != 1 || flows[0][name] != value {
			t.Errorf("%s %v, want %v", name, flows[0][name], value)
		}
	}
	if n := table.Len(names.Interface); n != 3 {
		t.Errorf("%d names of interfaces, want 3", n)
	}
	for _, c := range []struct {
		why    string
		join   names.Kinds
		compat bool
	}{{"not asked for", 0, false}, {"of another kind", names.Kinds(0).With(names.VRF), false}, {"for goflow2", allNames, true}} {
		flows, _ := joinOf(t, c.join, c.compat, send...)
		if v, there := flows[0]["in_if_name"]; there {
			t.Errorf("%s: in_if_name %v", c.why, v)
		}
	}
	// The record's own name, and another exporter's domain.
	own := v9(set(0, tpl(257, 10, 4, 82, 4, 61, 1)), set(257, u32(nil, 3), []byte("eth0\x00")))
	if flows, _ = joinOf(t, allNames, false, append(send, own)...); flows[1]["in_if_name"] != "eth0" {
		t.Errorf("own name %v", flows[1]["in_if_name"])
	}
	other := ipfixDomain(7, set(2, tpl(256, 10, 4)), set(256, u32(nil, 3)))
	if flows, _ = joinOf(t, allNames, false, append(send, other)...); flows[1]["in_if_name"] != nil {
		t.Errorf("name of another domain: %v", flows[1]["in_if_name"])
	}
	// Domain 0 speaks for all domains of IPFIX; names of variable length.
	zero := ipfixDomain(0, set(3, u16(nil, 300, 2, 1, 10, 4, 82, 0xffff)), set(300, u32(nil, 3), []byte("\x03ge0")))
	flows, _ = joinOf(t, allNames, false, zero, other)
	if len(flows) != 1 || flows[0]["in_if_name"] != "ge0" {
		t.Errorf("name of domain 0: %v", flows)
	}
}
