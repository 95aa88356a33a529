package producer_test

import (
	"encoding/json"
	"net/netip"
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

// TestJoinPorts: two exporters behind one address keep their names apart, and one that was
// restarted on another port has the names that it had.
func TestJoinPorts(t *testing.T) {
	store, table := producer.NewStore(template.DefaultLimits()), names.NewTable(names.DefaultBytes)
	store.UsePorts(template.PortsAuto)
	p := producer.New(producer.Config{Names: table, Join: allNames}, store)
	batch := producer.NewBatch(0, 64<<10)
	now := int64(1_700_000_000_000_000_000)
	send := func(port uint16, data []byte) (name any) {
		t.Helper()
		now += 1e6
		batch.Reset()
		from := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)
		p.Datagram(batch, producer.Meta{Source: from, ReceivedNs: now}, data)
		for i := range batch.Records() {
			var m map[string]any
			if err := json.Unmarshal(batch.Message(i), &m); err != nil {
				t.Fatal(err)
			}
			name = m["in_if_name"]
		}
		return name
	}
	options := func(name string) []byte {
		return ipfixDomain(1, set(3, u16(nil, 300, 2, 1, 10, 4, 82, 4)), set(300, u32(nil, 3), padded(name, 4)))
	}
	data := ipfixDomain(1, set(2, tpl(256, 10, 4)), set(256, u32(nil, 3)))

	send(1000, options("one"))
	if got := send(1000, data); got != "one" {
		t.Fatalf("%v", got)
	}
	now += 10e9 // restarted on another port
	if got := send(1001, data); got != "one" {
		t.Errorf("after a restart: %v", got)
	}
	// Now another exporter sends at the same time: what was learned may be of either.
	for range 3 {
		send(2000, options("two"))
		send(1001, options("new"))
	}
	if a, b := send(1001, data), send(2000, data); a != "new" || b != "two" {
		t.Errorf("names %v and %v, want new and two", a, b)
	}
	if got := send(3000, data); got != nil {
		t.Errorf("a third port has the name %v", got)
	}
}

// TestJoinOfPlan: templates whose records need no name that is known are written as they
// are without names.
func TestJoinOfPlan(t *testing.T) {
	interfaces := v9(set(1, u16(nil, 300, 4, 8, 1, 4, 10, 4, 82, 8), u16(nil, 0)), set(300, u32(nil, 0, 3), padded("Gi0/3", 8)))
	for _, c := range []struct {
		name    string
		data    []byte
		generic bool
	}{
		{"interface", v9(set(0, tpl(256, 8, 4, 10, 4)), set(256, u32(nil, 1, 3))), true},
		{"without interface", v9(set(0, tpl(256, 8, 4, 12, 4)), set(256, u32(nil, 1, 3))), false},
		{"application, none known", v9(set(0, tpl(256, 8, 4, 95, 4)), set(256, u32(nil, 1, 3))), false},
	} {
		table := names.NewTable(names.DefaultBytes)
		p := producer.New(producer.Config{Names: table, Join: allNames, Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 64<<10)
		for _, a := range arrivals(interfaces, c.data) {
			p.Datagram(batch, a.meta, a.data)
		}
		if got := p.Counters.Encoded[producer.PathGeneric] == 1; got != c.generic || batch.Records() != 1 {
			t.Errorf("%s: generic %v, want %v; %v", c.name, got, c.generic, p.Counters.Encoded)
		}
	}
}

// TestJoinAllocs: neither records with names nor options data that is known allocate,
// however many fields the template has.
func TestJoinAllocs(t *testing.T) {
	wide := []uint16{4, 4}
	for range 100 {
		wide = append(wide, 210, 1) // padding
	}
	many := append(u16(nil, 300, uint16(4), uint16(len(wide)*2+8), 1, 4, 10, 4, 82, 8), u16(nil, wide...)...)
	options := v9(set(1, many), set(300, append(join(u32(nil, 0, 3), padded("Gi0/3", 8)), make([]byte, 104)...)))
	data := v9(set(0, tpl(256, 8, 4, 10, 4)), set(256, u32(nil, 1, 3)))
	table := names.NewTable(names.DefaultBytes)
	p := producer.New(producer.Config{Names: table, Join: allNames}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	list := arrivals(options, data)
	run := func() {
		batch.Reset()
		for _, a := range list {
			p.Datagram(batch, a.meta, a.data)
		}
	}
	run()
	if table.Len(names.Interface) != 1 {
		t.Fatalf("%d names", table.Len(names.Interface))
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
