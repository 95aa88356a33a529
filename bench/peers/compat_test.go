package main

import (
	"fmt"
	"os"
	"sort"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	yaml "gopkg.in/yaml.v3"
)

func customOf(t *testing.T, file string) map[protowire.Number]customDef {
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

func TestExplore(t *testing.T) {
	file := os.Getenv("MAPPING")
	compat := os.Getenv("COMPAT") != ""
	custom := customOf(t, file)
	counts := map[string]int{}
	first := map[string]string{}
	note := func(key, example string) {
		counts[key]++
		if first[key] == "" {
			first[key] = example
		}
	}
	for name, seq := range sequences(t) {
		w, g := newOurs(t, file, compat), newTheirs(t, file)
		for i := range seq {
			a := &seq[i]
			mine := w.run(a)
			their, err := g.run(a)
			if len(mine) != len(their) {
				e := "none"
				if err != nil {
					e = "error"
				}
				note("records err="+e, fmt.Sprintf("%s %d: %d %d %v", name, i, len(mine), len(their), err))
				continue
			}
			for j := range mine {
				if err := compareRecord(&mine[j], &their[j], custom, func(d difference) {
					note(fmt.Sprintf("%s %s %s", d.w.Type, d.form, d.field), fmt.Sprintf("%s %d.%d: %s", name, i, j, d.String()))
				}); err != nil {
					t.Fatalf("%s %d.%d: %v", name, i, j, err)
				}
			}
		}
	}
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Logf("%6d %s\n      %s", counts[k], k, first[k])
	}
}
