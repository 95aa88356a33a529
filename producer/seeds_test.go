package producer_test

import "slices"

// scenario is a sequence of datagrams of one exporter with a name.
type scenario struct {
	name      string
	datagrams [][]byte
}

// scenarios are sequences that meet each path of the producer: those that must
// not allocate, the fuzzer's seeds, and what fast and slow must agree on. Their
// first datagrams teach templates; the last is the path that is meant.
func scenarios() []scenario {
	flowTpl := tpl(256, flowFields...)
	many := join(flowRecord(1), flowRecord(2), flowRecord(3), flowRecord(4))
	absolute := []uint16{27, 16, 28, 16, 152, 8, 153, 8, 1, 8, 2, 8, 136, 1}
	absoluteRecord := join(make([]byte, 15), []byte{1}, make([]byte, 15), []byte{2},
		u64(nil, 1_700_000_000_111, 1_700_000_000_222, 9000, 12), []byte{3})
	varFields := append(slices.Clone(flowFields), 82, variable, 371, variable)
	varRecord := join(flowRecord(9), []byte{4}, []byte("eth0"), []byte{255, 0, 3}, []byte("bob"))
	sampler9 := opt9(300, 1, 1, 4, 48, 1, 49, 1, 50, 4)
	mpls := []uint16{8, 4, 12, 4, 70, 3, 71, 3, 72, 3, 47, 4, 89, 1, 56, 6, 80, 6, 58, 2, 59, 2, 32, 2, 60, 1, 52, 1, 9, 1, 13, 1, 15, 4, 18, 4, 16, 4, 17, 4, 31, 3}
	mplsRecord := unhex(`0a000001 c6336401 3e8011 3e8021 3e8031 cb007109 40
		021122334455 0266778899aa 0064 00c8 0305 04 40 18 10 c0000201 c0000202 0000fbf4 0000fbf5 012345`)
	return []scenario{
		{"v1", [][]byte{v1datagram(3, false)}},
		{"v1 long", [][]byte{v1datagram(3, true)}},
		{"v5", [][]byte{v5datagram(30)}},
		{"v7", [][]byte{v7datagram(27)}},
		{"v8", [][]byte{v8datagram(5, 20)}},
		{"v9 fixed", [][]byte{v9(set(0, flowTpl)), v9(set(256, many, []byte{0, 0}))}},
		{"v9 every element", [][]byte{v9(set(0, tpl(257, mpls...))), v9(set(257, mplsRecord, mplsRecord))}},
		{"v9 sampler id", [][]byte{
			v9(set(1, sampler9), set(0, tpl(256, append([]uint16{48, 1}, flowFields...)...))),
			v9(set(300, u32(nil, 0), []byte{5, 2}, u32(nil, 1000), u32(nil, 0), []byte{6, 2}, u32(nil, 2000))),
			v9(set(256, []byte{5}, flowRecord(1), []byte{6}, flowRecord(2), []byte{7}, flowRecord(3))),
		}},
		{"v9 options data", [][]byte{
			v9(set(1, sampler9)),
			v9(set(300, u32(nil, 0), []byte{5, 2}, u32(nil, 1000))),
		}},
		{"v9 re-announcement", [][]byte{v9(set(0, flowTpl), set(1, sampler9)), v9(set(0, flowTpl), set(1, sampler9))}},
		{"v9 without template", [][]byte{v9(set(999, many))}},
		{"ipfix fixed", [][]byte{ipfix(set(2, flowTpl, tpl(258, absolute...))), ipfix(set(256, many), set(258, absoluteRecord))}},
		{"ipfix variable", [][]byte{ipfix(set(2, tpl(259, varFields...))), ipfix(set(259, varRecord, varRecord, varRecord))}},
		{"ipfix frame section", [][]byte{
			ipfix(set(2, tpl(260, 10, 4, 312, 2, 315, variable))),
			ipfix(set(260, u32(nil, 7), []byte{5, 220, byte(len(vlanFrame))}, vlanFrame)),
		}},
		{"ipfix enterprise and lists", [][]byte{
			ipfix(set(2, join(u16(nil, 261, 3, 8, 4, 0x8001, 4), u32(nil, 29305), u16(nil, 291, variable)))),
			ipfix(set(261, u32(nil, 0x0a000001, 77), []byte{3, 1, 2, 3})),
		}},
		{"ipfix options data", [][]byte{
			ipfix(set(3, opt(301, 1, 302, 8, 305, 4, 306, 4))),
			ipfix(set(301, u64(nil, 5), u32(nil, 1, 99))),
		}},
		{"ipfix options enterprise", [][]byte{
			ipfix(set(3, join(u16(nil, 302, 3, 1, 143, 4, 0x8000|34, 4), u32(nil, 9), u16(nil, 34, 2)))),
			ipfix(set(302, u32(nil, 1, 111), u16(nil, 222))),
		}},
		{"ipfix re-announcement", [][]byte{ipfix(set(2, flowTpl)), ipfix(set(2, flowTpl))}},
		{"ipfix withdrawal", [][]byte{
			ipfix(set(2, flowTpl), set(3, opt(301, 1, 302, 8, 305, 4))),
			ipfix(set(2, tpl(256)), set(3, tpl(301))),
			ipfix(set(256, many), set(301, u64(nil, 5), u32(nil, 1))),
		}},
		{"ipfix withdrawal of all", [][]byte{
			ipfix(set(2, flowTpl), set(3, opt(301, 1, 302, 8, 305, 4))),
			ipfix(set(2, tpl(2))), ipfix(set(256, many)), ipfix(set(3, tpl(3))),
			ipfix(set(301, u64(nil, 5), u32(nil, 1))),
		}},
		{"ipfix redefinition", [][]byte{
			ipfix(set(2, flowTpl)), ipfix(set(256, many)), ipfix(set(2, tpl(256, 1, 4, 8, 4))),
			ipfix(set(256, u32(nil, 1, 2, 3, 4))),
		}},
		{"ipfix relative times", [][]byte{
			ipfix(set(2, tpl(262, 22, 4, 21, 4), tpl(263, 160, 8, 22, 4, 21, 4), tpl(264, 158, 4, 159, 4), tpl(265, 154, 8, 155, 8, 156, 8))),
			ipfix(set(262, u32(nil, 1000, 5000)), set(263, u64(nil, 1_699_999_000_000), u32(nil, 1000, 5000)),
				set(264, u32(nil, 2_000_000, 1_000_000)), set(265, u64(nil, 0xe8fe6f8080000000, 0xe8fe6f8180000000, 1))),
		}},
		{"sflow raw header", [][]byte{sflowDatagram(flowSample(rawHeader(tcpFrame)), flowSample(rawHeader(vlanFrame)))}},
		{"sflow expanded", [][]byte{sflowDatagram(expandedSample(
			rawHeader(vlanFrame), tagged(1001, u32(nil, 10, 0, 20, 1)), tagged(1002, u32(nil, 1, 0xc0000201, 24, 16))))}},
		{"sflow gateway", [][]byte{sflowDatagram(flowSample(rawHeader(tcpFrame), gateway()))}},
		{"sflow ip records", [][]byte{sflowDatagram(
			flowSample(tagged(3, join(u32(nil, 60, 6, 0x0a000001, 0x0a000002, 80, 1024, 0x12, 4))), tagged(2, make([]byte, 24))),
			flowSample(tagged(4, join(u32(nil, 60, 17), tcpFrame[:32], u32(nil, 53, 1024, 0, 4)))),
			flowSample(tagged(2, join(u32(nil, 64), tcpFrame[6:12], []byte{0, 0}, tcpFrame[:6], []byte{0, 0}, u32(nil, 0x800)))))}},
		{"sflow user", [][]byte{sflowDatagram(
			flowSample(rawHeader(tcpFrame), tagged(1004, join(u32(nil, 106, 3), []byte("bob\x00"), u32(nil, 106, 0)))),
			flowSample(rawHeader(tcpFrame), tagged(1004, u32(nil, 106, 0, 106, 2, 0xc3000000))), flowSample(tagged(1004, u32(nil, 106, 9))))}},
		{"sflow counters", [][]byte{sflowDatagram(counterSample(), counterSample())}},
		{"sflow drop and unknown", [][]byte{sflowDatagram(tagged(5, make([]byte, 32)), tagged(77, make([]byte, 13)), flowSample(tagged(4711, []byte{1})))}},
		{"garbage", [][]byte{unhex("de ad be ef 00 01 02 03")}},
		{"short", [][]byte{v5datagram(0)[:20]}},
		{"nothing", [][]byte{{}}},
	}
}
