package producer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestReleasedAfterSamples: records that waited for their template and are released
// after an sFlow datagram have the values of their own datagram, in each format and
// with the key of a flow.
func TestReleasedAfterSamples(t *testing.T) {
	mapping := &producer.Mapping{
		Fields: []string{"type", "sampler_address", "sequence_num", "time_received_ns", "time_flow_start_ns", "src_addr", "bytes"},
		Key:    []string{"sampler_address", "sequence_num"},
	}
	short := &producer.Mapping{Fields: []string{"time_flow_start_ns", "src_addr", "bytes"}}
	for name, cfg := range map[string]producer.Config{
		"text":              {Format: producer.FormatText},
		"text with mapping": {Format: producer.FormatText, Programs: program(t, mapping, producer.Settings{})},
		"json with mapping": {Format: producer.FormatJSON, Programs: program(t, mapping, producer.Settings{})},
		"json, few fields":  {Format: producer.FormatJSON, Programs: program(t, short, producer.Settings{})},
		"text, few fields":  {Format: producer.FormatText, Programs: program(t, short, producer.Settings{})},
		"bin with key":      {Format: producer.FormatBin, Programs: program(t, mapping, producer.Settings{})},
	} {
		t.Run(name, func(t *testing.T) {
			// A field of variable length: no fused plan writes it.
			fields := append([]uint16{82, variable}, flowFields...)
			record := func(i int) []byte { return append(u8(nil, 1, 'x'), flowRecord(i)...) }
			announce := ipfix(set(2, tpl(256, fields...)))
			var want, got struct {
				text []string
				keys []uint32
			}
			const sets = 120
			data := func(i int) (producer.Meta, []byte) {
				d := ipfix(set(256, record(i)))
				u32(d[:8], uint32(i)) // the sequence number
				return producer.Meta{Source: v4source, ReceivedNs: receivedNs + int64(i)}, d
			}
			collect := func(b *producer.Batch, to *[]string, keys *[]uint32) {
				for i := range b.Records() {
					*to = append(*to, string(b.Message(i)))
				}
				*keys = append(*keys, b.Keys...)
				b.Reset()
			}
			meta, _ := data(0)
			batch := producer.NewBatch(0, 1<<20)
			for i := range sets {
				p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
				p.Datagram(batch, meta, announce)
				m, d := data(i)
				p.Datagram(batch, m, d)
				collect(batch, &want.text, &want.keys)
			}
			cfg.Held = producer.NewHeld(roomy)
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			for i := range sets {
				m, d := data(i)
				p.Datagram(batch, m, d)
			}
			p.Datagram(batch, meta, announce)
			equal(t, "records before the release", batch.Records(), 0)
			for more := true; more; {
				p.Datagram(batch, producer.Meta{Source: v4source, ReceivedNs: 42}, sflowDatagram(flowSample(rawHeader(tcpFrame))))
				batch.Reset()
				more = p.Release(batch, 64, nil) // a few sets
				collect(batch, &got.text, &got.keys)
			}
			wrong := 0
			for i := range want.text {
				if i >= len(got.text) || got.text[i] != want.text[i] || cfg.Programs != nil && len(want.keys) > 0 && got.keys[i] != want.keys[i] {
					wrong++
				}
			}
			if wrong > 0 || len(got.text) != sets {
				t.Errorf("%d of %d records wrong: got %s want %s", wrong, sets, got.text[0], want.text[0])
			}
			if cfg.Format == producer.FormatJSON {
				for _, m := range got.text {
					if !json.Valid([]byte(m)) {
						t.Fatalf("no JSON: %s", m)
					}
				}
			}
		})
	}
}

// TestReleasedPlansAfterSamples: a set that is written from a plan, and one that is
// not, are released together after an sFlow datagram. The second must not look for
// columns that the samples shared where the first left its own.
func TestReleasedPlansAfterSamples(t *testing.T) {
	mapping := &producer.Mapping{Fields: []string{"time_flow_start_ns", "src_addr", "bytes"}}
	cfg := producer.Config{Format: producer.FormatJSON, Programs: program(t, mapping, producer.Settings{}), Held: producer.NewHeld(roomy)}
	p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<10)
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	plain := []uint16{8, 4, 1, 4}
	record := u32(nil, 0x0a000001, 1500)
	for _, d := range [][]byte{
		ipfix(set(256, record), set(257, u8(nil, 1, 'x'), record)),
		ipfix(set(2, tpl(256, plain...), tpl(257, append([]uint16{82, variable}, plain...)...))),
		sflowDatagram(flowSample(rawHeader(tcpFrame))),
	} {
		p.Datagram(batch, meta, d)
	}
	batch.Reset()
	p.Release(batch, 1<<10, nil)
	equal(t, "records", batch.Records(), 2)
	equal(t, "second", string(batch.Message(1)), string(batch.Message(0)))
}

// TestPeekLeavesNothing: what Peek says about a datagram is that datagram's alone.
func TestPeekLeavesNothing(t *testing.T) {
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<10)
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	p.Datagram(batch, meta, sflowDatagram(flowSample(rawHeader(tcpFrame))))
	p.Datagram(batch, meta, v5datagram(3))
	got := fmt.Sprintf("%+v", *p.Peek(meta, ipfix(set(2, tpl(256, flowFields...)))))
	alone := producer.New(producer.Config{}, producer.NewStore(template.DefaultLimits()))
	want := fmt.Sprintf("%+v", *alone.Peek(meta, ipfix(set(2, tpl(256, flowFields...)))))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if tally := *p.Tally(); !bytes.Equal(tally.Agent, nil) || tally.Samples != (producer.Tally{}).Samples {
		t.Errorf("tally of the datagram before: %+v", tally)
	}
}

// TestRawPorts: with templates by source port, those of one port do not describe
// the data of another in raw messages either.
func TestRawPorts(t *testing.T) {
	for name, message := range map[string]func(...[]byte) []byte{"ipfix": ipfix, "netflow v9": v9} {
		store := producer.NewStore(template.DefaultLimits())
		store.UsePorts(template.PortsOn)
		p := producer.New(producer.Config{Raw: true}, store)
		batch := producer.NewBatch(0, 1<<10)
		id := map[string]uint16{"ipfix": 2, "netflow v9": 0}[name]
		other := netip.AddrPortFrom(v4source.Addr(), v4source.Port()+1)
		p.Datagram(batch, producer.Meta{Source: v4source}, message(set(id, tpl(256, 8, 4))))
		p.Datagram(batch, producer.Meta{Source: other}, message(set(id, tpl(256, 12, 4))))
		batch.Reset()
		p.Datagram(batch, producer.Meta{Source: v4source}, message(set(256, u32(nil, 1))))
		if got := batch.Message(0); !bytes.Contains(got, []byte(`"type":8,`)) {
			t.Errorf("%s: the template of another port was used: %s", name, got)
		}
	}
}
