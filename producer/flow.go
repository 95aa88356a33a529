package producer

// Flow types, the numbers of flowpb.FlowMessage_FlowType.
const (
	TypeSFlow5    = 1
	TypeNetFlowV5 = 2
	TypeNetFlowV9 = 3
	TypeIPFIX     = 4
	TypeNetFlowV1 = 5
	TypeNetFlowV7 = 6
	TypeNetFlowV8 = 7
)

const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
)

// setLabel notes an MPLS label at its place in the stack, 0 being the top, as goflow2
// does.
func (f *Flow) setLabel(i int, label uint32) {
	for len(f.MPLSLabel) <= i {
		f.MPLSLabel = append(f.MPLSLabel, 0)
	}
	f.MPLSLabel[i] = label
}
