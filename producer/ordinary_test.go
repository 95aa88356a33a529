package producer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// exceptionTemplates have fused plans of which some records are exceptions, each with
// the offsets and lengths of the numbers that make them.
var exceptionTemplates = []struct {
	name    string
	version uint16
	fields  []template.Field
	odd     func(rec []byte) bool
}{
	{"biflow", template.IPFIX, []template.Field{
		{ID: 8, Length: 4}, {ID: 12, Length: 4}, {ID: 1, Length: 8}, {ID: 2, Length: 4}, {ID: 48, Length: 1}, {ID: 152, Length: 8}, {ID: 153, Length: 8},
		{PEN: reversePEN, ID: 1, Length: 3}, {PEN: reversePEN, ID: 2, Length: 8}, {PEN: reversePEN, ID: 5, Length: 1}},
		func(rec []byte) bool { return !allZero(rec[37:48]) }},
	{"responder", template.V9, []template.Field{
		{ID: 8, Length: 4}, {ID: 12, Length: 4}, {ID: 231, Length: 4}, {ID: 232, Length: 4}, {ID: 34, Length: 1}, {ID: 22, Length: 4}, {ID: 21, Length: 4}},
		func(rec []byte) bool { return !allZero(rec[12:16]) }},
	{"time of the boot", template.IPFIX, []template.Field{
		{ID: 8, Length: 4}, {ID: 12, Length: 4}, {ID: 22, Length: 4}, {ID: 160, Length: 8}, {ID: 21, Length: 4}, {ID: 1, Length: 4}, {PEN: reversePEN, ID: 2, Length: 2}},
		func(rec []byte) bool { return allZero(rec[12:20]) || !allZero(rec[28:30]) }},
	{"wide protocol", template.V9, []template.Field{
		{ID: 8, Length: 4}, {ID: 12, Length: 4}, {ID: 4, Length: 2}, {ID: 11, Length: 2}, {ID: 1, Length: 4}, {ID: 48, Length: 1}},
		func(rec []byte) bool { return rec[8] == 0 && (rec[9] == protoICMP || rec[9] == protoICMPv6) }},
}

// TestExceptions compares sets of which some records are exceptions with the same sets
// by the generic path: messages, and all that is counted.
func TestExceptions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range exceptionTemplates {
		planned, total, odd := 0, 0, 0
		for range 600 {
			cfg := Config{Format: Format(r.IntN(3)), Separator: []byte("\n")}
			fused, generic := newExceptionProducer(c.version, cfg, c.fields), newExceptionProducer(c.version, cfg, c.fields)
			if pl := generic.plan(); pl.fused == nil || pl.fused.exceptions == nil {
				t.Fatalf("%s: the plan is not fused, or has no exceptions", c.name)
			} else {
				pl.fused = nil
			}
			var body []byte
			for range 1 + r.IntN(9) {
				rec := exceptionRecord(r, c.fields)
				body = append(body, rec...)
				total++
				if c.odd(rec) {
					odd++
				}
			}
			for _, p := range []*exceptionProducer{fused, generic} {
				p.send(256, body)
			}
			a, b := fused.batch, generic.batch
			if a.Records() != b.Records() {
				t.Fatalf("%s: %d messages, want %d\nbody %x", c.name, a.Records(), b.Records(), body)
			}
			for i := range a.Records() {
				got, want := a.Message(i), b.Message(i)
				same := bytes.Equal(got, want)
				if cfg.Format == FormatBin {
					_, n := binary.Uvarint(got)
					same = len(got) == len(want) && sameFields(got[n:len(got)-1], want[n:len(want)-1])
				}
				if !same {
					t.Fatalf("%s: message %d\n got %q\nwant %q\nbody %x", c.name, i, got, want, body)
				}
			}
			x, y := fused.p.Counters, generic.p.Counters
			planned += int(x.Encoded[PathPlan] + x.Encoded[PathPlanAssembly])
			x.Encoded, y.Encoded = [NumPaths]uint64{}, [NumPaths]uint64{}
			if x != y {
				t.Fatalf("%s: counters %+v\nwant %+v\nbody %x", c.name, x, y, body)
			}
		}
		if want := total - odd; fusedJSON && planned != want || odd < 200 || odd > total/2 {
			t.Fatalf("%s: %d records by a plan, want %d; %d of %d are exceptions", c.name, planned, want, odd, total)
		}
	}
}

// exceptionProducer is a producer that knows one template.
type exceptionProducer struct {
	p       *Producer
	batch   *Batch
	version uint16
}

func newExceptionProducer(version uint16, cfg Config, fields []template.Field) *exceptionProducer {
	e := &exceptionProducer{p: New(cfg, NewStore(template.DefaultLimits())), batch: NewBatch(0, DefaultBatchSize), version: version}
	def := []byte{1, 0, 0, byte(len(fields))}
	for _, f := range fields {
		if f.PEN != 0 {
			f.ID |= 1 << 15
		}
		def = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(def, f.ID), f.Length)
		if f.PEN != 0 {
			def = binary.BigEndian.AppendUint32(def, f.PEN)
		}
	}
	id := uint16(0)
	if version == template.IPFIX {
		id = 2
	}
	e.send(id, def)
	return e
}

// What the headers of the datagrams say.
const (
	exceptionSecs     = 1_700_000_000
	exceptionUptimeMs = 3_600_000
	exceptionDomain   = 7
)

var exceptionExporter = netip.MustParseAddrPort("192.0.2.1:2055")

// send has the producer decode a datagram of one set.
func (e *exceptionProducer) send(id uint16, body []byte) {
	set := binary.BigEndian.AppendUint16(nil, id)
	set = append(binary.BigEndian.AppendUint16(set, uint16(4+len(body))), body...)
	b := binary.BigEndian.AppendUint16(nil, e.version)
	if e.version == template.IPFIX {
		b = binary.BigEndian.AppendUint16(b, uint16(16+len(set)))
	} else {
		b = binary.BigEndian.AppendUint16(b, 1)
		b = binary.BigEndian.AppendUint32(b, exceptionUptimeMs)
	}
	for _, n := range []uint32{exceptionSecs, 1, exceptionDomain} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	e.p.Datagram(e.batch, Meta{Source: exceptionExporter, ReceivedNs: exceptionSecs * 1e9}, append(b, set...))
}

// plan returns the plan of the template.
func (e *exceptionProducer) plan() *plan {
	key := template.Key{Exporter: exceptionExporter.Addr().As16(), Domain: exceptionDomain, Port: exceptionExporter.Port(), Version: e.version}
	return e.p.store.Lookup(&key).Template(256).Compiled.data
}

// exceptionRecord returns a record whose numbers are zero often.
func exceptionRecord(r *rand.Rand, fields []template.Field) []byte {
	var rec []byte
	for _, f := range fields {
		v := make([]byte, f.Length)
		switch {
		case f.ID == 152 || f.ID == 153:
			binary.BigEndian.PutUint64(v, 1_699_999_000_000+uint64(r.IntN(1000)))
		case f.ID == 160 && r.IntN(6) == 0:
		case f.ID == 160:
			binary.BigEndian.PutUint64(v, exceptionSecs*1000-exceptionUptimeMs+uint64(r.IntN(2))<<32)
		case f.ID == 22 || f.ID == 21:
			binary.BigEndian.PutUint32(v, exceptionUptimeMs-uint32(r.IntN(1000)))
		case f.ID == 4:
			v[1] = []byte{protoICMP, 6, 17, protoICMPv6, 6, 17, 47, 6}[r.IntN(8)]
			v[0] = byte(r.IntN(8) / 7)
		case (f.PEN != 0 || f.ID == 232) && r.IntN(5) > 0:
		default:
			for i := range v {
				v[i] = byte(r.Uint32())
			}
		}
		rec = append(rec, v...)
	}
	return rec
}

// TestMayCount looks at records of fixed and of variable length for a flow of the other
// direction.
func TestMayCount(t *testing.T) {
	text := template.Field{ID: 371, Length: template.VariableLength}
	for _, c := range []struct {
		name   string
		fields []template.Field
		rec    []byte
		want   bool
	}{
		{"nothing came back", []template.Field{{ID: 1, Length: 2}, {PEN: reversePEN, ID: 1, Length: 2}, {PEN: reversePEN, ID: 4, Length: 1}}, []byte{1, 2, 0, 0, 9}, false},
		{"bytes", []template.Field{{ID: 1, Length: 2}, {PEN: reversePEN, ID: 1, Length: 2}}, []byte{0, 0, 1, 0}, true},
		{"packets behind a text", []template.Field{text, {PEN: reversePEN, ID: 2, Length: 2}, {ID: 2, Length: 1}}, []byte{3, 'a', 'b', 'c', 0, 1, 0}, true},
		{"zero behind a text", []template.Field{text, {PEN: reversePEN, ID: 2, Length: 2}, {ID: 2, Length: 1}}, []byte{3, 'a', 'b', 'c', 0, 0, 7}, false},
		{"more bytes than a number has", []template.Field{{PEN: reversePEN, ID: 1, Length: 9}}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 1}, true},
		{"a frame, of zeros", []template.Field{{PEN: reversePEN, ID: 315, Length: 4}}, []byte{0, 0, 0, 0}, true},
	} {
		tpl := &Template{Version: template.IPFIX, Fields: c.fields, Length: len(c.rec)}
		tpl.Variable = slices.Contains(c.fields, text)
		if got := compilePlan(tpl).reverse.mayCount(c.rec); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
