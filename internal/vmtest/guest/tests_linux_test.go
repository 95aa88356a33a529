package main

import (
	"slices"
	"testing"
)

func TestTally(t *testing.T) {
	const out = `=== RUN   TestA
--- PASS: TestA (0.10s)
    --- PASS: TestA/one (0.05s)
    --- SKIP: TestA/two (0.05s)
        a_test.go:7: not here
--- FAIL: TestB (1.00s)
    --- FAIL: TestB/one (0.05s)
--- SKIP: TestC (0.00s)
FAIL
`
	passed, ran, failed, skipped := tally(out)
	if passed != 1 || !slices.Equal(ran, []string{"TestA", "TestA/one"}) || !slices.Equal(failed, []string{"TestB"}) ||
		!slices.Equal(skipped, []string{"TestA/two", "TestC"}) {
		t.Errorf("%d passed, ran %q, failed %q, skipped %q", passed, ran, failed, skipped)
	}
}
