package template_test

import (
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// TestAddressShare: one address fills the store with domains that are in use. Others
// find room nevertheless, those in use may change their templates, and what keeps
// within its share stays.
func TestAddressShare(t *testing.T) {
	for name, limits := range map[string]template.Limits{
		"domains": {Domains: 64, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024},
		"bytes":   {Domains: 1000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024, Bytes: 1 << 20},
	} {
		s := template.NewStore[any](limits, nil)
		now := hour
		established := announce(s, 1, now-3*minute)
		use(established, now-3*minute)
		use(established, now)
		greedy := func(domain int) *template.Key {
			k := source(2)
			k.Domain = uint32(domain)
			return k
		}
		for i := range 64 {
			d := s.Domain(greedy(i), now)
			d.Put(data(256, 8, 4), 0, now)
			use(d, now)
			for id := range uint16(150) {
				if limits.Bytes > 0 {
					d.Put(data(257+id, 8, 4), 0, now)
				}
			}
		}
		now += 3 * minute
		use(established, now)
		for i := range 64 {
			if d := s.Lookup(greedy(i)); d != nil && d.Template(256) != nil {
				use(d, now)
			}
		}
		fields := make([]uint16, 60)
		for i := range fields {
			fields[i] = 4
		}
		for i := range uint16(20) {
			fields[0] = 1 + i
			if change, fault := established.Put(data(256, fields...), 0, now); change != template.Replaced {
				t.Fatalf("%s: change %d of one in use: %v, %v", name, i, change, fault)
			}
		}
		for i := range 4 {
			d := announce(s, 100+i, now)
			if d == nil || d.Template(256) == nil {
				t.Fatalf("%s: newcomer %d found no room", name, i)
			}
			use(d, now)
		}
		for i := range 4 {
			if !known(s, 100+i) {
				t.Errorf("%s: newcomer %d was evicted", name, i)
			}
		}
		// Newcomers push it back as far as its share.
		for i := range 500 {
			if d := announce(s, 1000+i, now); d != nil && d.Template(256) != nil {
				use(d, now)
			}
		}
		left := 0
		for i := range 64 {
			if s.Lookup(greedy(i)) != nil {
				left++
			}
		}
		if !known(s, 1) || left == 0 || limits.Bytes == 0 && left != 8 {
			t.Errorf("%s: the one in use is known: %v; %d domains of the greedy are left", name, known(s, 1), left)
		}
	}
}

// TestCrowd: some addresses share the store, each with less than an eighth of it, and
// all of their domains are in use. A new exporter gets its domains, keeps them
// while the crowd asks for more, and changes its templates. What others have in use, in
// small numbers, stays.
func TestCrowd(t *testing.T) {
	const share = 100 // domains of each of the crowd
	for name, limits := range map[string]template.Limits{
		"domains": {Domains: 1000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024},
		"bytes":   {Domains: 100_000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024, Bytes: 2 << 20},
		"ports":   {Domains: 1000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024},
	} {
		t.Run(name, func(t *testing.T) {
			s := template.NewStore[any](limits, nil)
			now := hour
			key := func(address, domain int) *template.Key {
				k := source(address)
				k.Domain = uint32(domain)
				return k
			}
			if name == "ports" { // each has one domain of many ports
				s.UsePorts(template.PortsAuto)
				key = func(address, port int) *template.Key {
					k := source(address)
					k.Port = uint16(port)
					return k
				}
			}
			fields := make([]uint16, 30)
			for i := range fields {
				fields[i] = 4
			}
			ask := func(address, domain int) bool {
				d := s.Domain(key(address, domain), now)
				if d == nil {
					return false
				}
				if change, _ := d.Put(data(256, fields...), 0, now); change == template.Refused {
					return false
				}
				use(d, now)
				return true
			}
			crowd := func(from, to int) {
				for address := 10; address < 20; address++ {
					for domain := from; domain < to; domain++ {
						ask(address, domain)
					}
				}
			}
			ask(1, 0)
			now += 3 * minute
			use(s.Lookup(key(1, 0)), now)
			crowd(0, share)
			now += 3 * minute
			for address := range 20 {
				for domain := range share {
					if d := s.Lookup(key(address, domain)); d != nil && d.Template(256) != nil {
						use(d, now)
					}
				}
			}
			if full := s.Totals(); full.Domains < limits.Domains && full.Bytes < limits.Bytes/10*9 {
				t.Fatalf("not full: %+v", full)
			}
			for domain := range 5 {
				if !ask(2, domain) {
					t.Fatalf("domain %d of a new exporter is refused", domain)
				}
				crowd(share+10*domain, share+10*domain+10)
			}
			fields = append(fields, 8, 8, 8)
			if !ask(2, 0) {
				t.Error("a new exporter may not change its template")
			}
			crowd(2*share, 3*share)
			for domain := range 5 {
				if d := s.Lookup(key(2, domain)); d == nil || d.Template(256) == nil {
					t.Errorf("domain %d of a new exporter was evicted", domain)
				}
			}
			if !known(s, 1) {
				t.Error("an exporter in use was evicted")
			}
		})
	}
}

// TestCrowdOfOneAddress: a flood from other ports, or in other domains, of an exporter's
// own address does not push out the exporter that sends all the time, although it has
// used all of its own since the exporter's last datagram, and the address has more than
// its share.
func TestCrowdOfOneAddress(t *testing.T) {
	for name, key := range map[string]func(n int) *template.Key{
		"ports": func(n int) *template.Key {
			k := source(1)
			k.Port = uint16(1 + n)
			return k
		},
		"domains": func(n int) *template.Key {
			k := source(1)
			k.Port, k.Domain = 2055, uint32(n)
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := template.NewStore[any](template.Limits{Domains: 1000, TemplatesPerDomain: 16, FieldsPerTemplate: 16}, nil)
			s.UsePorts(template.PortsAuto)
			now := hour
			ask := func(n int) {
				d := s.Domain(key(n), now)
				if d == nil {
					t.Fatalf("no room for %d", n)
				}
				if change, _ := d.Put(data(256, 8, 4), 0, now); change == template.Refused {
					t.Fatalf("%d is refused", n)
				}
				use(d, now)
			}
			ask(0)
			exporter := s.Lookup(key(0))
			now += 3 * minute
			for n := 1; n < 50_000; n++ {
				if n%5000 == 1 {
					use(exporter, now)
				}
				now += 1e6
				ask(n)
				if s.Lookup(key(0)) != exporter {
					t.Fatalf("the exporter was evicted by number %d", n)
				}
			}
			if n := s.Totals(); n.Evicted < 40_000 || n.Domains > 1000 {
				t.Errorf("%+v", n)
			}
		})
	}
}
