package template_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

func TestSets(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want string // "id:length fault" of each set, then the fault at the end
	}{
		{"nothing", nil, "end none"},
		{"one", words(256, 8, 1, 2), "256:4 none, end none"},
		{"two", words(2, 4, 256, 6, 9), "2:0 none, 256:2 none, end none"},
		{"overrun", words(256, 100, 1), "256:2 set_overrun, end none"},
		{"length below 4", words(256, 3, 1, 2), "end set_length"},
		{"length 0 with an id", words(256, 0), "end set_length"},
		{"zeros", words(256, 4, 0, 0, 0), "256:0 none, end trailing_zeros"},
		{"zeros and something", words(0, 0, 7), "end set_length"},
		{"less than a header", []byte{1, 0, 0}, "end trailing_bytes"},
		{"less than a header, zeros", []byte{0, 0, 0}, "end none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			var s template.Sets
			for s.Init(c.in); s.Next(); {
				got = append(got, fmt.Sprintf("%d:%d %v", s.ID, len(s.Body), s.Fault))
			}
			got = append(got, fmt.Sprintf("end %v", s.Fault))
			if g := strings.Join(got, ", "); g != c.want {
				t.Errorf("got %q, want %q", g, c.want)
			}
			if s.Next() {
				t.Error("a set after the end")
			}
		})
	}
}

func TestDefinitions(t *testing.T) {
	for _, c := range []struct {
		name    string
		version uint16
		options bool
		in      []byte
		want    string // id, fields and faults
	}{
		{"two templates", template.IPFIX, false, words(256, 1, 8, 4, 257, 2, 7, 2, 11, 2), "256[8/4] 257[7/2 11/2]"},
		{"enterprise", template.IPFIX, false, words(256, 2, 0x8001, 4, 0, 29305, 8, 4), "256[1/4@29305 8/4]"},
		{"no enterprise in v9", template.V9, false, words(256, 2, 0x8001, 4, 8, 4), "256[32769/4 8/4]"},
		{"variable", template.IPFIX, false, words(256, 1, 82, 0xffff), "256[82/65535]"},
		{"withdrawal", template.IPFIX, false, words(256, 0, 2, 0), "-256 -2"},
		{"withdrawal of options", template.IPFIX, true, words(256, 0, 3, 0), "-256 -3"},
		{"no fields in v9", template.V9, false, words(256, 0, 257, 1, 8, 4), "template_empty 257[8/4]"},
		{"id below 256", template.IPFIX, false, words(255, 1, 8, 4, 256, 1, 8, 4), "template_id 256[8/4]"},
		{"count beyond the set", template.IPFIX, false, words(256, 9, 8, 4), "template_truncated"},
		{"enterprise number cut", template.IPFIX, false, words(256, 1, 0x8001, 4, 7), "template_truncated"},
		{"padding", template.IPFIX, false, words(256, 1, 8, 4, 0), "256[8/4]"},
		{"long padding", template.V9, false, words(256, 1, 8, 4, 0, 0, 0, 0), "256[8/4]"},
		{"something behind zeros", template.V9, false, words(256, 1, 8, 4, 0, 0, 256, 1, 8, 4), "256[8/4] template_id"},
		{"options", template.IPFIX, true, words(300, 2, 1, 302, 8, 34, 4), "300[302/8! 34/4]"},
		{"options with enterprise", template.IPFIX, true, words(300, 2, 1, 0x8000|5, 8, 0, 9, 34, 4), "300[5/8@9! 34/4]"},
		{"more scopes than fields", template.IPFIX, true, words(300, 1, 2, 302, 8, 301, 1, 1, 34, 4), "template_scope 301[34/4!]"},
		{"options cut", template.IPFIX, true, words(300, 2), "template_truncated"},
		{"v9 options", template.V9, true, words(300, 4, 8, 1, 4, 48, 1, 50, 4), "300[1/4! 48/1 50/4]"},
		{"v9 options of odd length", template.V9, true, words(300, 4, 2, 1, 4, 48, 301, 4, 0, 1, 4), "template_scope 301[1/4!]"},
		{"v9 options cut", template.V9, true, words(300, 4, 8, 1, 4), "template_truncated"},
		{"v9 options of nothing", template.V9, true, words(300, 0, 0, 301, 4, 0, 1, 4), "template_empty 301[1/4!]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(walkDefinitions(t, c.in, c.version, c.options), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// walkDefinitions prints the definitions in a set, and faults.
func walkDefinitions(t *testing.T, in []byte, version uint16, options bool) []string {
	var out []string
	var defs template.Definitions
	defs.Init(in, version, options)
	for steps := 0; ; steps++ {
		if steps > len(in)/4+1 {
			t.Fatal("more steps than bytes allow")
		}
		more, ok := defs.Next()
		switch {
		case !more:
			return out
		case !ok:
			out = append(out, defs.Fault.String())
			continue
		case defs.Def.Withdrawal:
			out = append(out, fmt.Sprintf("-%d", defs.Def.ID))
			continue
		}
		tpl, fault := template.New[any](&defs.Def)
		if fault != template.FaultNone {
			out = append(out, fault.String())
			continue
		}
		var fields []string
		for _, f := range tpl.Fields {
			s := fmt.Sprintf("%d/%d", f.ID, f.Length)
			if f.PEN != 0 {
				s += fmt.Sprintf("@%d", f.PEN)
			}
			if f.Scope {
				s += "!"
			}
			fields = append(fields, s)
		}
		out = append(out, fmt.Sprintf("%d%v", tpl.ID, fields))
	}
}

func TestRecords(t *testing.T) {
	variable := func(fields ...uint16) *template.Definition { return data(256, fields...) }
	long := join([]byte{255, 1, 0}, make([]byte, 256))
	for _, c := range []struct {
		name  string
		def   *template.Definition
		in    []byte
		want  []int // lengths of the records
		left  int
		fault template.Fault
	}{
		{"fixed", data(256, 8, 4, 7, 2), make([]byte, 18), []int{6, 6, 6}, 0, template.FaultNone},
		{"padding", data(256, 8, 4, 7, 2), make([]byte, 9), []int{6}, 3, template.FaultNone},
		{"too few", data(256, 8, 4), make([]byte, 3), nil, 3, template.FaultNone},
		{"variable", variable(7, 2, 82, 0xffff), []byte{0, 80, 3, 'a', 'b', 'c', 0, 80, 0}, []int{6, 3}, 0, template.FaultNone},
		{"long", variable(82, 0xffff), join(long, []byte{1, 9}), []int{259, 2}, 0, template.FaultNone},
		{"long prefix of a short value", variable(82, 0xffff), []byte{255, 0, 1, 7}, []int{4}, 0, template.FaultNone},
		{"beyond the set", variable(82, 0xffff), []byte{1, 7, 9, 1}, []int{2}, 0, template.FaultRecordTruncated},
		{"prefix cut", variable(82, 0xffff), []byte{1, 7, 255, 0}, []int{2}, 0, template.FaultRecordTruncated},
		{"fixed behind variable beyond", variable(82, 0xffff, 8, 4), []byte{2, 1, 1, 1, 1}, nil, 0, template.FaultRecordTruncated},
		{"with fields of no length", data(256, 8, 0, 7, 2), make([]byte, 4), []int{2, 2}, 0, template.FaultNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpl, fault := template.New[any](c.def)
			if fault != template.FaultNone {
				t.Fatal(fault)
			}
			var r template.Records[any]
			var got []int
			for r.Init(c.in, tpl); r.Next(); {
				got = append(got, len(r.Record))
			}
			left := r.Left()
			if !slices.Equal(got, c.want) || r.Fault != c.fault || left != c.left {
				t.Errorf("got %v, %v, %d left; want %v, %v, %d left", got, r.Fault, left, c.want, c.fault, c.left)
			}
		})
	}
}

// TestEmptyTemplates: a template whose records have no bytes is none.
func TestEmptyTemplates(t *testing.T) {
	if _, fault := template.New[any](data(256, 8, 0, 12, 0)); fault != template.FaultTemplateEmpty {
		t.Errorf("got %v", fault)
	}
}

// FuzzSets walks sets, templates and records of a message of either version,
// with a store that keeps its templates over the messages.
func FuzzSets(f *testing.F) {
	f.Add(uint16(9), join(words(0, 12, 256, 1, 8, 4), words(256, 8, 1, 2)), words(256, 8, 3, 4))
	f.Add(uint16(10), join(words(2, 16, 256, 2, 8, 4, 82, 0xffff), words(256, 12, 1, 2), []byte{3, 1, 2, 3}), words(2, 8, 256, 0))
	f.Add(uint16(10), words(3, 18, 300, 2, 1, 302, 8, 34, 4), join(words(300, 16), make([]byte, 12)))
	f.Add(uint16(9), words(1, 22, 300, 4, 8, 1, 4, 48, 1, 50, 4), join(words(300, 13), make([]byte, 9)))
	f.Add(uint16(9), words(0, 8, 256, 0, 0, 0, 0, 0), words(256, 12, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, version uint16, first, second []byte) {
		version = 9 + version%2
		limits := template.Limits{Domains: 1, TemplatesPerDomain: 8, FieldsPerTemplate: 32}
		store := template.NewStore[any](limits, nil)
		domain := store.Domain(&template.Key{Version: version}, 1)
		base := uint16(version-9) * 2 // set id of templates; options templates are next
		for _, message := range [][]byte{first, second} {
			kept := bytes.Clone(message)
			covered := 0
			var s template.Sets
			for s.Init(message); s.Next(); {
				covered += 4 + len(s.Body)
				switch {
				case s.ID == base || s.ID == base+1:
					fuzzTemplates(t, domain, version, s.ID == base+1, s.Body)
				case s.ID >= 256:
					if tpl := domain.Template(s.ID); tpl != nil {
						fuzzRecords(t, tpl, s.Body)
					}
				}
			}
			if covered > len(message) {
				t.Fatalf("sets of %d bytes in a message of %d", covered, len(message))
			}
			if !bytes.Equal(kept, message) {
				t.Fatal("the message was written to")
			}
		}
		if n := len(domain.Templates()); n > limits.TemplatesPerDomain {
			t.Fatalf("%d templates", n)
		}
	})
}

func fuzzTemplates(t *testing.T, domain *template.Domain[any], version uint16, options bool, body []byte) {
	var defs template.Definitions
	defs.Init(body, version, options)
	for steps := 0; ; steps++ {
		if steps > len(body)/4+1 {
			t.Fatalf("%d steps over %d bytes", steps, len(body))
		}
		more, ok := defs.Next()
		if !more {
			return
		}
		if ok != (defs.Fault == template.FaultNone) {
			t.Fatalf("ok %v with fault %v", ok, defs.Fault)
		}
		if !ok {
			continue
		}
		change, fault := domain.Put(&defs.Def, 0, 1)
		if (change == template.Refused) != (fault != template.FaultNone) {
			t.Fatalf("change %v with fault %v", change, fault)
		}
		switch change {
		case template.Withdrawn:
			if defs.Def.ID >= 256 && domain.Template(defs.Def.ID) != nil {
				t.Fatal("withdrawn and there")
			}
		case template.Added, template.Replaced, template.Unchanged:
			tpl := domain.Template(defs.Def.ID)
			if tpl == nil || tpl.Options != options || tpl.MinLength == 0 {
				t.Fatalf("stored %+v", tpl)
			}
			if c, _ := domain.Put(&defs.Def, 0, 2); c != template.Unchanged || domain.Template(tpl.ID) != tpl {
				t.Fatalf("announced again: %v", c)
			}
		}
	}
}

func fuzzRecords(t *testing.T, tpl *template.Template[any], body []byte) {
	var r template.Records[any]
	covered := 0
	for r.Init(body, tpl); r.Next(); {
		if len(r.Record) < tpl.MinLength {
			t.Fatalf("record of %d bytes, the shortest has %d", len(r.Record), tpl.MinLength)
		}
		covered += len(r.Record)
		pos := 0
		for i := range tpl.Fields {
			off, n := template.FieldSpan(&tpl.Fields[i], r.Record, pos)
			if n < 0 {
				t.Fatalf("field %d beyond its record", i)
			}
			pos = off + n
		}
		if pos != len(r.Record) {
			t.Fatalf("fields of %d bytes in a record of %d", pos, len(r.Record))
		}
	}
	if covered+r.Left() > len(body) {
		t.Fatalf("%d bytes of %d", covered+r.Left(), len(body))
	}
}
