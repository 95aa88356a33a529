package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestCheckReport: the most serious findings come first, options at their defaults on request,
// and -json has the same.
func TestCheckReport(t *testing.T) {
	run := func(args ...string) (string, int) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"check", "-listen", "flow://127.0.0.1:0", "-addr", ""}, args...)
		code := Main(Env{Args: args, Stdout: &out, Stderr: &errs})
		if errs.Len() > 0 {
			t.Errorf("%q: stderr: %s", args, &errs)
		}
		return out.String(), code
	}
	broken := []string{"-transport.file", "/dev/null/x"}
	text, code := run(broken...)
	if code != ExitError {
		t.Errorf("code %d", code)
	}
	at := -1
	for _, want := range []string{"\nFAIL ", "\nwarn ", "\nok ", "\nweir would not start: 1 error, ", "\nConfiguration, without", "\ntransport.file"} {
		i := strings.Index(text, want)
		if i <= at {
			t.Errorf("%q is missing or too early in\n%s", want, text)
		}
		at = i
	}
	if i := strings.LastIndex(text, "\nFAIL "); i > strings.Index(text, "\nwarn ") {
		t.Errorf("an error after a warning:\n%s", text)
	}
	if strings.Contains(text, "sink.depth") {
		t.Error("options at their defaults are shown")
	}
	if text, _ = run("-defaults"); !strings.Contains(text, "sink.depth") {
		t.Error("-defaults does not show all options")
	}

	text, code = run(append(broken, "--json")...)
	var page struct {
		WouldStart       bool `json:"would_start"`
		Errors, Warnings int
		Findings         []finding
		Configuration    []struct{ Name, Value, Source string }
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if code != ExitError || page.WouldStart || page.Errors != 1 || page.Warnings == 0 || len(page.Configuration) != 3 {
		t.Errorf("code %d, %+v", code, page)
	}
	if f := page.Findings[0]; f.Severity != "error" || f.Part != "output" || f.Finding == "" {
		t.Errorf("first finding %+v", f)
	}

	// A process without CAP_NET_ADMIN, or a host with other limits, has warnings.
	_, plain := run()
	_, strict := run("-strict")
	if plain != ExitOK || strict == ExitOK != (page.Warnings == 0) {
		t.Errorf("code %d, %d with -strict, %d warnings", plain, strict, page.Warnings)
	}
}
