package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/weirflow/weir/internal/vmtest"
)

// packageTime is how long the tests of one package may take.
const packageTime = 12 * time.Minute

// packages runs the test binaries and reports each.
func packages(port io.Writer) error {
	for _, name := range vmtest.Packages {
		r := testPackage(name)
		fmt.Printf("%s%s: %s: %s\n", vmtest.Console, name, r.Result, r.Text)
		if err := r.Write(port); err != nil {
			return err
		}
	}
	return nil
}

// testPackage runs the tests of a package, one after the other.
func testPackage(name string) vmtest.Report {
	r := vmtest.Report{Step: name, Result: vmtest.Failed}
	folder := "/tmp/" + name
	if err := os.MkdirAll(folder, 0o755); err != nil {
		r.Text = err.Error()
		return r
	}
	ctx, cancel := context.WithTimeout(context.Background(), packageTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/tests/"+name+".test", "-test.v", "-test.timeout", (packageTime - time.Minute).String())
	cmd.Dir = folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	passed, failed, skipped := tally(out.String())
	r.Text = fmt.Sprintf("%d passed, %d skipped, %.0fs", passed, len(skipped), time.Since(began).Seconds())
	if len(skipped) > 0 {
		r.Text += ": skipped " + strings.Join(skipped, ", ")
	}
	switch {
	case len(failed) > 0:
		r.Text = "failed: " + strings.Join(failed, ", ") + "; " + r.Text
	case err != nil:
		r.Text = fmt.Sprintf("%v; %s", err, r.Text)
	case passed == 0:
		r.Text = "no test has run"
	default:
		r.Result = vmtest.OK
	}
	if r.Result != vmtest.OK {
		text := out.String()
		r.Log = text[max(0, len(text)-200_000):]
	}
	return r
}

// tally reads the verbose output of tests: those at the top level by outcome.
func tally(out string) (passed int, failed, skipped []string) {
	for line := range strings.Lines(out) {
		outcome, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || !strings.HasPrefix(line, "--- ") {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		switch outcome {
		case "--- PASS":
			passed++
		case "--- FAIL":
			failed = append(failed, name)
		case "--- SKIP":
			skipped = append(skipped, name)
		}
	}
	return passed, failed, skipped
}
