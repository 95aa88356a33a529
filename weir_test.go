package weir_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir"
	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
)

func mustNew(t testing.TB, o weir.Options) *weir.Decoder {
	t.Helper()
	d, err := weir.NewDecoder(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// captured returns the datagrams of the captures of real exporters.
func captured(t testing.TB) map[string][]capture.Datagram {
	t.Helper()
	files, err := filepath.Glob("internal/corpus/testdata/*.pcap")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d captures: %v", len(files), err)
	}
	all := map[string][]capture.Datagram{}
	for _, f := range files {
		if all[f], _, err = capture.Load(f); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestCaptures: the flows are those of package producer, which the corpus is compared with.
func TestCaptures(t *testing.T) {
	for name, datagrams := range captured(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			d := mustNew(t, weir.Options{})
			p := producer.New(producer.Config{Format: producer.FormatBin, IgnoreWithdrawals: true}, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 4096)
			total := 0
			for i := range datagrams {
				dg := &datagrams[i]
				batch.Reset()
				res := p.Datagram(batch, producer.Meta{Source: dg.Src, ReceivedNs: dg.TimeNs}, dg.Payload)
				flows, err := d.Decode(dg.Src, time.Unix(0, dg.TimeNs), dg.Payload)
				var fault *weir.Error
				if errors.As(err, &fault) != (res.Reason != producer.ReasonNone) || fault != nil && (fault.Reason != res.Reason || fault.Decoded != res.Decoded) {
					t.Fatalf("datagram %d: error %v, result %+v", i, err, res)
				}
				if len(flows) != res.Records {
					t.Fatalf("datagram %d: %d flows, want %d", i, len(flows), res.Records)
				}
				rest := batch.Buf
				for k, f := range flows {
					message, n := protowire.ConsumeBytes(rest)
					want := &weir.Flow{}
					if err := proto.Unmarshal(message, want); err != nil || !proto.Equal(want, f) {
						t.Fatalf("datagram %d, flow %d: %v, want %v (%v)", i, k, f, want, err)
					}
					rest = rest[n:]
				}
				appended, n, _ := mustNew(t, weir.Options{}).Append([]byte("x"), dg.Src, time.Unix(0, dg.TimeNs), dg.Payload)
				if n == len(flows) && n > 0 && !bytes.Equal(appended[1:], batch.Buf) {
					t.Fatalf("datagram %d: Append gives other bytes", i)
				}
				total += len(flows)
			}
			got, want := d.Counters(), p.Counters
			if got.Records != want.Records || got.Decoded != want.Decoded || got.Failed != want.Failed || total == 0 {
				t.Errorf("%d flows; counters %+v, want %+v", total, got, want)
			}
		})
	}
}

// TestWalkCaptures: Walk visits as many data records as Decode makes flows of, where no
// record has two directions, and knows the templates as Decode does.
func TestWalkCaptures(t *testing.T) {
	kinds := map[weir.RecordKind]int{}
	for name, datagrams := range captured(t) {
		decoder, walker := mustNew(t, weir.Options{}), mustNew(t, weir.Options{})
		flows, records, named, fields := 0, 0, 0, 0
		for i := range datagrams {
			dg := &datagrams[i]
			list, _ := decoder.Decode(dg.Src, time.Unix(0, dg.TimeNs), dg.Payload)
			for _, f := range list {
				if f.FlowReverse == 0 {
					flows++
				}
			}
			walker.Walk(dg.Src, time.Unix(0, dg.TimeNs), dg.Payload, func(r *weir.Record) bool {
				kinds[r.Kind]++
				switch {
				case r.Kind == weir.DataRecord:
					records++
				case r.Kind == weir.SampleRecord && r.Sample.Kind == sflow.Flow && r.Enterprise == 0 && r.Format == 1:
					records++
				}
				for k := range r.Fields {
					if fields++; r.Fields[k].Name() != "" {
						named++
					}
				}
				return true
			})
		}
		if records != flows || named != fields {
			t.Errorf("%s: %d records, %d flows; %d of %d fields have names", name, records, flows, named, fields)
		}
	}
	if kinds[weir.DataRecord] == 0 || kinds[weir.OptionsRecord] == 0 || kinds[weir.SampleRecord] == 0 {
		t.Errorf("records by kind: %v", kinds)
	}
}

// TestWalkEnds: visit ends the walk, and its datagram is no fault.
func TestWalkEnds(t *testing.T) {
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 1, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		d := mustNew(t, weir.Options{})
		for _, dg := range g.Take(8) {
			visited := 0
			err := d.Walk(source, time.Now(), dg.Payload, func(*weir.Record) bool { visited++; return false })
			if visited > 1 || err != nil {
				t.Errorf("%s: %d records visited, error %v", name, visited, err)
			}
		}
	}
}

// TestConcurrent: many goroutines decode what many exporters send, each its own share.
func TestConcurrent(t *testing.T) {
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 32, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	byExporter := make([][]workload.Datagram, 32)
	want := 0
	for _, dg := range g.Take(3000) {
		byExporter[dg.Exporter] = append(byExporter[dg.Exporter], dg)
		want += len(dg.Flows)
	}
	seen := &observer{}
	d := mustNew(t, weir.Options{Observer: seen})
	var wg sync.WaitGroup
	for i, list := range byExporter {
		wg.Go(func() {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 2055)
			for _, dg := range list {
				flows, err := d.Decode(from, time.Unix(0, dg.TimeNs), dg.Payload)
				if err != nil || len(flows) != len(dg.Flows) {
					t.Errorf("exporter %d: %d flows, want %d: %v", i, len(flows), len(dg.Flows), err)
					return
				}
			}
		})
	}
	wg.Wait()
	c := d.Counters()
	if n := producer.Sum(c.Records[:]); n != uint64(want) || seen.flows != want || seen.datagrams != 3000 {
		t.Errorf("%d records counted, %d flows of %d datagrams observed, want %d of 3000", n, seen.flows, seen.datagrams, want)
	}
}

type observer struct {
	mu               sync.Mutex
	datagrams, flows int
	faults           []string
}

func (o *observer) Decoded(_ netip.AddrPort, p producer.Protocol, flows int, err *weir.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.datagrams++
	o.flows += flows
	if err != nil {
		o.faults = append(o.faults, p.String()+" "+err.Reason.String())
	}
}

func TestErrors(t *testing.T) {
	v5 := append([]byte{0, 5, 0, 2}, make([]byte, 20+48)...) // two records are announced, one is there
	for _, c := range []struct {
		name    string
		payload []byte
		fault   error
		text    string
		flows   int
	}{
		{"nothing", nil, weir.ErrUnknownVersion, "decode unknown datagram of 192.0.2.1:4739: unknown_version", 0},
		{"garbage", []byte("GET / HTTP/1.0"), weir.ErrUnknownVersion, "decode unknown datagram of 192.0.2.1:4739: unknown_version", 0},
		{"short", datagram[:10], weir.ErrShortHeader, "decode ipfix datagram of 192.0.2.1:4739: short_header", 0},
		{"template", append(append([]byte{0, 10, 0, 36}, datagram[4:16]...), datagram[40:]...), weir.ErrTemplateMissing, "decode ipfix datagram of 192.0.2.1:4739: template_missing", 0},
		{"count", v5, weir.Fault(producer.ReasonCountMismatch), "decode netflow_v5 datagram of 192.0.2.1:4739: count_mismatch: the rest is decoded", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := &observer{}
			flows, err := mustNew(t, weir.Options{Observer: seen}).Decode(source, time.Now(), c.payload)
			if !errors.Is(err, c.fault) || err.Error() != c.text || len(flows) != c.flows || len(seen.faults) != 1 {
				t.Errorf("%d flows, error %v, want %d and %s; observed %q", len(flows), err, c.flows, c.text, seen.faults)
			}
			walked := mustNew(t, weir.Options{}).Walk(source, time.Now(), c.payload, func(*weir.Record) bool { return true })
			if !errors.Is(walked, c.fault) {
				t.Errorf("Walk: %v", walked)
			}
		})
	}
}

// memory is a Storage.
type memory struct {
	saved []byte
	saves int
	err   error
}

func (m *memory) Load() ([]byte, error) { return m.saved, m.err }

func (m *memory) Save(b []byte) error {
	if m.err == nil {
		m.saved, m.saves = bytes.Clone(b), m.saves+1
	}
	return m.err
}

// TestStorage: a decoder knows the templates that the one before it saved.
func TestStorage(t *testing.T) {
	kept := &memory{}
	d := mustNew(t, weir.Options{Storage: kept})
	if _, err := d.Decode(source, time.Now(), datagram); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Save(), d.Save(), d.Close()); err != nil || kept.saves != 1 {
		t.Fatalf("saved %d times what changed once: %v", kept.saves, err)
	}
	data := append(append([]byte{0, 10, 0, 36}, datagram[4:16]...), datagram[40:]...)
	flows, err := mustNew(t, weir.Options{Storage: kept}).Decode(source, time.Now(), data)
	if err != nil || len(flows) != 1 || flows[0].Bytes != 1500 {
		t.Errorf("after a restart: %v, %v", flows, err)
	}

	for _, broken := range []*memory{{err: errors.New("disk away")}, {saved: []byte("{")}, {saved: kept.saved[:len(kept.saved)/2]}} {
		if _, err := weir.NewDecoder(weir.Options{Storage: broken}); err == nil || !strings.HasPrefix(err.Error(), "load templates: ") {
			t.Errorf("storage with %q: %v", broken.saved, err)
		}
	}
	kept.err = nil
	d = mustNew(t, weir.Options{Storage: &memory{}})
	d.Decode(source, time.Now(), datagram)
	failing := &memory{}
	d = mustNew(t, weir.Options{Storage: failing})
	d.Decode(source, time.Now(), datagram)
	failing.err = errors.New("disk full")
	if err := d.Save(); err == nil || err.Error() != "save templates: disk full" {
		t.Errorf("save: %v", err)
	}
	failing.err = nil
	if err := d.Save(); err != nil || failing.saves != 1 {
		t.Errorf("saved %d times, %v", failing.saves, err)
	}
}

// TestPending: data that comes before its template waits for it, if it may.
func TestPending(t *testing.T) {
	d := mustNew(t, weir.Options{Pending: producer.HeldLimits{Bytes: 1 << 20, Sets: 100, AgeNs: int64(time.Minute)}})
	data := append(append([]byte{0, 10, 0, 36}, datagram[4:16]...), datagram[40:]...)
	now := time.Now()
	flows, err := d.Decode(source, now, data)
	var fault *weir.Error
	if !errors.As(err, &fault) || !fault.Waits || !errors.Is(err, weir.ErrTemplateMissing) || len(flows) != 0 {
		t.Fatalf("%v, %v", flows, err)
	}
	if flows, err = d.Decode(source, now.Add(time.Second), datagram); err != nil || len(flows) != 2 {
		t.Fatalf("with the template: %d flows, %v", len(flows), err)
	}
	for _, f := range flows {
		if f.Bytes != 1500 {
			t.Errorf("flow %v", f)
		}
	}
	if flows[0].TimeReceivedNs == flows[1].TimeReceivedNs {
		t.Error("a flow that waited has the receive time of another datagram")
	}
	// One that waits for too long is given up, and counted.
	data[19] = 9 // domain... of the header's last byte
	d.Decode(source, now.Add(2*time.Second), data)
	d.Decode(source, now.Add(time.Hour), datagram)
	if c := d.Counters(); c.Held.Datagrams != 0 {
		t.Errorf("still waiting: %+v", c.Held)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestConversion: a flow with a value in every field comes back from package producer.
func TestConversion(t *testing.T) {
	full := &weir.Flow{}
	fields := full.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fill(full.ProtoReflect(), fields.Get(i), i)
	}
	f, err := weir.ToProducer(full)
	if err != nil {
		t.Fatal(err)
	}
	back, err := weir.FromProducer(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fields.Len() {
		fd := fields.Get(i)
		if a, b := full.ProtoReflect().Get(fd), back.ProtoReflect().Get(fd); !a.Equal(b) {
			t.Errorf("%s: %v, want %v", fd.Name(), b, a)
		}
	}
	text := producer.AppendJSON(nil, f)
	if !bytes.Contains(text, []byte(`"bytes":`)) {
		t.Errorf("JSON: %s", text)
	}
}

// fill gives a field a value that it can have.
func fill(m protoreflect.Message, fd protoreflect.FieldDescriptor, i int) {
	value := func() protoreflect.Value {
		switch fd.Kind() {
		case protoreflect.EnumKind:
			return protoreflect.ValueOfEnum(1)
		case protoreflect.BoolKind:
			return protoreflect.ValueOfBool(true)
		case protoreflect.Uint32Kind:
			return protoreflect.ValueOfUint32(uint32(1 + i%7))
		case protoreflect.Uint64Kind:
			return protoreflect.ValueOfUint64(uint64(1 + i%7))
		case protoreflect.StringKind:
			return protoreflect.ValueOfString(fmt.Sprint("text ", i))
		default:
			return protoreflect.ValueOfBytes(bytes.Repeat([]byte{byte(i)}, 16))
		}
	}
	if fd.IsList() {
		m.Mutable(fd).List().Append(value())
		return
	}
	m.Set(fd, value())
}

func TestNotes(t *testing.T) {
	d := mustNew(t, weir.Options{Mapping: strings.NewReader("formatter:\n  protobuf:\n    - {name: flow_direction, index: 500, type: varint}\nipfix:\n  mapping:\n    - {field: 61, destination: flow_direction}\n")})
	if len(d.Notes()) == 0 {
		t.Error("nothing is said of a field that the mapping replaces")
	}
	if _, err := weir.NewDecoder(weir.Options{Mapping: failingReader{}}); err == nil || !strings.HasPrefix(err.Error(), "read mapping: ") {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no") }

// FuzzLibrary: Decode and Walk take any bytes, and agree on what can be read.
func FuzzLibrary(f *testing.F) {
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 1, Seed: 3})
		if err != nil {
			f.Fatal(err)
		}
		for _, dg := range g.Take(2) {
			f.Add(dg.Payload, 0, byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, at int, with byte) {
		d := mustNew(t, weir.Options{})
		if len(payload) > 0 {
			payload[uint(at)%uint(len(payload))] ^= with
		}
		now := time.Unix(1_800_000_000, 0)
		flows, derr := d.Decode(source, now, payload)
		visited := 0
		werr := d.Walk(source, now, payload, func(r *weir.Record) bool {
			visited++
			for i := range r.Fields {
				r.Fields[i].Name()
				r.Fields[i].Uint()
				r.Fields[i].Addr()
			}
			return true
		})
		if visited > 4*len(payload) {
			t.Fatalf("%d records in %d bytes", visited, len(payload))
		}
		if len(flows) > 0 && visited == 0 && producer.Detect(payload) != producer.ProtocolSFlow {
			t.Fatalf("%d flows (%v), no record (%v)", len(flows), derr, werr)
		}
	})
}
