package producer

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/schema"
)

// flowValues returns the values of a flow by their place in schema.Fields, as text: read by
// reflection, and so in another way than columns are filled.
func flowValues(f *Flow) []string {
	var all []string
	for i := range schema.Fields {
		row := &schema.Fields[i]
		v := reflect.ValueOf(f).Elem()
		if row.Extra {
			if !f.has(fieldID(i)) {
				all = append(all, "")
				continue
			}
			v = reflect.ValueOf(f.more).Elem()
		}
		text := fmt.Sprint(v.FieldByName(row.Go).Interface())
		if row.Name == "ipv6_routing_header_addresses" {
			var list [][]byte
			for a := f.RoutingAddresses; len(a) >= 16; a = a[16:] {
				list = append(list, a[:16])
			}
			text = fmt.Sprint(list)
		}
		if !row.ZeroIsValue && (text == "0" || text == "[]") {
			text = ""
		}
		all = append(all, text)
	}
	return all
}

// columnValues returns the same of a row of a batch.
func columnValues(b *columns.Batch, row int) []string {
	var all []string
	for i := range schema.Fields {
		f, c := &schema.Fields[i], b.Column(i)
		text := ""
		switch f.Kind {
		case schema.Bytes:
			text = fmt.Sprint(c.AppendBytes(nil, row))
		case schema.Uints, schema.Layers:
			text = fmt.Sprint(c.AppendList(nil, row))
		case schema.BytesList:
			text = fmt.Sprint(c.AppendTexts(nil, row))
		default:
			text = fmt.Sprint(c.Number(row))
		}
		switch {
		case f.ZeroIsValue && !c.Has(row), !f.ZeroIsValue && (text == "0" || text == "[]"):
			text = ""
		}
		all = append(all, text)
	}
	return all
}

type columnInput struct {
	meta    Meta
	payload []byte
}

// compareColumns decodes datagrams to flows and to columns, and compares. It returns how many
// flows there were.
func compareColumns(t *testing.T, list []columnInput, b *columns.Batch) int {
	t.Helper()
	var want [][]string
	rows := New(Config{Format: FormatLine, Line: func(dst []byte, f *Flow) []byte {
		want = append(want, flowValues(f))
		return dst
	}}, NewStore(template.DefaultLimits()))
	cols := New(Config{Format: FormatColumns}, NewStore(template.DefaultLimits()))
	one, two := NewBatch(0, DefaultBatchSize), NewBatch(0, DefaultBatchSize)
	two.Columns = b
	flows := 0
	check := func() {
		b.Finish()
		if b.Rows() != len(want) || len(two.Ends) != len(want) {
			t.Fatalf("%d rows, %d messages, want %d", b.Rows(), len(two.Ends), len(want))
		}
		for row, w := range want {
			for i, got := range columnValues(b, row) {
				if got != w[i] {
					t.Fatalf("row %d: %s is %q, want %q", row, schema.Fields[i].Name, got, w[i])
				}
			}
		}
		flows += len(want)
		want = want[:0]
		one.Reset()
		two.Reset()
	}
	for _, d := range list {
		r1, r2 := rows.Datagram(one, d.meta, bytes.Clone(d.payload)), cols.Datagram(two, d.meta, d.payload)
		if r1 != r2 {
			t.Fatalf("result %+v, want %+v", r2, r1)
		}
		if len(want) > 3000 {
			check()
		}
	}
	check()
	if rows.Counters.Faults != cols.Counters.Faults || rows.Counters.Sampling != cols.Counters.Sampling {
		t.Errorf("counters differ: faults %v, want %v; sampling %v, want %v",
			cols.Counters.Faults, rows.Counters.Faults, cols.Counters.Sampling, rows.Counters.Sampling)
	}
	return flows
}

// TestColumnsOfCaptures compares columns with flows over captures of real exporters: those of
// this project, and those of the corpus where it is present. One batch serves all, so that
// columns meet every order of forms.
func TestColumnsOfCaptures(t *testing.T) {
	dirs := []string{filepath.Join("..", "internal", "corpus", "testdata")}
	corpus := os.Getenv("WEIR_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(corpus); err == nil {
		dirs = append(dirs, filepath.Join(corpus, "pcap"))
	} else {
		t.Logf("no corpus of captures: %v (set WEIR_CORPUS to its folder)", err)
	}
	b, flows := columns.New(), 0
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no captures in %s (%v)", dir, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				captured, _, err := capture.Load(name)
				if err != nil && len(captured) == 0 {
					t.Fatal(err)
				}
				var list []columnInput
				for _, d := range captured[:min(len(captured), 4000)] {
					list = append(list, columnInput{Meta{Source: d.Src, ReceivedNs: d.TimeNs, Truncated: d.Cut}, d.Payload})
				}
				flows += compareColumns(t, list, b)
			})
		}
	}
	if flows == 0 {
		t.Error("no flow was compared")
	}
}

// generated returns datagrams of a workload.
func generated(t testing.TB, name string, n int) (all []columnInput) {
	g, err := workload.New(workload.Config{Workload: name, Exporters: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range g.Take(n) {
		src := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
		all = append(all, columnInput{Meta{Source: src, ReceivedNs: 1_700_000_000_000_000_000}, d.Payload})
	}
	return all
}

// TestColumnsOfWorkloads does the same over generated exports, and requires that data sets of
// records of one length are read by column, and that nothing is allocated in steady state.
func TestColumnsOfWorkloads(t *testing.T) {
	for _, name := range workload.Names() {
		t.Run(name, func(t *testing.T) {
			list := generated(t, name, 500)
			if compareColumns(t, list, columns.New()) == 0 {
				t.Fatal("no flows")
			}
			p := New(Config{Format: FormatColumns}, NewStore(template.DefaultLimits()))
			batch := NewBatch(0, DefaultBatchSize)
			batch.Columns = columns.New()
			round := func() {
				for _, d := range list {
					p.Datagram(batch, d.meta, d.payload)
				}
				batch.Reset()
			}
			round()
			if share := float64(p.Counters.Encoded[PathPlanBatch]) / float64(p.Counters.Encoded[PathPlanBatch]+p.Counters.Encoded[PathGeneric]+p.Counters.Encoded[PathSampleFlow]); name[0] == 'n' && share < 0.9 {
				t.Errorf("%.2f of the records were read by column", share)
			}
			round()
			round()
			if n := testing.AllocsPerRun(5, round); n != 0 {
				t.Errorf("%v allocations in a round of %d datagrams", n, len(list))
			}
		})
	}
}
