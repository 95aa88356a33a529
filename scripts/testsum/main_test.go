package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	var out strings.Builder
	r := newRun(&out)
	err := r.read(strings.NewReader(`{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: wrong: ` + strings.Repeat("x", 100<<10) + `\n"}
{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: needs root: run it as root\n"}
{"Action":"skip","Package":"p","Test":"TestB","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestC","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestC","Elapsed":0}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"ImportPath":"q","Action":"build-output","Output":"q.go:1: no\n"}
not an event
`))
	if err != nil {
		t.Fatal(err)
	}
	r.summary()
	got := out.String()
	if len(got) > maxOutput+1000 {
		t.Errorf("%d bytes are printed", len(got))
	}
	for _, want := range []string{"a_test.go:7: wrong: xxx", "bytes left out", "FAIL p 1.5s\n", "q.go:1: no\n", "not an event\n",
		"skipped: needs root: run it as root: p TestB\n", "failed: p TestA\nfailed: p\n1 passed, 1 skipped, 2 failed\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in what is printed", want)
		}
	}
	if strings.Contains(got, "noise") || strings.Contains(got, "=== RUN") {
		t.Error("output of a test that passed is printed")
	}
}
