package template_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// port returns the key of one exporter with a source port.
func port(n uint16) *template.Key {
	k := key(1)
	k.Port = n
	return k
}

// from has a port announce something, as a producer does.
func from(s *template.Store[any], n uint16, def *template.Definition) template.Change {
	for {
		change, _ := s.Domain(port(n), 1).Put(def, n, 1)
		if change != template.Moved {
			return change
		}
	}
}

// fields returns how many fields the template has that data of a port is decoded
// by; 0 for none.
func fields(s *template.Store[any], n, id uint16) int {
	d := s.Lookup(port(n))
	if d == nil || d.Template(id) == nil {
		return 0
	}
	return len(d.Template(id).Fields)
}

func TestPorts(t *testing.T) {
	one, two := data(256, 8, 4), data(256, 8, 4, 12, 4)
	for _, tc := range []struct {
		ports       template.Ports
		first, last [3]int // fields of 256 for ports 1, 2, 3, after each announcement
	}{
		{template.PortsOff, [3]int{1, 1, 1}, [3]int{2, 2, 2}},
		{template.PortsOn, [3]int{1, 0, 0}, [3]int{1, 2, 0}},
		{template.PortsAuto, [3]int{1, 0, 0}, [3]int{1, 2, 0}},
	} {
		s := template.NewStore[any](template.DefaultLimits(), nil)
		s.UsePorts(tc.ports)
		from(s, 1, data(300, 8, 4))
		for i, step := range []struct {
			port uint16
			def  *template.Definition
			want [3]int
		}{{1, one, tc.first}, {2, two, tc.last}} {
			from(s, step.port, step.def)
			if got := [3]int{fields(s, 1, 256), fields(s, 2, 256), fields(s, 3, 256)}; got != step.want {
				t.Errorf("policy %d, step %d: fields %v, want %v", tc.ports, i, got, step.want)
			}
		}
		if got := fields(s, 2, 300); (got == 0) == (tc.ports == template.PortsOff) {
			t.Errorf("policy %d: template 300 has %d fields for another port", tc.ports, got)
		}
		again := map[bool]template.Change{false: template.Unchanged, true: template.Replaced}[tc.ports == template.PortsOff]
		if got := from(s, 1, one); got != again {
			t.Errorf("policy %d: announced again: %v", tc.ports, got)
		}
		if got := fields(s, 2, 256); (got == 1) != (tc.ports == template.PortsOff) {
			t.Errorf("policy %d: port 2 has %d fields", tc.ports, got)
		}
	}
}

// TestTakeOver has ports of an address announce templates and send by them, and a new one
// ask for theirs.
func TestTakeOver(t *testing.T) {
	const start = int64(1_700_000_000e9)
	one, two := data(256, 8, 4), data(256, 8, 4, 12, 4)
	type step struct {
		port uint16
		def  *template.Definition // nil: data of 256
		at   int64                // milliseconds
	}
	for _, tc := range []struct {
		name   string
		steps  []step
		port   uint16
		at     int64
		fields int // of 256; 0 for none
		split  uint64
	}{
		{"a restart", []step{{1, one, 0}}, 2, 2000, 1, 0},
		{"the other one sends", []step{{1, one, 0}, {1, nil, 1000}}, 2, 2500, 0, 0},
		{"it has stopped", []step{{1, one, 0}, {1, nil, 1000}}, 2, 3000, 1, 0},
		{"it announces", []step{{1, one, 0}, {1, one, 1000}}, 2, 2500, 0, 0},
		{"two of two", []step{{1, one, 0}, {2, two, 10}}, 3, 9000, 0, 1},
		{"two of one", []step{{1, one, 0}, {2, one, 10}}, 3, 9000, 1, 1},
		{"one of two sends", []step{{1, one, 0}, {2, one, 10}, {1, nil, 8000}}, 3, 9000, 0, 1},
		{"its own", []step{{1, one, 0}, {2, two, 10}}, 2, 9000, 2, 1},
		{"a third in turn", []step{{1, one, 0}, {2, one, 5000}}, 3, 9000, 1, 0},
		{"the clock was set back", []step{{1, one, 0}}, 2, -1000, 0, 0},
	} {
		for _, policy := range []template.Ports{template.PortsAuto, template.PortsOn} {
			s := template.NewStore[any](template.DefaultLimits(), nil)
			s.UsePorts(policy)
			for _, st := range tc.steps {
				now := start + st.at*1e6
				d := s.Domain(port(st.port), now)
				if st.def != nil {
					d.Put(st.def, st.port, now)
				} else {
					d.Used(d.Template(256), 1, now)
				}
			}
			before := fields(s, tc.port, 256)
			want := tc.fields
			if policy == template.PortsOn {
				want = before
			}
			took := s.TakeOver(port(tc.port), 256, start+tc.at*1e6)
			if got := fields(s, tc.port, 256); got != want || policy == template.PortsAuto && took != (want > 0) {
				t.Errorf("%s, policy %d: %d fields (%v), want %d", tc.name, policy, got, took, want)
			}
			if n := s.Totals().Split; policy == template.PortsAuto && (n != tc.split || len(s.Shares()) != int(tc.split)) {
				t.Errorf("%s: %d of several ports, want %d", tc.name, n, tc.split)
			}
			if s.TakeOver(port(tc.port), 300, start+60e9) {
				t.Errorf("%s: an id that nobody announced", tc.name)
			}
		}
	}
}

// TestTakeOverFull has a port take over in a store that is nearly full of domains in use:
// what makes room is never the new domain itself, and the store's totals stay right.
func TestTakeOverFull(t *testing.T) {
	for domains := 2; domains < 6; domains++ {
		limits := template.DefaultLimits()
		limits.Domains = domains
		s := template.NewStore[any](limits, nil)
		s.UsePorts(template.PortsAuto)
		k := *port(1)
		k.Domain = 0
		for _, k := range []*template.Key{&k, port(1)} { // rates in the exporter's domain 0
			d := s.Domain(k, 1)
			d.Put(data(256, 8, 4), 1, 1)
			use(d, 1)
			use(d, 1+3*minute)
		}
		s.Lookup(&k).Sampling().Set(100)
		took := s.TakeOver(port(9), 256, 4*minute)
		if got := fields(s, 9, 256); !took || got != 1 {
			t.Errorf("room for %d: %v, %d fields", domains, took, got)
		}
		var want template.Totals
		s.Each(func(d *template.Domain[any]) {
			want.Domains++
			want.Templates += len(d.Templates())
		})
		if got := s.Totals(); got.Domains != want.Domains || got.Templates != want.Templates || got.Domains > domains {
			t.Errorf("room for %d: %+v, but there are %+v", domains, got, want)
		}
		s.Expire(48*hour, minute, true)
		if got := s.Totals(); got.Templates != 0 || got.Bytes != int64(got.Domains)*512 {
			t.Errorf("room for %d: after all expired: %+v", domains, got)
		}
	}
}

// TestTakeOverRates has a new port take over the sampling rates that others agree on.
func TestTakeOverRates(t *testing.T) {
	for _, tc := range []struct {
		name        string
		first       uint64 // rate of the first port's domain
		second      uint64 // of the second's, 0 for no second one
		zero        bool   // they are those of domain 0
		want, other uint64 // of the new port, and of sampler 7
	}{
		{"one port", 100, 0, false, 100, 70},
		{"two that agree", 100, 100, false, 100, 70},
		{"two that do not", 100, 200, false, 0, 0},
		{"of the exporter", 100, 0, true, 100, 70},
	} {
		s := template.NewStore[any](template.DefaultLimits(), nil)
		s.UsePorts(template.PortsAuto)
		for i, rate := range []uint64{tc.first, tc.second} {
			if rate == 0 {
				continue
			}
			k := port(uint16(1 + i))
			s.Domain(k, 1).Put(data(256, 8, 4), k.Port, 1)
			d := s.Domain(k, 1)
			if tc.zero {
				whole := *k
				whole.Domain = 0
				d = s.Domain(&whole, 1)
			}
			d.Sampling().Set(rate)
			d.Sampling().SetSampler(7, 70)
		}
		if !s.TakeOver(port(9), 256, 60e9) {
			t.Fatalf("%s: not taken over", tc.name)
		}
		if r := s.Lookup(port(9)).Sampling(); r.Rate() != tc.want || r.SamplerRate(7) != tc.other {
			t.Errorf("%s: rate %d, of the sampler %d", tc.name, r.Rate(), r.SamplerRate(7))
		}
		if tc.zero {
			k := *port(9)
			k.Domain = 0
			s.Lookup(&k).Sampling().Set(5)
			if r := s.Lookup(port(9)).Sampling().Rate(); r != 5 {
				t.Errorf("%s: rate %d after the exporter changed it", tc.name, r)
			}
		}
	}
}

// save returns what a store holds.
func save(s *template.Store[any]) []template.Saved {
	var all []template.Saved
	for _, d := range s.Domains() {
		var v template.Saved
		d.Save(&v)
		all = append(all, v)
	}
	return all
}

func restore(t *testing.T, s *template.Store[any], all []template.Saved) int {
	t.Helper()
	left := 0
	for i := range all {
		n, err := s.Restore(&all[i])
		if err != nil {
			t.Fatal(err)
		}
		left += n
	}
	return left
}

func TestRestore(t *testing.T) {
	policies := []template.Ports{template.PortsOff, template.PortsOn, template.PortsAuto}
	for _, before := range policies {
		s := template.NewStore[any](template.DefaultLimits(), nil)
		s.UsePorts(before)
		from(s, 1, data(256, 8, 4))
		from(s, 1, data(300, 8, 4, 12, 4, 1, 4))
		from(s, 2, define(template.IPFIX, true, words(301, 2, 1, 149, 4, 34, 4)))
		if before != template.PortsOff {
			from(s, 2, data(256, 8, 4, 12, 4))
		}
		d := s.Lookup(port(1))
		d.Used(d.Template(256), 7, 5*minute)
		d.Used(d.Template(256), 7, 6*minute)
		d.Sampling().Set(100)
		d.Sampling().SetBoot(12345)
		d.Sampling().SetSampler(3, 300)
		saved := save(s)
		for _, after := range policies {
			again := template.NewStore[any](template.DefaultLimits(), nil)
			again.UsePorts(after)
			if left := restore(t, again, saved); left != 0 {
				t.Errorf("%d to %d: %d left out", before, after, left)
			}
			if before == after && !reflect.DeepEqual(save(again), saved) {
				t.Errorf("policy %d: saved %+v, restored %+v", before, saved, save(again))
			}
			if fields(again, 1, 300) != 3 || before != template.PortsOff && after != template.PortsOff && (fields(again, 1, 256) != 1 || fields(again, 2, 256) != 2) {
				t.Errorf("%d to %d: templates are lost", before, after)
			}
		}
	}
}

func TestRestoreLimits(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), nil)
	for i := range 10 {
		d := announce(s, i, 1)
		for j := range uint16(10) {
			d.Put(data(300+j, 8, 4), 0, 1)
		}
		d.Sampling().SetSampler(1, 1)
	}
	limits := template.Limits{Domains: 5, TemplatesPerDomain: 4, FieldsPerTemplate: 9, Samplers: 2}
	small := template.NewStore[any](limits, nil)
	left := restore(t, small, save(s))
	if got := small.Totals(); got.Domains != 5 || got.Templates != 20 || got.Samplers > 2 || left != 70 || got.Evicted != 5 {
		t.Errorf("%+v, %d left out", got, left)
	}
}

func TestRestoreRefuses(t *testing.T) {
	good := template.SavedTemplate{Raw: words(256, 1, 8, 4)}
	for name, v := range map[string]template.Saved{
		"version":        {Key: template.Key{Version: 5}},
		"no template":    {Key: *source(1), Templates: []template.SavedTemplate{good, {}}},
		"a withdrawal":   {Key: *key(1), Templates: []template.SavedTemplate{{Raw: words(256, 0)}}},
		"cut short":      {Key: *source(1), Templates: []template.SavedTemplate{{Raw: words(256, 2, 8, 4)}}},
		"bytes too many": {Key: *source(1), Templates: []template.SavedTemplate{{Raw: words(256, 1, 8, 4, 0)}}},
		"id":             {Key: *source(1), Templates: []template.SavedTemplate{{Raw: words(25, 1, 8, 4)}}},
	} {
		if _, err := template.NewStore[any](template.DefaultLimits(), nil).Restore(&v); !errors.Is(err, template.ErrSaved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := template.Saved{Key: *source(1), Templates: []template.SavedTemplate{{Raw: words(256, 1, 8, 0)}}}
	if left, err := template.NewStore[any](template.DefaultLimits(), nil).Restore(&empty); err != nil || left != 1 {
		t.Errorf("an empty template: %d, %v", left, err)
	}
}
