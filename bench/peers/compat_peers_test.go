package main

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	gfproducer "github.com/netsampler/goflow2/v2/producer"
	protoproducer "github.com/netsampler/goflow2/v2/producer/proto"

	"github.com/netsampler/goflow2/v2/metrics"
	"github.com/netsampler/goflow2/v2/utils"
	"github.com/netsampler/goflow2/v2/utils/debug"
	yaml "gopkg.in/yaml.v3"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/producer"
)

// output is one message in all formats.
type output struct {
	bin, json, text []byte
	key             []byte // nil for none
}

// everyFormat is goflow2's formatting of a message, in all formats at once.
type everyFormat struct{ all []output }

func (f *everyFormat) Prepare() error { return nil }
func (f *everyFormat) Init() error    { return nil }

// Format does what goflow2's three drivers do. What one of them refuses is nil.
func (f *everyFormat) Format(data any) ([]byte, []byte, error) {
	var o output
	if k, ok := data.(interface{ Key() []byte }); ok {
		o.key = k.Key()
	}
	o.json, _ = json.Marshal(data)
	if m, ok := data.(encoding.TextMarshaler); ok {
		o.text, _ = m.MarshalText()
	}
	if m, ok := data.(encoding.BinaryMarshaler); ok {
		o.bin, _ = m.MarshalBinary()
	}
	f.all = append(f.all, o)
	return nil, nil, nil
}

// theirs is goflow2, wired as its main does.
type theirs struct {
	format *everyFormat
	decode utils.DecoderFunc
}

// newTheirs reads the mapping file, if there is one, as goflow2's main does.
func newTheirs(t *testing.T, file string) *theirs {
	t.Helper()
	var cfg *protoproducer.ProducerConfig
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg = &protoproducer.ProducerConfig{}
		if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(cfg); err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := cfg.Compile()
	if err != nil {
		t.Fatalf("goflow2 refuses %s: %v", file, err)
	}
	var p gfproducer.ProducerInterface
	if p, err = protoproducer.CreateProtoProducer(compiled, protoproducer.CreateSamplingSystem); err != nil {
		t.Fatal(err)
	}
	p = metrics.WrapPromProducer(debug.WrapPanicProducer(p))
	g := &theirs{format: &everyFormat{}}
	pipe := utils.NewFlowPipe(&utils.PipeConfig{Format: g.format, Producer: p, NetFlowTemplater: metrics.NewDefaultPromTemplateSystem})
	g.decode = metrics.PromDecoderWrapper(debug.PanicDecoderWrapper(pipe.DecodeFlow), "flow")
	return g
}

// run decodes a datagram. goflow2 keeps views into the payload, and may write to
// it, so it gets a copy.
func (g *theirs) run(a *arrival) ([]output, error) {
	g.format.all = nil
	err := g.decode(&utils.Message{
		Src: a.source, Dst: netip.MustParseAddrPort("192.0.2.1:2055"),
		Payload: bytes.Clone(a.payload), Received: time.Unix(0, a.receivedNs).UTC(),
	})
	return g.format.all, err
}

// ours is weir with one producer for each format.
type ours struct {
	bin, json, text *producer.Producer
	batches         [3]*producer.Batch
}

func newOurs(t *testing.T, file string, compat bool) *ours {
	t.Helper()
	p, _, err := mapping.Load(file, producer.Settings{Compat: compat})
	if err != nil {
		t.Fatalf("weir refuses %s: %v", file, err)
	}
	o := &ours{}
	for i, to := range []**producer.Producer{&o.bin, &o.json, &o.text} {
		format := []producer.Format{producer.FormatBin, producer.FormatJSON, producer.FormatText}[i]
		*to = producer.New(producer.Config{Format: format, Programs: producer.NewPrograms(p)}, producer.NewStore(template.DefaultLimits()))
		o.batches[i] = producer.NewBatch(0, 1<<20)
	}
	return o
}

func (o *ours) run(a *arrival) []output {
	meta := producer.Meta{Source: a.source, ReceivedNs: a.receivedNs, Truncated: a.cut}
	for i, p := range []*producer.Producer{o.bin, o.json, o.text} {
		o.batches[i].Reset()
		p.Datagram(o.batches[i], meta, a.payload)
	}
	var all []output
	for i := range o.batches[0].Records() {
		m := output{bin: o.batches[0].Message(i), json: o.batches[1].Message(i), text: o.batches[2].Message(i)}
		if len(o.batches[0].Keys) > 0 {
			k := o.batches[0].Keys[i]
			m.key = []byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}
			for _, b := range o.batches[1:] {
				if b.Keys[i] != k {
					panic(fmt.Sprintf("keys differ by format: %08x and %08x", k, b.Keys[i]))
				}
			}
		}
		all = append(all, m)
	}
	return all
}

// arrival is one datagram.
type arrival struct {
	source     netip.AddrPort
	receivedNs int64
	payload    []byte
	cut        bool
}

// corpusDir is the folder of captures; the test is skipped without it.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of captures: %v (set WEIR_CORPUS to its folder)", err)
	}
	return dir
}

// sequences are the captures, by name, and the synthetic loads. Exporters differ
// from capture to capture in their addresses only by chance: each sequence has
// peers of its own.
func sequences(t *testing.T) map[string][]arrival {
	t.Helper()
	all := map[string][]arrival{}
	names, err := filepath.Glob(filepath.Join(corpusDir(t), "pcap", "*.pcap"))
	own, _ := filepath.Glob(filepath.Join("..", "..", "internal", "corpus", "testdata", "*.pcap"))
	if err != nil || len(names) == 0 || len(own) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for _, name := range append(names, own...) {
		list, _, err := capture.Load(name)
		if err != nil && len(list) == 0 {
			t.Fatal(err)
		}
		var seq []arrival
		for _, d := range list[:min(len(list), most)] {
			seq = append(seq, arrival{d.Src, d.TimeNs, d.Payload, d.Cut})
		}
		all[filepath.Base(name)] = seq
	}
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 8, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		var seq []arrival
		for _, d := range g.Take(16) {
			seq = append(seq, arrival{netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), receivedNs, d.Payload, false})
		}
		all["synthetic "+name] = seq
	}
	return all
}

// most is how many datagrams of a capture are compared: the bulk ones repeat
// themselves.
const most = 25
