package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/netsampler/goflow2/v2/format"
	_ "github.com/netsampler/goflow2/v2/format/binary"
	_ "github.com/netsampler/goflow2/v2/format/json"
	"github.com/netsampler/goflow2/v2/metrics"
	"github.com/netsampler/goflow2/v2/producer"
	protoproducer "github.com/netsampler/goflow2/v2/producer/proto"
	"github.com/netsampler/goflow2/v2/utils"
	"github.com/netsampler/goflow2/v2/utils/debug"
	"github.com/netsampler/goflow2/v2/utils/templates"
)

// goflow2Sink counts what goflow2 would send.
type goflow2Sink struct{ records, bytes int }

func (s *goflow2Sink) Send(_, data []byte) error {
	s.records++
	s.bytes += len(data)
	return nil
}

// goflow2 is goflow2 v2.2.6 as a library.
type goflow2 struct {
	label   string
	decode  utils.DecoderFunc
	sink    *goflow2Sink
	message utils.Message
}

// newGoflow2 wires goflow2 for one workload: alone, or wrapped as its main does.
func newGoflow2(workload, formatName string, wrapped bool) (*goflow2, error) {
	formatter, err := format.FindFormat(formatName)
	if err != nil {
		return nil, fmt.Errorf("find format: %w", err)
	}
	cfg, err := (&protoproducer.ProducerConfig{}).Compile()
	if err != nil {
		return nil, fmt.Errorf("compile mapping: %w", err)
	}
	var p producer.ProducerInterface
	if p, err = protoproducer.CreateProtoProducer(cfg, protoproducer.CreateSamplingSystem); err != nil {
		return nil, fmt.Errorf("create producer: %w", err)
	}
	sink := &goflow2Sink{}
	templater := templates.DefaultTemplateGenerator
	label := "goflow2"
	if wrapped {
		label = "goflow2-main"
		p = debug.WrapPanicProducer(p)
		p = metrics.WrapPromProducer(p)
		templater = metrics.NewDefaultPromTemplateSystem
	}
	pipe := &utils.PipeConfig{Format: formatter, Transport: sink, Producer: p, NetFlowTemplater: templater}
	var flow utils.FlowPipe
	name := "NetFlow"
	switch workload {
	case "sflow":
		flow, name = utils.NewSFlowPipe(pipe), "sFlow"
	case "mix", "corpus":
		flow, name = utils.NewFlowPipe(pipe), "flow"
	default:
		flow = utils.NewNetFlowPipe(pipe)
	}
	decode := flow.DecodeFlow
	if wrapped {
		decode = metrics.PromDecoderWrapper(debug.PanicDecoderWrapper(flow.DecodeFlow), name)
	}
	return &goflow2{label: label, decode: decode, sink: sink}, nil
}

func (g *goflow2) name() string { return g.label }

func (g *goflow2) run(d *input) (records, bytes int) {
	before, size := g.sink.records, g.sink.bytes
	g.message = utils.Message{Src: d.source, Dst: netip.MustParseAddrPort("127.0.0.1:2055"), Payload: d.payload, Received: time.Unix(0, receivedNs)}
	// What it cannot decode it does not count: the caller compares records.
	_ = g.decode(&g.message)
	return g.sink.records - before, g.sink.bytes - size
}
