package template_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

func key(domain uint32) *template.Key {
	return &template.Key{Exporter: [16]byte{10: 0xff, 11: 0xff, 12: 192}, Domain: domain, Version: template.IPFIX}
}

func put(t *testing.T, d *template.Domain[any], def *template.Definition, change template.Change, fault template.Fault) {
	t.Helper()
	if c, f := d.Put(def, 0, 1); c != change || f != fault {
		t.Fatalf("put %d: got %v, %v; want %v, %v", def.ID, c, f, change, fault)
	}
}

func TestStoreLimits(t *testing.T) {
	s := template.NewStore[any](template.Limits{Domains: 3, TemplatesPerDomain: 2, FieldsPerTemplate: 4}, nil)
	for i := range uint32(200) {
		if d := s.Domain(key(i), 1); d == nil {
			t.Fatalf("no domain %d", i)
		}
	}
	if n := len(s.Domains()); n != 3 {
		t.Fatalf("%d domains", n)
	}
	d := s.Lookup(key(199))
	put(t, d, data(256, 8, 4), template.Added, template.FaultNone)
	put(t, d, data(257, 8, 4), template.Added, template.FaultNone)
	// One that was never used makes room, those that are used stay.
	d.Used(d.Template(257), 1, second)
	put(t, d, data(258, 8, 4), template.Added, template.FaultNone)
	if d.Template(256) != nil || d.Template(257) == nil {
		t.Fatal("not the one that was never used made room")
	}
	d.Used(d.Template(258), 1, second)
	put(t, d, data(259, 8, 4), template.Refused, template.FaultTemplateLimit)
	put(t, d, data(257, 8, 4, 12, 4), template.Replaced, template.FaultNone)
	// What can be no template changes nothing.
	kept := d.Template(257)
	put(t, d, data(257, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1), template.Refused, template.FaultTemplateFields)
	put(t, d, data(257, 8, 0), template.Refused, template.FaultTemplateEmpty)
	if d.Template(257) != kept {
		t.Fatal("a definition that can be no template removes the one in force")
	}
	put(t, d, data(257, 8, 4), template.Replaced, template.FaultNone)
	put(t, d, define(template.IPFIX, false, words(258, 0)), template.Withdrawn, template.FaultNone)
	put(t, d, data(256, 8, 4), template.Added, template.FaultNone)
	// A withdrawal makes room.
	put(t, d, define(template.IPFIX, false, words(256, 0)), template.Withdrawn, template.FaultNone)
	put(t, d, data(258, 8, 4), template.Added, template.FaultNone)
	if ids := d.Templates(); len(ids) != 2 || ids[0].ID != 257 || ids[1].ID != 258 {
		t.Fatalf("%v", ids)
	}
}

func TestIdenticalAnnouncement(t *testing.T) {
	compiled := 0
	s := template.NewStore[any](template.DefaultLimits(), func(*template.Template[any]) any { compiled++; return compiled })
	d := s.Domain(key(1), 1)
	put(t, d, data(256, 8, 4), template.Added, template.FaultNone)
	first := d.Template(256)
	if c, f := d.Put(data(256, 8, 4), 0, 99); c != template.Unchanged || f != template.FaultNone {
		t.Fatalf("got %v, %v", c, f)
	}
	if d.Template(256) != first || compiled != 1 || first.LastSeenNs() != 99 {
		t.Fatalf("changed: compiled %d, last seen %d", compiled, first.LastSeenNs())
	}
	// The same bytes as an options template are another template.
	put(t, d, define(template.IPFIX, true, words(256, 1, 1, 8, 4)), template.Replaced, template.FaultNone)
	put(t, d, data(256, 8, 4), template.Replaced, template.FaultNone)
	if d.Template(256) == first || compiled != 3 {
		t.Fatal("not compiled anew")
	}
	// What was put does not depend on the message's bytes any more.
	record := words(300, 1, 8, 4)
	put(t, d, define(template.IPFIX, false, record), template.Added, template.FaultNone)
	clear(record)
	put(t, d, data(300, 8, 4), template.Unchanged, template.FaultNone)
}

func TestWithdrawal(t *testing.T) {
	options := define(template.IPFIX, true, words(300, 1, 1, 8, 4))
	all := func(id uint16) *template.Definition { return define(template.IPFIX, id == 3, words(id, 0)) }
	s := template.NewStore[any](template.DefaultLimits(), nil)
	d, other := s.Domain(key(1), 1), s.Domain(key(2), 1)
	fill := func() {
		for _, d := range []*template.Domain[any]{d, other} {
			for _, def := range []*template.Definition{data(256, 8, 4), data(257, 8, 4), options} {
				d.Put(def, 0, 1)
			}
		}
	}
	have := func(want ...uint16) {
		t.Helper()
		got := d.Templates()
		if len(got) != len(want) {
			t.Fatalf("got %d templates, want %v", len(got), want)
		}
		for i := range want {
			if got[i].ID != want[i] {
				t.Fatalf("got %d, want %v", got[i].ID, want)
			}
		}
	}
	fill()
	put(t, d, all(2), template.Withdrawn, template.FaultNone)
	have(300)
	fill()
	put(t, d, all(3), template.Withdrawn, template.FaultNone)
	have(256, 257)
	put(t, d, define(template.IPFIX, false, words(257, 0)), template.Withdrawn, template.FaultNone)
	have(256)
	put(t, d, define(template.IPFIX, false, words(999, 0)), template.Withdrawn, template.FaultNone)
	have(256)
	if len(other.Templates()) != 3 {
		t.Fatal("another domain lost templates")
	}
}

func TestSampling(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), nil).Domain(key(1), 1).Sampling()
	if s.Rate() != 0 || s.SamplerRate(1) != 0 {
		t.Fatal("a rate of nowhere")
	}
	s.Set(100)
	for id := range uint64(1024) {
		if !s.SetSampler(id, id+1) {
			t.Fatalf("sampler %d refused", id)
		}
	}
	if s.SetSampler(1024, 1) {
		t.Fatal("no limit of samplers")
	}
	if !s.SetSampler(7, 70) || s.SamplerRate(7) != 70 || s.SamplerRate(8) != 9 || s.Rate() != 100 {
		t.Fatal("rates are wrong")
	}
}

// TestConcurrentStore has writers replace templates and make domains while
// readers read. Each template that is seen must be whole.
func TestConcurrentStore(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), func(t *template.Template[any]) any { return len(t.Fields) })
	var writers, readers sync.WaitGroup
	var stop atomic.Bool
	for w := range 2 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for i := range 3000 {
				d := s.Domain(key(uint32(i%500)), 1)
				def := data(256+uint16(i%7), 8, 4)
				if (i+w)%2 == 0 {
					def = data(256+uint16(i%7), 8, 4, 12, 4)
				}
				d.Put(def, 0, int64(i))
				if i%50 == 0 {
					d.Put(define(template.IPFIX, false, words(256+uint16(i%7), 0)), 0, int64(i))
				}
				d.Sampling().Set(uint64(i))
				d.Sampling().SetSampler(uint64(i%20), uint64(i))
			}
		}()
	}
	for range 2 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for i := 0; !stop.Load(); i++ {
				d := s.Lookup(key(uint32(i % 500)))
				if d == nil {
					continue
				}
				if tpl := d.Template(256 + uint16(i%7)); tpl != nil && (tpl.Compiled.(int) != len(tpl.Fields) || tpl.Length != 4*len(tpl.Fields) || tpl.ID != 256+uint16(i%7)) {
					t.Errorf("half a template: %+v", tpl)
					return
				}
				d.Sampling().SamplerRate(uint64(i % 20))
				d.Sampling().Rate()
				if i%1000 == 0 {
					for _, d := range s.Domains() {
						d.Templates()
					}
				}
			}
		}()
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if n := len(s.Domains()); n != 500 {
		t.Errorf("%d domains, want 500", n)
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), nil)
	k := key(1)
	d := s.Domain(k, 1)
	def := data(256, 8, 4)
	d.Put(def, 0, 1)
	d.Sampling().SetSampler(5, 100)
	for name, f := range map[string]func(){
		"lookup":              func() { s.Lookup(k) },
		"lookup of nothing":   func() { s.Lookup(key(9)) },
		"domain":              func() { s.Domain(k, 1) },
		"template":            func() { d.Template(256) },
		"template of nothing": func() { d.Template(999) },
		"announcement":        func() { d.Put(def, 0, 2) },
		"sampler":             func() { d.Sampling().SamplerRate(5) },
		"same sampler":        func() { d.Sampling().SetSampler(5, 100) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
