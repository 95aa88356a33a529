package main

import (
	"slices"
	"testing"

	"github.com/weirflow/weir/producer/schema"
)

// TestGenerated compares all generated files with what the table gives.
func TestGenerated(t *testing.T) {
	t.Chdir("..")
	if err := run(true); err != nil {
		t.Fatal(err)
	}
}

// TestValidate makes every mistake that a row can have.
func TestValidate(t *testing.T) {
	if err := validate(); err != nil {
		t.Fatal(err)
	}
	whole := schema.Fields
	defer func() { schema.Fields = whole }()
	last := schema.Field{Name: "new", Go: "New", Number: 990, Doc: "A field.", Extra: true}
	for name, change := range map[string]func(f *schema.Field){
		"no name":              func(f *schema.Field) { f.Name = "" },
		"no Go name":           func(f *schema.Field) { f.Go = "" },
		"no sentence":          func(f *schema.Field) { f.Doc = "A field" },
		"name twice":           func(f *schema.Field) { f.Name = "bytes" },
		"Go name twice":        func(f *schema.Field) { f.Go = "Bytes" },
		"number twice":         func(f *schema.Field) { f.Number = 9 },
		"no number":            func(f *schema.Field) { f.Number = 0 },
		"number of enrichment": func(f *schema.Field) { f.Number = 1000 },
		"retired number":       func(f *schema.Field) { f.Number = 57 },
		"not extra":            func(f *schema.Field) { f.Extra = false },
		"zero of an address":   func(f *schema.Field) { f.Kind, f.ZeroIsValue = schema.Bytes, true },
		"extra layers":         func(f *schema.Field) { f.Kind = schema.Layers },
		"value of a list":      func(f *schema.Field) { f.Kind, f.Elements = schema.Uints, []schema.Element{{ID: 9999, Name: "a"}} },
		"list of one value": func(f *schema.Field) {
			f.Elements = []schema.Element{{ID: 9999, Name: "a", Conv: schema.BasicList}}
		},
		"converted on one side": func(f *schema.Field) {
			f.Elements = []schema.Element{{ID: 9999, Name: "a", Conv: schema.Application, Side: schema.Egress}}
		},
		"element without name": func(f *schema.Field) { f.Elements = []schema.Element{{ID: 9999}} },
		"element twice":        func(f *schema.Field) { f.Elements = []schema.Element{{ID: 9999, Name: "a"}, {ID: 9999, Name: "a"}} },
		"unknown record":       func(f *schema.Field) { f.SFlow = []schema.Source{{Record: 4095, Member: "a"}} },
	} {
		schema.Fields = append(slices.Clone(whole), last)
		if err := validate(); err != nil {
			t.Fatal(err)
		}
		change(&schema.Fields[len(schema.Fields)-1])
		if err := validate(); err == nil {
			t.Errorf("%s: the row is taken", name)
		}
	}
}
