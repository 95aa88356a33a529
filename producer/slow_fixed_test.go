package producer_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// schemes are the records of NetFlow v8 by aggregation scheme: names and lengths of
// what follows what, as decoders/netflow/testdata/v8.txt has them.
var schemes = sync.OnceValue(func() (all [15][]string) {
	text, err := os.ReadFile("../decoders/netflow/testdata/v8.txt")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); line[0] != '#' {
			var scheme int
			fmt.Sscan(words[0], &scheme)
			all[scheme] = words[1:]
		}
	}
	return all
})

// v8datagram returns a v8 datagram of n records of an aggregation scheme.
func v8datagram(scheme, n int) []byte {
	b := u16(nil, 8, uint16(n))
	b = u32(b, uptimeMs, unixSecs, 500_000_000, 4242)
	b = u8(b, 1, 2, byte(scheme), 2)
	b = u32(b, 0)
	for i := range n {
		for j, field := range schemes()[scheme] {
			v := uint32(0x0a000000 + i<<8 + j)
			switch name, length, _ := strings.Cut(field, "/"); {
			case name == "first":
				b = u32(b, uptimeMs-2000)
			case name == "last":
				b = u32(b, uptimeMs-1000)
			case length == "4":
				b = u32(b, v)
			case length == "2":
				b = u16(b, uint16(v)|0x100)
			default:
				b = u8(b, byte(v))
			}
		}
	}
	return b
}

// aggregated reads NetFlow v8.
func (s *slow) aggregated(meta producer.Meta, data []byte) []*flowpb.FlowMessage {
	r := slowReader{b: data}
	_, count := r.u16(), int(r.u16())
	uptime, secs, nsecs, sequence := r.u32(), r.u32(), r.u32(), r.u32()
	r.u16() // engine
	scheme, _ := r.u8(), r.u8()
	r.u32() // reserved
	if r.short || int(scheme) >= len(schemes()) || schemes()[scheme] == nil {
		return nil
	}
	now := uint64(secs)*1e9 + uint64(nsecs)
	var flows []*flowpb.FlowMessage
	for range count {
		f := newSlowFlow(meta, flowpb.FlowMessage_NETFLOW_V8)
		f.SequenceNum, f.SamplingRate = sequence, s.rate
		var first, last uint32
		for _, field := range schemes()[scheme] {
			name, length, _ := strings.Cut(field, "/")
			size := int(length[0] - '0')
			if size == 4 && (strings.HasSuffix(name, "-prefix") || strings.HasSuffix(name, "-addr")) {
				addr := r.bytes(4)
				f.Etype = 0x800
				if strings.HasPrefix(name, "src") {
					f.SrcAddr = addr
				} else {
					f.DstAddr = addr
				}
				continue
			}
			v := uint32(0)
			for _, c := range r.bytes(size) {
				v = v<<8 | uint32(c)
			}
			switch name {
			case "dpkts":
				f.Packets = uint64(v)
			case "doctets":
				f.Bytes = uint64(v)
			case "first":
				first = v
			case "last":
				last = v
			case "src-as":
				f.SrcAs = v
			case "dst-as":
				f.DstAs = v
			case "src-mask":
				f.SrcNet = v
			case "dst-mask":
				f.DstNet = v
			case "src-port":
				f.SrcPort = v
			case "dst-port":
				f.DstPort = v
			case "input":
				f.InIf = v
			case "output":
				f.OutIf = v
			case "proto":
				f.Proto = v
			case "tos":
				f.IpTos = v
			}
		}
		if r.short {
			break
		}
		slowTimes(f, now, uptime, first, last)
		if f.Proto == 1 || f.Proto == 58 {
			f.IcmpType, f.IcmpCode = f.DstPort>>8, f.DstPort&0xff
		}
		flows = append(flows, f)
	}
	return flows
}

// TestAggregations decodes records of all schemes of v8, by all paths.
func TestAggregations(t *testing.T) {
	for scheme := 1; scheme < len(schemes()); scheme++ {
		o := decodeAll(t, 0, v8datagram(scheme, 20)).wants(20, "none", true)
		f := o.flows[7]
		equal(t, "type", f.Type, flowpb.FlowMessage_NETFLOW_V8)
		equal(t, "start", f.TimeFlowStartNs, unixSecs*1e9+500_000_000-2000*1e6)
		if f.Packets == 0 || f.Bytes == 0 {
			t.Errorf("scheme %d: %v", scheme, f)
		}
		decodeAll(t, 0, v8datagram(scheme, 3)[:28+2*40-1]).fault("count_mismatch", 1)
	}
	unknown := v8datagram(1, 1)
	unknown[22] = 15
	decodeAll(t, 0, unknown).wants(0, "unknown_aggregation", false)
	decodeAll(t, 0, v8datagram(1, 1)[:27]).wants(0, "short_header", false)
}
