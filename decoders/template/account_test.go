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
		s := template.NewStore(limits, nil)
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
