package collector

import (
	"net/netip"
	"testing"
)

func TestSamplingRules(t *testing.T) {
	rule := func(prefix string, iface int, rate uint64) SamplingRule {
		r := SamplingRule{Exporters: netip.MustParsePrefix(prefix), Rate: rate}
		if iface >= 0 {
			r.Interface, r.HasInterface = uint32(iface), true
		}
		return r
	}
	rules := newSamplingRules([]SamplingRule{
		rule("192.0.2.1/32", 3, 30),
		rule("192.0.2.0/24", -1, 1000),
		rule("192.0.2.0/24", 3, 7),
		rule("192.0.2.0/24", 4, 8),
		rule("0.0.0.0/0", 5, 9),
		rule("::ffff:198.51.100.0/120", -1, 11),
		rule("2001:db8::/32", -1, 12),
	})
	for _, c := range []struct {
		addr       string
		rate       uint64
		interfaces map[uint32]uint64
	}{
		{"192.0.2.1", 1000, map[uint32]uint64{3: 30, 4: 8, 5: 9}},
		{"192.0.2.2", 1000, map[uint32]uint64{3: 7, 4: 8, 5: 9}},
		{"203.0.113.1", 0, map[uint32]uint64{5: 9}},
		{"198.51.100.9", 11, map[uint32]uint64{5: 9}},
		{"2001:db8::1", 12, nil},
	} {
		o := rules.of(netip.MustParseAddr(c.addr))
		if o == nil || o.Rate != c.rate || len(o.Interfaces) != len(c.interfaces) {
			t.Errorf("%s: %+v, want %d and %v", c.addr, o, c.rate, c.interfaces)
			continue
		}
		for index, rate := range c.interfaces {
			if o.Interfaces[index] != rate {
				t.Errorf("%s interface %d: rate %d, want %d", c.addr, index, o.Interfaces[index], rate)
			}
		}
	}
	if o := rules.of(netip.MustParseAddr("2001:db9::1")); o != nil {
		t.Errorf("rules for an exporter that none is for: %+v", o)
	}
	if o := newSamplingRules(nil).of(netip.MustParseAddr("192.0.2.1")); o != nil {
		t.Errorf("rules where there are none: %+v", o)
	}
}

// TestSetSampling: rates that replace others count for exporters that are there and for new
// ones.
func TestSetSampling(t *testing.T) {
	rule := func(prefix string, rate uint64) SamplingRule {
		return SamplingRule{Exporters: netip.MustParsePrefix(prefix), Rate: rate}
	}
	table := NewExporterTable(ExportersConfig{Sampling: []SamplingRule{rule("192.0.2.0/24", 10)}})
	a, b := table.Get(netip.MustParseAddr("192.0.2.1")), table.Get(netip.MustParseAddr("198.51.100.1"))
	rate := func(e *Exporter) uint64 {
		if o := e.override.Load(); o != nil {
			return o.Rate
		}
		return 0
	}
	if rate(a) != 10 || rate(b) != 0 {
		t.Errorf("at the start %d and %d", rate(a), rate(b))
	}
	table.SetSampling([]SamplingRule{rule("198.51.100.0/24", 20)})
	if c := table.Get(netip.MustParseAddr("198.51.100.2")); rate(a) != 0 || rate(b) != 20 || rate(c) != 20 {
		t.Errorf("then %d, %d and %d", rate(a), rate(b), rate(c))
	}
}
