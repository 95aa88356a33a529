package producer

import known "github.com/weirflow/weir/decoders/elements"

// Kinds of elements that are passed over.
const (
	IgnoredReverse = iota // of the other direction (RFC 5103), which fill no field
	IgnoredList           // structured data (RFC 6313)
	IgnoredUnknown        // elements that have no name
	NumIgnored
)

// IgnoredNames are the names of the kinds, as they appear in metrics.
var IgnoredNames = [NumIgnored]string{"reverse", "list", "unknown"}

// ignore counts an element that no field is filled from, if it is of one of the kinds.
func (pl *plan) ignore(key elementKey) {
	if key.pen == reversePEN {
		pl.ignored[IgnoredReverse]++
		return
	}
	switch e, ok := known.Lookup(key.pen, key.id); {
	case !ok:
		pl.ignored[IgnoredUnknown]++
	case e.Type.List():
		pl.ignored[IgnoredList]++
	}
}

// An IgnoredElement is one that a template has and no field is filled from.
type IgnoredElement struct {
	ID   uint16
	PEN  uint32
	Kind int    // one of IgnoredReverse and those that follow
	Name string // "" of those that have none
}

// IgnoredElements lists the elements of a data template that the records' flows lack, as
// plans count them without a mapping; none of one of options.
func IgnoredElements(t *Template) (list []IgnoredElement) {
	if t.Options {
		return nil
	}
	for _, f := range t.Fields {
		key := elementKey{f.PEN, f.ID}
		if f.Length == 0 || elementsOf(key) != nil || reverseElements(key) != nil || key == (elementKey{0, ieFlowDirection}) {
			continue
		}
		var pl plan
		pl.ignore(key)
		for kind, n := range pl.ignored {
			if n > 0 {
				e, _ := known.Lookup(f.PEN, f.ID)
				list = append(list, IgnoredElement{f.ID, f.PEN, kind, e.Name})
			}
		}
	}
	return list
}

// ignore counts what a plan passes over in a set of records.
func (t *Tally) ignore(pl *plan, records int) {
	for kind, n := range pl.ignored {
		t.Ignored[kind] += uint64(n) * uint64(records)
	}
}
