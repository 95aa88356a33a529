package producer

import (
	"encoding/binary"
	"slices"

	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/template"
)

// fixedTypes are the flow types of the versions with a fixed layout.
var fixedTypes = [NumProtocols]uint32{
	ProtocolNetFlowV1: TypeNetFlowV1, ProtocolNetFlowV5: TypeNetFlowV5,
	ProtocolNetFlowV7: TypeNetFlowV7, ProtocolNetFlowV8: TypeNetFlowV8,
}

// fixedPlans are the plans of the fixed layouts, by index.
var fixedPlans = makeFixedPlans()

func makeFixedPlans() []*plan {
	var all []*plan
	v5 := elementColumns(netflow.VersionOf(netflow.V5).Layouts[0])
	for _, l := range netflow.Layouts() {
		pl := compilePlan(fixedTemplate(l))
		pl.fused.fixed = slices.Equal(elementColumns(l), v5) && len(pl.ops) == len(v5) && pl.late == nil
		all = append(all, pl)
	}
	return all
}

// fillV5 is fill for the records of plans that say fixed: where all is known it takes
// 0.2 µs less. It knows the fields that the elements of v5 fill; had one of them
// another field to fill, the plan would have another op, and not say fixed.
func fillV5(rec []byte, f *Flow, c *recordContext) {
	_ = rec[45]
	f.SrcAddr, f.DstAddr, f.NextHop = rec[0:4:4], rec[4:8:8], rec[8:12:12]
	f.Etype = etherTypeIPv4
	f.InIf, f.OutIf = uint32(binary.BigEndian.Uint16(rec[12:])), uint32(binary.BigEndian.Uint16(rec[14:]))
	f.Packets, f.Bytes = uint64(binary.BigEndian.Uint32(rec[16:])), uint64(binary.BigEndian.Uint32(rec[20:]))
	c.startUptime, c.endUptime = binary.BigEndian.Uint32(rec[24:]), binary.BigEndian.Uint32(rec[28:])
	c.hasStartUp, c.hasEndUp = true, true
	f.SrcPort, f.DstPort = uint32(binary.BigEndian.Uint16(rec[32:])), uint32(binary.BigEndian.Uint16(rec[34:]))
	f.TCPFlags, f.Proto, f.IPTOS = uint32(rec[37]), uint32(rec[38]), uint32(rec[39])
	f.SrcAS, f.DstAS = uint32(binary.BigEndian.Uint16(rec[40:])), uint32(binary.BigEndian.Uint16(rec[42:]))
	f.SrcNet, f.DstNet = uint32(rec[44]), uint32(rec[45])
	if !c.compat {
		f.icmpFromPort()
		c.uptimes(f)
		c.order(f)
	}
}

// elementColumns returns the columns of a layout that have an element.
func elementColumns(l *netflow.Layout) []netflow.Column {
	return slices.DeleteFunc(slices.Clone(l.Columns), func(c netflow.Column) bool { return c.Element == 0 })
}

// fixedTemplate returns a layout as a template, with element 0 for bytes that are left
// out.
func fixedTemplate(l *netflow.Layout) *Template {
	t := &Template{Version: template.V9, Length: l.Len, MinLength: l.Len}
	columns := slices.SortedFunc(slices.Values(l.Columns), func(a, b netflow.Column) int { return a.Offset - b.Offset })
	at := 0
	for _, c := range append(columns, netflow.Column{Offset: l.Len}) {
		if c.Offset > at {
			t.Fields = append(t.Fields, template.Field{Length: uint16(c.Offset - at)})
		}
		if c.Len > 0 {
			t.Fields = append(t.Fields, template.Field{ID: c.Element, Length: uint16(c.Len)})
		}
		at = c.Offset + c.Len
	}
	return t
}
