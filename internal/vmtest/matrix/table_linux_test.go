package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/vmtest"
)

// TestJudge: only rows that came to their end with every step ok, or refused, pass.
func TestJudge(t *testing.T) {
	good := row{Reports: []vmtest.Report{{Step: "attach", Result: vmtest.OK, Text: "native"}, {Step: "jumbo", Result: vmtest.Refused, Text: "EINVAL"}}}
	failed := row{Reports: []vmtest.Report{{Step: "attach", Result: vmtest.Failed, Text: "not run"}}}
	broken := row{Reports: good.Reports, Broken: "not done after 1m"}
	for _, c := range []struct {
		name string
		rows []row
		ok   bool
	}{{"good", []row{good}, true}, {"failed", []row{good, failed}, false}, {"broken", []row{broken}, false}, {"none", nil, false}} {
		if err := judge(c.rows); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	r := row{Kernel: "trixie", Release: "6.12", Card: "igb", Reports: []vmtest.Report{
		{Step: "attach", Result: vmtest.OK, Text: "native"},
		{Step: "receive", Result: vmtest.OK, Text: "native, 1024 by xdp, 4 of 4 rings"},
		{Step: "jumbo", Result: vmtest.OK, Text: "generic, 32 by xdp, 96 over sockets"},
		{Step: "ethtool -L", Result: vmtest.Refused, Text: "EINVAL"},
	}}
	if err := write(&b, "today", []string{"attach", "receive", "jumbo", "ethtool -L", "xdp"}, []row{r}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 6.12 | igb | native | native, 1024 by xdp | generic, 32 by xdp, 96 over sockets | refused | - |\n", "- ethtool -L: refused: EINVAL\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-kernels", "sid"}, {"-cards", "e100"}, {"-steps", "attach,no"}, {"x"}, {"-cards", "igb", "-steps", ""}, {"-kernels", ""}} {
		if _, err := parse(args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want a wrong usage", args, err)
		}
	}
	if _, err := parse([]string{"-steps", "", "-kernels", "trixie"}); err != nil {
		t.Error(err)
	}
}

func TestMajor(t *testing.T) {
	if got := major("QEMU emulator version 10.0.2 (Debian 1:10.0.2)"); got != 10 {
		t.Errorf("major is %d, want 10", got)
	}
}
