package producer

import (
	"slices"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
)

// Elements without a direction, as interfaceName, fill the field of the side that the
// record's flow direction is about.

// ieFlowDirection is the element that says which side of the exporter a record is about.
const ieFlowDirection = 61

// hasDirection tells whether records of a template say their direction.
func hasDirection(t *Template) bool {
	return slices.ContainsFunc(t.Fields, func(f template.Field) bool { return f.PEN == 0 && f.ID == ieFlowDirection && f.Length > 0 })
}

// dropDirection leaves the ops of the direction out where no field depends on it.
func (pl *plan) dropDirection() {
	if slices.ContainsFunc(pl.late, func(o op) bool { return o.side != schema.AnySide }) {
		return
	}
	kept := pl.ops[:0]
	for i, o := range pl.ops {
		switch {
		case o.code != opDirection:
		case !o.same && pl.variable && (i+1 == len(pl.ops) || !pl.ops[i+1].same):
			o.code = opSkip // the walk needs it
		default:
			continue
		}
		kept = append(kept, o)
	}
	pl.ops = kept
}

// usable tells whether an element may fill its field from a template's field.
func (e *elementOp) usable(f *template.Field, directed bool) bool {
	switch {
	case f.Length == 0:
		return false
	case e.length != 0 && e.code != opList && f.Length != uint16(e.length) && f.Length != template.VariableLength:
		return false
	}
	return e.side != schema.Egress || directed
}
