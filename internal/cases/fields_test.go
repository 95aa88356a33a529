package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer/schema"
)

// shown is what the cases of testdata have.
type shown struct {
	fields   map[string]bool // with a value in a flow
	elements map[string]bool // "field PEN/number": in a template of a case with the field
	records  map[string]bool // "field enterprise:format": in a sample of a case with the field
}

// TestEveryField: each field has a value in a case, and each element and each record of
// sFlow that fills one of weir's own fields is in a case that looks at the field.
func TestEveryField(t *testing.T) {
	s := shown{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range strings.Split("\n"+string(text), "\ncase ")[1:] {
			s.read(t, c)
		}
	}
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if !s.fields[f.Name] && !slices.Contains(elsewhere, f.Name) {
			t.Errorf("%s: no case has it", f.Name)
		}
		if !f.Extra {
			continue
		}
		for _, e := range f.Elements {
			if key := fmt.Sprintf("%s %d/%d", f.Name, e.PEN, e.ID); !s.elements[key] {
				t.Errorf("%s (%s): no case", key, e.Name)
			}
		}
		for _, src := range f.SFlow {
			if key := fmt.Sprintf("%s %d:%d", f.Name, src.Record>>12, src.Record&0xfff); src.Record != schema.RawHeader && !s.records[key] {
				t.Errorf("%s: no case", key)
			}
		}
	}
}

// elsewhere are goflow2's fields that package producer tests.
var elsewhere = []string{
	"type", "time_received_ns", "sequence_num", "sampler_address", "ip_flags", "ipv6_flow_label", "fragment_id", "fragment_offset",
	"src_as", "dst_as", "bgp_next_hop", "as_path", "mpls_ip", "observation_domain_id", "observation_point_id", "layer_stack", "layer_size",
}

// read notes what a case has.
func (s *shown) read(t *testing.T, text string) {
	var elements, records, fields []string
	v9 := false
	for _, line := range strings.Split(text, "\n") {
		words, err := split(line)
		if err != nil {
			t.Fatal(err)
		}
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "v9", "ipfix":
			v9 = words[0] == "v9"
		case "template":
			list, err := (&sets{v9: v9}).fields(words[2:], false)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				elements = append(elements, fmt.Sprintf("%d/%d", f.element.PEN, f.element.ID))
			}
		case "record":
			records = append(records, words[1])
		case "flow":
			for _, w := range words[1:] {
				if name, value, _ := strings.Cut(w, "="); value != "none" {
					fields = append(fields, name)
				}
			}
		}
	}
	for _, f := range fields {
		s.fields[f] = true
		for _, e := range elements {
			s.elements[f+" "+e] = true
		}
		for _, r := range records {
			s.records[f+" "+r] = true
		}
	}
}
