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

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/vmtest"
)

// packageTime is how long the tests of one package may take.
const packageTime = 25 * time.Minute

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
	passed, ran, failed, skipped := tally(out.String())
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		r.Text = fmt.Sprintf("uname: %v", err)
		return r
	}
	unlisted, outdated := vmtest.CheckSkips(vmtest.Skips, name, unix.ByteSliceToString(kernel.Release[:]), ran, skipped)
	r.Text = fmt.Sprintf("%d passed, %d skipped, %.0fs", passed, len(skipped), time.Since(began).Seconds())
	if len(skipped) > 0 {
		r.Text += ": skipped " + strings.Join(skipped, ", ")
	}
	r.Note = strings.Join(outdated, "; ")
	switch {
	case len(failed) > 0:
		r.Text = "failed: " + strings.Join(failed, ", ") + "; " + r.Text
	case err != nil:
		r.Text = fmt.Sprintf("%v; %s", err, r.Text)
	case passed == 0:
		r.Text = "no test has run"
	case len(unlisted) > 0:
		r.Text = "skipped, and not in the list of skips: " + strings.Join(unlisted, ", ") + "; " + r.Text
	default:
		r.Result = vmtest.OK
	}
	if r.Result != vmtest.OK {
		text := out.String()
		r.Log = text[max(0, len(text)-200_000):]
	}
	return r
}

// tally reads the verbose output of tests: how many passed and which failed, at the top
// level; and with the parts of tests, which ran to a good end and which were skipped.
func tally(out string) (passed int, ran, failed, skipped []string) {
	for line := range strings.Lines(out) {
		outcome, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || !strings.HasPrefix(outcome, "--- ") {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		part := !strings.HasPrefix(line, "---")
		switch {
		case outcome == "--- SKIP":
			skipped = append(skipped, name)
		case outcome == "--- PASS":
			ran = append(ran, name)
			if !part {
				passed++
			}
		case outcome == "--- FAIL" && !part:
			failed = append(failed, name)
		}
	}
	return passed, ran, failed, skipped
}
