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
func from(s *template.Store, n uint16, def *template.Definition) template.Change {
	for {
		change, _ := s.Domain(port(n), 1).Put(def, n, 1)
		if change != template.Moved {
			return change
		}
	}
}

// fields returns how many fields the template has that data of a port is decoded
// by; 0 for none.
func fields(s *template.Store, n, id uint16) int {
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
		{template.PortsAuto, [3]int{1, 1, 1}, [3]int{1, 2, 0}},
	} {
		s := template.NewStore(template.DefaultLimits(), nil)
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
		// What is not in conflict is found by any port, unless ports count.
		if got := fields(s, 2, 300); (got == 0) != (tc.ports == template.PortsOn) {
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

// TestPortsAutoRestart: an exporter that restarts, and has the same templates,
// keeps them; redefinition by the same port is no conflict.
func TestPortsAutoRestart(t *testing.T) {
	s := template.NewStore(template.DefaultLimits(), nil)
	s.UsePorts(template.PortsAuto)
	from(s, 1, data(256, 8, 4))
	if got := from(s, 2, data(256, 8, 4)); got != template.Unchanged || fields(s, 3, 256) != 1 {
		t.Errorf("restarted: %v", got)
	}
	if got := from(s, 2, data(256, 8, 4, 12, 4)); got != template.Replaced || s.Totals().Split != 0 || fields(s, 1, 256) != 2 {
		t.Errorf("redefined by the port that announced last: %v, %+v", got, s.Totals())
	}
	s.Domain(port(2), 1).Sampling().Set(100)
	if got := from(s, 1, data(256, 1, 1)); got != template.Added || s.Totals().Split != 1 {
		t.Errorf("conflict: %v, %+v", got, s.Totals())
	}
	if d := s.Lookup(port(1)); d.Key().Port != 1 || d.Sampling().Rate() != 100 {
		t.Errorf("the domain of port 1: %+v, rate %d", d.Key(), d.Sampling().Rate())
	}
}

// save returns what a store holds.
func save(s *template.Store) []template.Saved {
	var all []template.Saved
	for _, d := range s.Domains() {
		var v template.Saved
		d.Save(&v)
		all = append(all, v)
	}
	return all
}

func restore(t *testing.T, s *template.Store, all []template.Saved) int {
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
		s := template.NewStore(template.DefaultLimits(), nil)
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
			again := template.NewStore(template.DefaultLimits(), nil)
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
	s := template.NewStore(template.DefaultLimits(), nil)
	for i := range 10 {
		d := announce(s, i, 1)
		for j := range uint16(10) {
			d.Put(data(300+j, 8, 4), 0, 1)
		}
		d.Sampling().SetSampler(1, 1)
	}
	limits := template.Limits{Domains: 5, TemplatesPerDomain: 4, FieldsPerTemplate: 9, Samplers: 2}
	small := template.NewStore(limits, nil)
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
		if _, err := template.NewStore(template.DefaultLimits(), nil).Restore(&v); !errors.Is(err, template.ErrSaved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := template.Saved{Key: *source(1), Templates: []template.SavedTemplate{{Raw: words(256, 1, 8, 0)}}}
	if left, err := template.NewStore(template.DefaultLimits(), nil).Restore(&empty); err != nil || left != 1 {
		t.Errorf("an empty template: %d, %v", left, err)
	}
}
