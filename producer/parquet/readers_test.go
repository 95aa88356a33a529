package parquet_test

import (
	"bufio"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/parquet"
)

// python returns the Python that WEIR_PYTHON names, which must have a module.
func python(t *testing.T, module string) string {
	t.Helper()
	name := os.Getenv("WEIR_PYTHON")
	if name == "" {
		t.Skip("DuckDB, pyarrow and chdb take minutes: make test-parquet installs and runs them")
	}
	if out, err := exec.Command(name, "-c", "import "+module).CombinedOutput(); err != nil {
		t.Fatalf("no %s for %s: %s", module, name, strings.TrimSpace(string(out)))
	}
	return name
}

type input struct {
	meta    producer.Meta
	payload []byte
}

// inputs returns datagrams of all workloads, and of the captures of this project.
func inputs(t testing.TB) (all []input) {
	t.Helper()
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 8, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range g.Take(400) {
			src := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
			all = append(all, input{producer.Meta{Source: src, ReceivedNs: 1_700_000_000_000_000_000 + int64(i)*1000}, d.Payload})
		}
	}
	names, err := filepath.Glob(filepath.Join("..", "..", "internal", "corpus", "testdata", "*.pcap"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for _, name := range names {
		list, _, err := capture.Load(name)
		if err != nil && len(list) == 0 {
			t.Fatal(err)
		}
		for _, d := range list {
			all = append(all, input{producer.Meta{Source: d.Src, ReceivedNs: d.TimeNs, Truncated: d.Cut}, d.Payload})
		}
	}
	return all
}

// writeBoth writes the flows of datagrams as a Parquet file with row groups of at least so many
// rows, and as JSON lines.
func writeBoth(t *testing.T, dir string, list []input, codec parquet.Compression, group int) (file, lines string) {
	t.Helper()
	w, err := parquet.New(codec, "weir test")
	if err != nil {
		t.Fatal(err)
	}
	cols := producer.New(producer.Config{Format: producer.FormatColumns}, producer.NewStore(template.DefaultLimits()))
	json := producer.New(producer.Config{Format: producer.FormatJSON, Separator: []byte("\n")}, producer.NewStore(template.DefaultLimits()))
	one, two := producer.NewBatch(0, 0), producer.NewBatch(0, 0)
	one.Columns = columns.New()
	file, lines = filepath.Join(dir, "flows.parquet"), filepath.Join(dir, "flows.json")
	out, err := os.Create(lines)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	buffered := bufio.NewWriter(out)
	b := w.Begin(nil)
	for _, d := range list {
		cols.Datagram(one, d.meta, d.payload)
		json.Datagram(two, d.meta, d.payload)
		if _, err := buffered.Write(two.Buf); err != nil {
			t.Fatal(err)
		}
		two.Reset()
		if one.Columns.Rows() >= group {
			b = w.Append(b, one.Columns)
			one.Reset()
		}
	}
	b = w.Append(b, one.Columns)
	b = w.End(b)
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, lines
}

// TestReaders has programs that read Parquet compare a file with JSON of the same flows: count,
// all values of the columns that JSON has as numbers, addresses and times, and the types.
func TestReaders(t *testing.T) {
	list := inputs(t)
	for _, codec := range []struct {
		name  string
		c     parquet.Compression
		group int // the second has several pages in a row group
	}{{"none", parquet.None, 20_000}, {"snappy", parquet.Snappy, 1 << 20}, {"zstd", parquet.Zstd, 3000}} {
		file, lines := writeBoth(t, t.TempDir(), list, codec.c, codec.group)
		for _, reader := range []string{"pyarrow", "duckdb", "chdb"} {
			t.Run(reader+"/"+codec.name, func(t *testing.T) {
				out, err := exec.Command(python(t, reader), filepath.Join("testdata", "compare.py"), reader, file, lines).CombinedOutput()
				if err != nil {
					t.Fatalf("%v:\n%s", err, out)
				}
				t.Logf("%s", out)
			})
		}
	}
}
