package producer_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestTimesOutOfRange: a time that nanoseconds in 64 bits cannot say is no time, in
// each unit that exporters have, at the edges, written in each way.
func TestTimesOutOfRange(t *testing.T) {
	const second, milli = math.MaxUint64 / 1_000_000_000, math.MaxUint64 / 1_000_000
	const exportNs = unixSecs * 1_000_000_000
	for i, tc := range []struct {
		id   uint16 // of the start; the end's follows, or is before it
		v    uint64
		want uint64
		lost bool
	}{
		{150, second, second * 1_000_000_000, false},
		{150, second + 1, 0, true},
		{150, math.MaxUint64, 0, true},
		{150, 0, 0, false},
		{152, 1 << 43, (1 << 43) * 1_000_000, false},
		{152, milli, milli * 1_000_000, false},
		{152, milli + 1, 0, true},
		{152, 1<<63 + 1_700_000_000_000, 0, true},
		{152, 3_700_000_000_000 * 1_000_000, 0, true}, // wraps to a time of our age
		{154, 0, 0, false},
		{154, 1 << 32, 2_085_978_497_000_000_000, false}, // era 1
		{154, 1<<63 + 1, 0, true},                        // 1968
		{154, math.MaxUint64, 2_085_978_495_999_999_999, false},
		{158, exportNs / 1000, 0, true}, // 1970 on the dot is no time either
		{158, exportNs/1000 + 1, 0, true},
		{158, exportNs/1000 - 1, 1000, false},
		{158, math.MaxUint64, 0, true},
	} {
		for _, both := range []bool{true, false} {
			fields, rec := []uint16{tc.id, 8}, u64(nil, tc.v)
			if both {
				fields, rec = append(fields, tc.id+1, 8), u64(rec, tc.v)
			}
			for _, more := range [][]uint16{{1, 4}, {1, 4, 82, variable}} { // fused, and not
				fields, rec := append(fields[:len(fields):len(fields)], more...), u32(rec[:len(rec):len(rec)], 1500)
				if len(more) > 2 {
					rec = append(rec, 0)
				}
				o := decodeAll(t, 0, ipfix(set(2, tpl(256, fields...))), ipfix(set(256, rec, rec, rec)))
				want := tc.want
				if want == 0 {
					want = exportNs // as if it were not there
				}
				name := fmt.Sprintf("case %d, both %v, fields %v", i, both, more)
				equal(t, name+": start", o.flows[2].TimeFlowStartNs, want)
				if both {
					equal(t, name+": end", o.flows[2].TimeFlowEndNs, want)
				}
				lost := uint64(0)
				if tc.lost {
					lost = 1
				}
				o.fault("time_range", lost)
			}
		}
	}
}

// TestUptimeBefore1970: an exporter whose clock is not set has flows without a time,
// and no flows beyond all ages.
func TestUptimeBefore1970(t *testing.T) {
	early := v5datagram(3)
	u32(early[:8], 1, 0) // the clock
	o := decodeAll(t, 0, early).wants(3, "none", true).fault("time_range", 1)
	equal(t, "start", o.flows[0].TimeFlowStartNs, 0)
	equal(t, "end", o.flows[0].TimeFlowEndNs, 0)
	nine := v9(set(0, tpl(256, 22, 4, 21, 4, 1, 4)), set(256, u32(nil, 5, uptimeMs+500, 9)))
	u32(nine[:8], 1)
	o = decodeAll(t, 0, nine).wants(1, "none", true).fault("time_range", 1)
	equal(t, "start, which gives way", o.flows[0].TimeFlowStartNs, 1_500_000_000)
	equal(t, "end, ahead of the clock", o.flows[0].TimeFlowEndNs, 1_500_000_000)
}

// TestTimesCompat: goflow2's values wrap, and so do they with -compat goflow2.
func TestTimesCompat(t *testing.T) {
	cfg := producer.Config{Format: producer.FormatText, Programs: program(t, &producer.Mapping{Fields: []string{"time_flow_start_ns", "time_flow_end_ns"}}, producer.Settings{Compat: true})}
	p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<10)
	const v = uint64(math.MaxUint64)
	d := ipfix(set(2, tpl(256, 150, 8, 153, 8)), set(256, u64(nil, v, v)))
	p.Datagram(batch, producer.Meta{Source: v4source}, d)
	equal(t, "message", string(batch.Message(0)), fmt.Sprintf("time_flow_start_ns=%d time_flow_end_ns=%d", uint64(math.MaxUint64-1_000_000_000+1), uint64(math.MaxUint64-1_000_000+1)))
}
