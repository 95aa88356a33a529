package producer

import (
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/template"
)

// The fixed versions as templates: what their records hold, in the numbers of
// version 9. Element 0 is what is left out.
var (
	fixedV5     = fuseFixed(true, 8, 4, 12, 4, 15, 4, 10, 2, 14, 2, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 0, 1, 6, 1, 4, 1, 5, 1, 16, 2, 17, 2, 9, 1, 13, 1, 0, 2)
	fixedV7     = fuseFixed(true, 8, 4, 12, 4, 15, 4, 10, 2, 14, 2, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 0, 1, 6, 1, 4, 1, 5, 1, 16, 2, 17, 2, 9, 1, 13, 1, 0, 6)
	fixedV1     = fuseFixed(false, 8, 4, 12, 4, 15, 4, 10, 2, 14, 2, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 0, 2, 4, 1, 5, 1, 6, 1, 0, 7)
	fixedV1Long = fuseFixed(false, 8, 4, 12, 4, 15, 4, 10, 2, 14, 2, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 0, 2, 4, 1, 5, 1, 6, 1, 0, 11)
)

// fuseFixed makes the plan of records with these elements and lengths, in
// turn. fixed says that writeFixed knows them.
func fuseFixed(fixed bool, idLengths ...uint16) *plan {
	t := &template.Template{Version: template.V9}
	for i := 0; i < len(idLengths); i += 2 {
		t.Fields = append(t.Fields, template.Field{ID: idLengths[i], Length: idLengths[i+1]})
		t.Length += int(idLengths[i+1])
	}
	t.MinLength = t.Length
	pl := compilePlan(t)
	pl.fused.fixed = fixed
	return pl
}

// fixedPlan returns the plan of a fixed version's records.
func fixedPlan(h *netflow.Fixed) *plan {
	switch h.Version {
	case netflow.V1:
		if h.RecordLen == fixedV1Long.fused.recordLen {
			return fixedV1Long
		}
		return fixedV1
	case netflow.V7:
		return fixedV7
	}
	return fixedV5
}
