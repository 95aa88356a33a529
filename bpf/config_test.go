package bpf

import (
	"net/netip"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // parts of the error; none: valid
	}{
		{"least", Config{Workers: 1, Queues: 1}, nil},
		{"most slots", Config{Workers: 1024, Queues: 64}, nil},
		{"nothing", Config{}, []string{"workers: want", "queues: want"}},
		{"too many slots", Config{Workers: 1025, Queues: 64}, []string{"65600 is more than 65536"}},
		{"slots beyond 32 bits", Config{Workers: 1 << 31, Queues: 2}, []string{"more than 65536"}},
		{"bad prefixes", Config{Workers: 1, Queues: 1, Allow: make([]netip.Prefix, 1), Deny: make([]netip.Prefix, 2)},
			[]string{"allow: prefix 0", "deny: prefix 0", "deny: prefix 1"}},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", c.name, err, want)
			}
		}
	}
}

func TestRateConstants(t *testing.T) {
	for pps, want := range map[uint32][2]uint64{ // cost, burst
		0:             {0, 0},
		1:             {1e9, 63e9},
		3:             {333_333_333, 63 * 333_333_333},
		1000:          {1e6, 99e6},
		1_000_000:     {1000, 99_999 * 1000},
		600_000_001:   {2, (60_000_000 - 1) * 2},
		4_294_967_295: {1, 429_496_729 - 1},
	} {
		cfg := Config{RatePPS: pps}
		if cost, burst := cfg.rate(); cost != want[0] || burst != want[1] {
			t.Errorf("%d a second: cost %d, burst %d, want %v", pps, cost, burst, want)
		}
	}
}

func TestVerdictLabels(t *testing.T) {
	seen := make(map[string]bool)
	for v := range Verdict(NumVerdicts) {
		if s := v.String(); s == "" || seen[s] {
			t.Errorf("label %q of verdict %d is empty or not the only one", s, v)
		} else {
			seen[s] = true
		}
	}
	if s := Verdict(NumVerdicts).String(); s != "verdict_14" {
		t.Errorf("label beyond the last: %q", s)
	}
}
