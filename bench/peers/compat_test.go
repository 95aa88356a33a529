package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	yaml "gopkg.in/yaml.v3"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sampleMapping names the mapping file that goflow2 comes with.
const sampleMapping = "goflow2's sample"

// mappings are the files that both are run with, by name; "" is none. goflow2's
// own is taken from its module.
func mappings(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/netsampler/goflow2/v2").Output()
	if err != nil {
		t.Fatalf("find goflow2's module: %v", err)
	}
	all := map[string]string{
		"none":        "",
		sampleMapping: filepath.Join(strings.TrimSpace(string(out)), "cmd", "goflow2", "mapping.yaml"),
	}
	files, err := filepath.Glob(filepath.Join("testdata", "mappings", "*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d mappings in testdata (%v)", len(files), err)
	}
	for _, f := range files {
		all[strings.TrimSuffix(filepath.Base(f), ".yaml")] = f
	}
	return all
}

// customOf returns the fields that a mapping adds.
func customOf(t *testing.T, file string) map[protowire.Number]customDef {
	t.Helper()
	all := map[protowire.Number]customDef{}
	if file == "" {
		return all
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Formatter struct {
			Protobuf []struct {
				Name  string
				Index int32
				Array bool
			}
		}
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Formatter.Protobuf {
		all[protowire.Number(f.Index)] = customDef{f.Name, f.Array}
	}
	return all
}

// shortShare is of how many captures a mapping gets one with -short.
const shortShare = 4

// TestCompat compares weir with goflow2, with and without -compat goflow2, over
// every capture and the synthetic loads, under every mapping; with -short, each
// mapping over a share of them.
func TestCompat(t *testing.T) {
	all := sequences(t)
	all["crafted"] = crafted()
	used, ran := map[string]int{}, 0
	for turn, name := range sortedKeys(mappings(t)) {
		file := mappings(t)[name]
		for _, compat := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/compat=%v", name, compat), func(t *testing.T) {
				ran++
				r := run{t: t, mapping: name, file: file, compat: compat, custom: customOf(t, file), used: used, open: map[string]int{}}
				for i, seq := range sortedKeys(all) {
					if testing.Short() && seq != "crafted" && (i+turn)%shortShare != 0 {
						continue
					}
					r.sequence(seq, all[seq])
				}
				for _, what := range sortedKeys(r.open) {
					t.Errorf("%d times unexplained, first %s", r.open[what], r.first[what])
				}
				if r.records == 0 {
					t.Error("nothing was compared")
				}
				t.Logf("%d records compared, %d of them equal in every byte", r.records, r.equal)
			})
		}
	}
	if t.Failed() || testing.Short() || ran != 2*len(mappings(t)) {
		return // a part of it was asked for
	}
	for _, c := range causes {
		t.Logf("%8d %s", used[c.name], c.name)
		if used[c.name] == 0 {
			t.Errorf("cause %q explains nothing", c.name)
		}
	}
}

// run is one mapping over all sequences.
type run struct {
	t              *testing.T
	mapping, file  string
	compat         bool
	custom         map[protowire.Number]customDef
	used           map[string]int
	open           map[string]int // unexplained, by what
	first          map[string]string
	records, equal int
}

func (r *run) sequence(name string, seq []arrival) {
	w, g := newOurs(r.t, r.file, r.compat), newTheirs(r.t, r.file)
	damaged := false
	for i := range seq {
		a := &seq[i]
		mine := w.run(a)
		their, err := g.run(a)
		where := fmt.Sprintf("%s datagram %d", name, i)
		if len(mine) != len(their) {
			damaged = true
			r.difference(&difference{where: where, form: "records", weir: fmt.Sprint(len(mine)), their: fmt.Sprint(len(their)), datagram: a, err: err})
			continue
		}
		for j := range mine {
			r.records++
			var found []difference
			if err := compareRecord(&mine[j], &their[j], r.custom, func(d difference) { found = append(found, d) }); err != nil {
				r.t.Fatalf("%s record %d: %v", where, j, err)
			}
			if len(found) == 0 {
				r.equal++
			}
			r.record(fmt.Sprintf("%s record %d", where, j), a, damaged, found)
		}
	}
}

// record explains the differences of one record. Those of columns and keys that
// are made of fields that differ in the message are theirs.
func (r *run) record(where string, a *arrival, damaged bool, found []difference) {
	fields := map[string]bool{}
	for _, d := range found {
		if d.form == "bin" {
			fields[d.field] = true
		}
	}
	for i := range found {
		d := &found[i]
		d.where, d.datagram, d.damaged = where, a, damaged
		if d.form == "key" && len(fields) > 0 || d.form != "bin" && fields[r.origin(d.field)] {
			continue
		}
		r.difference(d)
	}
}

// origin returns the field that a column shows.
func (r *run) origin(column string) string {
	switch {
	case r.mapping == "01-columns" && column == "destination":
		return "dst_addr"
	case r.mapping == "01-columns" && column == "layers":
		return "layer_stack"
	}
	return column
}

func (r *run) difference(d *difference) {
	d.mapping = r.mapping
	for _, c := range causes {
		if (c.always || !r.compat) && c.explains(d) {
			r.used[c.name]++
			return
		}
	}
	what := fmt.Sprintf("%s %s %v", d.form, d.field, version(d))
	r.open[what]++
	if r.first == nil {
		r.first = map[string]string{}
	}
	if r.first[what] == "" {
		r.first[what] = d.String()
	}
}

// TestCausesDocumented holds docs/migrating-from-goflow2.md to the table of
// causes, and to what -compat goflow2 does about each.
func TestCausesDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrating-from-goflow2.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			rows[strings.TrimPrefix(cells[0], "| ")] = strings.TrimSuffix(cells[2], " |")
		}
	}
	for _, c := range causes {
		want := "as goflow2"
		if c.always {
			want = "stays"
		}
		if rows[c.name] != want {
			t.Errorf("row %q says %q of -compat goflow2, the table of causes %q", c.name, rows[c.name], want)
		}
	}
}
