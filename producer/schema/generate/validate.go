package main

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/producer/schema"
)

// coreFields is how many fields goflow2 has.
const coreFields = 50

// validate checks the rows against each other.
func validate() error {
	names, gos, numbers := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for i := range schema.Fields {
		f := &schema.Fields[i]
		switch {
		case f.Name == "" || f.Go == "" || f.Doc == "" || !strings.HasSuffix(f.Doc, "."):
			return fmt.Errorf("field %d (%s): a row has Name, Go and Doc, a sentence", i, f.Name)
		case names[f.Name] || gos[f.Go]:
			return fmt.Errorf("field %s: its name is given twice", f.Name)
		case numbers[f.Number] || f.Number < 1 || f.Number >= 1000:
			return fmt.Errorf("field %s: number %d is not free, or not below 1000", f.Name, f.Number)
		case f.Extra != (i >= coreFields):
			return fmt.Errorf("field %s: the first %d fields are those of goflow2, all others are extra", f.Name, coreFields)
		case f.ZeroIsValue && (!f.Extra || f.Kind != schema.Uint32 && f.Kind != schema.Uint64):
			return fmt.Errorf("field %s: zero is a value of extra numbers alone", f.Name)
		case f.Extra && f.Kind >= schema.Uints:
			return fmt.Errorf("field %s: extra fields are numbers or strings of bytes", f.Name)
		case f.Extra && retired(f.Number) && !revived[f.Number]:
			return fmt.Errorf("field %s: number %d had another meaning once", f.Name, f.Number)
		}
		names[f.Name], gos[f.Go], numbers[f.Number] = true, true, true
		seen := map[[2]uint32]bool{}
		for _, e := range f.Elements {
			key := [2]uint32{e.PEN, uint32(e.ID)}
			if e.Name == "" || seen[key] {
				return fmt.Errorf("field %s: element %d/%d has no name or comes twice", f.Name, e.PEN, e.ID)
			}
			seen[key] = true
		}
		for _, s := range f.SFlow {
			r := schema.RecordByWord(s.Record)
			if r == nil {
				return fmt.Errorf("field %s: no record %d", f.Name, s.Record)
			}
			if len(r.Members) > 0 && !hasMember(r, s.Member) {
				return fmt.Errorf("field %s: record %s has no member %s", f.Name, r.Name, s.Member)
			}
		}
	}
	return nil
}

func hasMember(r *schema.Record, name string) bool {
	for _, m := range r.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// Numbers that retired schemas used with other meanings.
var retiredRanges = [][2]int{{2, 2}, {5, 5}, {39, 42}, {53, 65}}

// revived are those of them that have their first meaning again, that of goflow v1.
var revived = map[int]bool{39: true, 40: true, 41: true, 42: true}

func retired(number int) bool {
	for _, r := range retiredRanges {
		if number >= r[0] && number <= r[1] {
			return true
		}
	}
	return false
}
