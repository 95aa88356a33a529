// Command testsum runs go test and ends with a summary of what failed, and of what was
// skipped and why.
//
//	testsum ARGUMENTS OF GO TEST [-- ARGUMENTS OF ANOTHER GO TEST]...
//
// The runs follow each other. A line for each package is printed when it ends, and the output
// of each test that failed, shortened in the middle. Exit codes: 0 all passed or were skipped,
// 1 something failed, 2 go test could not be run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// maxOutput is how many bytes of the output of one test are printed.
const maxOutput = 8 << 10

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of build output
	Elapsed                       float64
}

// run collects what became of all tests.
type run struct {
	out     io.Writer
	output  map[string][]byte   // of tests and packages that have not ended
	failed  []string            // in the order of their ends
	skipped map[string][]string // reason -> tests
	passed  int
}

func newRun(out io.Writer) *run {
	return &run{out: out, output: map[string][]byte{}, skipped: map[string][]string{}}
}

// read takes the events of one go test. Lines that are no events are printed.
func (r *run) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			fmt.Fprintf(r.out, "%s", line)
		default:
			r.take(&e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events of go test: %w", err)
		}
	}
}

func (r *run) take(e *event) {
	name := strings.TrimSuffix(e.Package+" "+e.Test, " ")
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			r.output[name] = append(r.output[name], e.Output...)
		}
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		r.end(e, name, "ok  ")
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprintf(r.out, "%s", shorten(r.output[name]))
		r.end(e, name, "FAIL")
	case "skip":
		if e.Test != "" {
			why := reason(r.output[name])
			r.skipped[why] = append(r.skipped[why], name)
		}
		delete(r.output, name)
	}
}

// end prints the end of a package.
func (r *run) end(e *event, name, verdict string) {
	delete(r.output, name)
	if e.Test == "" {
		fmt.Fprintf(r.out, "%s %s %.1fs\n", verdict, e.Package, e.Elapsed)
	}
}

// shorten leaves the middle of a long output out.
func shorten(text []byte) []byte {
	if len(text) <= maxOutput {
		return text
	}
	left := fmt.Sprintf("\n... %d bytes left out ...\n", len(text)-maxOutput)
	return slices.Concat(text[:maxOutput/2], []byte(left), text[len(text)-maxOutput/2:])
}

// reason returns what a skipped test said, without the place in the source.
func reason(output []byte) string {
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "--- SKIP") || line == "" {
			continue
		}
		if _, after, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok := strings.Cut(after, ": "); ok {
				return text
			}
		}
		return line
	}
	return "no reason given"
}

// summary prints the end of everything.
func (r *run) summary() {
	total := 0
	for _, why := range slices.Sorted(maps.Keys(r.skipped)) {
		tests := r.skipped[why]
		total += len(tests)
		more := ""
		if len(tests) > 3 {
			more = fmt.Sprintf(" and %d more", len(tests)-3)
			tests = tests[:3]
		}
		fmt.Fprintf(r.out, "skipped: %s: %s%s\n", why, strings.Join(tests, ", "), more)
	}
	for _, name := range r.failed {
		fmt.Fprintf(r.out, "failed: %s\n", name)
	}
	fmt.Fprintf(r.out, "%d passed, %d skipped, %d failed\n", r.passed, total, len(r.failed))
}

func main() {
	r := newRun(os.Stdout)
	code := 0
	args := os.Args[1:]
	for len(args) > 0 {
		one := args
		if i := slices.Index(args, "--"); i >= 0 {
			one, args = args[:i], args[i+1:]
		} else {
			args = nil
		}
		code = max(code, r.goTest(one))
	}
	r.summary()
	os.Exit(code)
}

// goTest runs go test once and returns its exit code.
func (r *run) goTest(args []string) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "testsum: run go test: %v\n", err)
		return 2
	}
	err = r.read(events)
	var exit *exec.ExitError
	switch wait := cmd.Wait(); {
	case err != nil:
		fmt.Fprintf(os.Stderr, "testsum: %v\n", err)
		return 2
	case errors.As(wait, &exit):
		return 1
	case wait != nil:
		fmt.Fprintf(os.Stderr, "testsum: run go test: %v\n", wait)
		return 2
	}
	return 0
}
