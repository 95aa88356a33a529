package parquet

import (
	"bytes"
	"net/netip"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/parquet"
	"github.com/weirflow/weir/producer/schema"
)

// TestParquetGo reads every column of files of all workloads, and compares with the columns
// that they were made of.
func TestParquetGo(t *testing.T) {
	for _, codec := range []parquet.Compression{parquet.None, parquet.Snappy, parquet.Zstd} {
		w, err := parquet.New(codec, "weir test")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range workload.Names() {
			b := fill(t, name)
			data := w.End(w.Append(w.Begin(nil), b))
			f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if f.NumRows() != int64(b.Rows()) || len(f.RowGroups()) != 1 {
				t.Fatalf("%s: %d rows in %d groups, want %d in one", name, f.NumRows(), len(f.RowGroups()), b.Rows())
			}
			chunks := f.RowGroups()[0].ColumnChunks()
			if len(chunks) != len(schema.Fields) {
				t.Fatalf("%d columns, want %d", len(chunks), len(schema.Fields))
			}
			for i, chunk := range chunks {
				compare(t, name, i, b, values(t, chunk))
			}
		}
	}
}

// fill returns the columns of a workload's flows, of more than one page.
func fill(t *testing.T, name string) *columns.Batch {
	g, err := workload.New(workload.Config{Workload: name, Exporters: 4, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	p := producer.New(producer.Config{Format: producer.FormatColumns}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 0)
	batch.Columns = columns.New()
	for batch.Columns.Rows() < 40_000 {
		for _, d := range g.Take(64) {
			p.Datagram(batch, producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: 1_700_000_000_000_000_000}, d.Payload)
		}
	}
	return batch.Columns
}

// values reads all values of a column.
func values(t *testing.T, chunk pq.ColumnChunk) (all []pq.Value) {
	t.Helper()
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if page == nil {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]pq.Value, page.NumValues())
		n, _ := page.Values().ReadValues(buf)
		if int64(n) != page.NumValues() {
			t.Fatalf("%d values of %d", n, page.NumValues())
		}
		for _, v := range buf {
			all = append(all, v.Clone())
		}
	}
}

// compare compares the values of a column with those of the batch.
func compare(t *testing.T, workload string, field int, b *columns.Batch, got []pq.Value) {
	t.Helper()
	f, c := &schema.Fields[field], b.Column(field)
	next := func() pq.Value {
		if len(got) == 0 {
			t.Fatalf("%s: %s ends early", workload, f.Name)
		}
		v := got[0]
		got = got[1:]
		return v
	}
	for row := range b.Rows() {
		switch f.Kind {
		case schema.Bytes:
			if v, want := next(), c.AppendBytes(nil, row); !bytes.Equal(v.ByteArray(), want) {
				t.Fatalf("%s: row %d: %s is %x, want %x", workload, row, f.Name, v.ByteArray(), want)
			}
		case schema.Uints, schema.Layers:
			list := c.AppendList(nil, row)
			for i, want := range list {
				if v := next(); v.Uint32() != want || (v.RepetitionLevel() == 0) != (i == 0) {
					t.Fatalf("%s: row %d: %s has %+v, want %d", workload, row, f.Name, v, want)
				}
			}
			if len(list) == 0 && !next().IsNull() {
				t.Fatalf("%s: row %d: %s is not empty", workload, row, f.Name)
			}
		case schema.BytesList:
			list := c.AppendTexts(nil, row)
			for _, want := range list {
				if v := next(); !bytes.Equal(v.ByteArray(), want) {
					t.Fatalf("%s: row %d: %s has %x, want %x", workload, row, f.Name, v.ByteArray(), want)
				}
			}
			if len(list) == 0 && !next().IsNull() {
				t.Fatalf("%s: row %d: %s is not empty", workload, row, f.Name)
			}
		default:
			v := next()
			if f.ZeroIsValue && !c.Has(row) {
				if !v.IsNull() {
					t.Fatalf("%s: row %d: %s is %v, want none", workload, row, f.Name, v)
				}
				continue
			}
			n := v.Uint64()
			if f.Kind != schema.Uint64 {
				n = uint64(v.Uint32())
			}
			if want := c.Number(row); n != want {
				t.Fatalf("%s: row %d: %s is %d, want %d", workload, row, f.Name, n, want)
			}
		}
	}
	if len(got) != 0 {
		t.Fatalf("%s: %s has %d values too many", workload, f.Name, len(got))
	}
}
