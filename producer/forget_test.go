package producer_test

import (
	"bytes"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// protocolFrame is tcpFrame of another protocol, and with other bytes after the IP
// header.
func protocolFrame(proto byte, payload ...byte) []byte {
	f := bytes.Clone(tcpFrame)
	f[23] = proto
	copy(f[34:], payload)
	return f
}

// plainFlowSample is flowSample between two interfaces, which the producer of samples
// writes without a Flow where it can.
func plainFlowSample(records ...[]byte) []byte {
	b := u32(nil, 1, 3, 400, 80000, 0, 3, 4, uint32(len(records)))
	return tagged(1, append(b, join(records...)...))
}

// TestSamplesForget: what a mapping takes from one sampled header is in no message of
// another, whatever their order.
func TestSamplesForget(t *testing.T) {
	frames := [][]byte{
		protocolFrame(6, 0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0, 0, 0, 0xab, 0xcd),
		protocolFrame(17, 0, 53, 0, 54, 0, 20, 0x12, 0x34),
		protocolFrame(1, 8, 0), protocolFrame(89, 1), vlanFrame, tcpFrame[:20],
	}
	list := usualMapping()
	list.Custom = append([]producer.Custom{}, list.Custom...)
	list.Custom[1].Array = true
	layers := &producer.Mapping{Custom: usualMapping().Custom, Layers: usualMapping().Layers}
	lists := &producer.Mapping{Custom: list.Custom, Layers: list.Layers}
	for name, mapping := range map[string]*producer.Mapping{
		"one value": usualMapping(), "list": list, "full": fullMapping(), "layers": layers, "layers, list": lists,
	} {
		for _, format := range []producer.Format{producer.FormatJSON, producer.FormatBin, producer.FormatText} {
			cfg := producer.Config{Format: format, Separator: []byte("\n"), Programs: program(t, mapping, producer.Settings{})}
			meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
			decode := func(sample func(...[]byte) []byte, frames ...[]byte) *producer.Batch {
				var samples [][]byte
				for _, f := range frames {
					samples = append(samples, sample(rawHeader(f)))
				}
				b := &producer.Batch{}
				producer.New(cfg, producer.NewStore(template.DefaultLimits())).Datagram(b, meta, sflowDatagram(samples...))
				return b
			}
			for kind, sample := range map[string]func(...[]byte) []byte{"fused": plainFlowSample, "walked": flowSample} {
				for i := range frames {
					for j := range frames {
						both, alone := decode(sample, frames[i], frames[j]), decode(sample, frames[j])
						if both.Records() != 2 || alone.Records() != 1 || !bytes.Equal(both.Message(1), alone.Message(0)) {
							t.Fatalf("%s, format %v, %s: frame %d after %d:\n got %q\nalone %q", name, format, kind, j, i, both.Message(1), alone.Message(0))
						}
					}
				}
			}
		}
	}
}

// TestRefreshForgets: data whose template was known under one mapping is written by
// the next one as by a producer that knows no other.
func TestRefreshForgets(t *testing.T) {
	fields := u16(nil, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4)
	templates := ipfix(set(2, u16(nil, 256, 7), fields))
	data := ipfix(set(256, bytes.Repeat([]byte{10, 1, 2, 3, 10, 4, 5, 6, 0, 80, 1, 187, 6, 0, 0, 5, 0, 0, 0, 0, 7}, 3)))
	columns := &producer.Mapping{Fields: []string{"time_flow_start_ns", "src_addr", "bytes"}}
	mappings := []*producer.Mapping{nil, columns, fullMapping(), usualMapping(), {Key: []string{"src_addr"}}}
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	for _, format := range []producer.Format{producer.FormatJSON, producer.FormatBin, producer.FormatText} {
		for i, before := range mappings {
			for j, after := range mappings {
				compile := func(m *producer.Mapping) *producer.Program {
					p, err := producer.NewProgram(m, producer.Settings{})
					if err != nil {
						t.Fatal(err)
					}
					return p
				}
				next := compile(after)
				cfg := producer.Config{Format: format, Programs: producer.NewPrograms(compile(before))}
				store := producer.NewStore(template.DefaultLimits())
				p, got, want := producer.New(cfg, store), &producer.Batch{}, &producer.Batch{}
				p.Datagram(got, meta, templates)
				p.Datagram(got, meta, data) // from here on it is remembered
				p.Datagram(got, meta, data)
				cfg.Programs.Set(next)
				got.Reset()
				p.Refresh()
				p.Datagram(got, meta, data)
				cfg.Programs = producer.NewPrograms(next)
				producer.New(cfg, store).Datagram(want, meta, data)
				if got.Records() != 3 || !bytes.Equal(got.Buf, want.Buf) || len(got.Keys) != len(want.Keys) || len(got.Keys) > 0 && got.Keys[0] != want.Keys[0] {
					t.Errorf("format %v, mapping %d after %d:\n got %q\nwant %q", format, j, i, got.Buf, want.Buf)
				}
			}
		}
	}
}

// TestReleaseKeepsReason: a datagram whose sets wait counts by the first thing that was
// wrong with it, whatever else is found when they are released or expire. The number of
// releases is bounded, so that one that never ends fails.
func TestReleaseKeepsReason(t *testing.T) {
	templates := ipfix(set(2, u16(nil, 256, 1, 8, 4), u16(nil, 257, 1, 12, 4)))
	reserved := set(9, u32(nil, 1)) // before what waits
	short := set(257, u8(nil, 1, 2, 3))
	for name, test := range map[string]struct {
		data   []byte
		failed bool
		reason producer.Reason
	}{
		"first of all":  {ipfix(reserved, set(256, u32(nil, 1))), false, faultOf(template.FaultReservedSet)},
		"none":          {ipfix(set(256, u32(nil, 1))), false, producer.ReasonNone},
		"when released": {ipfix(short), true, producer.ReasonSetEmpty},
		"both":          {ipfix(reserved, short), true, faultOf(template.FaultReservedSet)},
		"two sets":      {ipfix(reserved, short, short, short), true, faultOf(template.FaultReservedSet)},
		"the second":    {ipfix(short, set(256, u32(nil, 1))), false, producer.ReasonNone}, // the first template is released first
	} {
		for _, expire := range []bool{false, true} {
			cfg := producer.Config{Format: producer.FormatBin, Held: producer.NewHeld(roomy)}
			p, batch := producer.New(cfg, producer.NewStore(template.DefaultLimits())), &producer.Batch{}
			meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
			p.Datagram(batch, meta, test.data)
			want := test
			if expire {
				p.Abandon(nil)
				want.failed = true
				if want.reason != faultOf(template.FaultReservedSet) {
					want.reason = producer.ReasonTemplateMissing
				}
			} else {
				p.Datagram(batch, meta, templates)
				releases := 0
				for p.Release(batch, 1<<20, nil) {
					if releases++; releases > 100 {
						t.Fatalf("%s: no end of releases", name)
					}
				}
			}
			c := &p.Counters
			if err := sums(c); err != nil || c.Held.Sets != 0 {
				t.Errorf("%s, expired %v: %v, %+v", name, expire, err, c.Held)
			}
			count := c.Decoded
			if want.failed {
				count = c.Failed
			}
			least := uint64(1)
			if !want.failed && want.reason == producer.ReasonNone && !expire {
				least = 2 // the templates
			}
			if count[want.reason] != least {
				t.Errorf("%s, expired %v: decoded %v, failed %v, want reason %v, failed %v", name, expire, c.Decoded, c.Failed, want.reason, want.failed)
			}
		}
	}
}

// faultOf returns the reason of a fault.
func faultOf(f template.Fault) producer.Reason {
	for r := range producer.Reason(producer.NumReasons) {
		if r.String() == f.String() {
			return r
		}
	}
	panic("no reason of " + f.String())
}
