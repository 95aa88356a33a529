package manual_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/manual"
	"github.com/weirflow/weir/internal/manual/programs"
)

// missing notes that a program is not there, which is an error in CI.
func missing(t *testing.T, program string) {
	t.Helper()
	text := program + " is not installed: what it checks is not checked"
	if os.Getenv("CI") == "true" {
		t.Error(text)
		return
	}
	t.Log(text)
}

// TestPages: every option is in the pages, and a formatter finds nothing wrong with them.
func TestPages(t *testing.T) {
	for _, p := range programs.All() {
		man, file := manual.Man(&p, "1.2.3", "2026-01-02"), manual.FilePage(&p, "1.2.3", "2026-01-02")
		for _, o := range p.Table.Options {
			name := strings.ReplaceAll(o.Name, "-", `\-`)
			if !strings.Contains(man, `.BR \-`+name+` " `) {
				t.Errorf("%s: no option %s", p.Name, o.Name)
			}
			if key := strings.ReplaceAll(o.Key(), "-", `\-`); key != "" && !strings.Contains(file, ".BR "+key+` ": `) {
				t.Errorf("%s: no key %s", p.Name, o.Key())
			}
		}
		for _, c := range p.Commands {
			if c.Table == nil {
				continue
			}
			for _, o := range c.Table.Options {
				if _, own, _ := strings.Cut(man, ".SS Of "+c.Table.Command); !strings.Contains(own, `.BR \-`+o.Name+` " `) {
					t.Errorf("%s: no option %s of %s", p.Name, o.Name, c.Table.Command)
				}
			}
		}
		if !strings.Contains(man, `"2026-01-02" "weir 1.2.3"`) {
			t.Errorf("%s: the first line lacks date and version", p.Name)
		}
		for what, text := range map[string]string{"page": man, "file page": file} {
			for i, line := range strings.Split(text, "\n") {
				if line == "" && i < strings.Count(text, "\n") || strings.HasPrefix(line, "'") {
					t.Errorf("%s, %s: line %d is %q", p.Name, what, i+1, line)
				}
			}
			mandoc, err := exec.LookPath("mandoc")
			if err != nil {
				missing(t, "mandoc")
				continue
			}
			c := exec.Command(mandoc, "-T", "lint", "-W", "warning")
			c.Stdin = strings.NewReader(text)
			if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s, %s: %v\n%s", p.Name, what, err, out)
			}
		}
	}
}

// TestBash: bash completes commands, options and values.
func TestBash(t *testing.T) {
	script, ok := manual.Completion("bash", &programs.All()[0])
	if !ok {
		t.Fatal("no completions for bash")
	}
	for _, c := range []struct{ line, want string }{
		{"weir de", "decode"},
		{"weir -format.h", "-format.hash"},
		{"weir -format b", "bin"},
		{"weir --format b", "bin"},
		{"weir -format.hash ", ""},
		{"weir completion f", "fish"},
		{"weir xdp d", "detach"},
		{"weir decode -produ", "-produce"},
		{"weir to", "top"},
		{"weir top -o", "-once"},
		{"weir top -a", "-addr"},
		{"weir -on", ""},
	} {
		words := strings.Split(c.line, " ")
		run := script + "COMP_WORDS=('" + strings.Join(words, "' '") + "'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weir; echo \"${COMPREPLY[*]}\"\n"
		out, err := exec.Command("bash", "-u", "-c", run).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("%q completes to %q, want %q: %v", c.line, out, c.want, err)
		}
	}
}

// TestShells: the other shells read their completions, and no word of ours ends a quoted one.
func TestShells(t *testing.T) {
	for _, p := range programs.All() {
		for shell, check := range map[string][]string{"zsh": {"zsh", "-n"}, "fish": {"fish", "--no-execute"}, "bash": {"bash", "-n"}} {
			text, _ := manual.Completion(shell, &p)
			for _, o := range p.Table.Options {
				if !strings.Contains(text, o.Name) {
					t.Errorf("%s, %s: no option %s", p.Name, shell, o.Name)
				}
			}
			for _, c := range p.Commands {
				if c.Table != nil && !strings.Contains(text, c.Table.Options[len(c.Table.Options)-1].Name) {
					t.Errorf("%s, %s: no option of %s", p.Name, shell, c.Table.Command)
				}
			}
			if _, err := exec.LookPath(check[0]); err != nil {
				missing(t, check[0])
				continue
			}
			c := exec.Command(check[0], check[1:]...)
			c.Stdin = strings.NewReader(text)
			if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s, %s: %v\n%s", p.Name, shell, err, out)
			}
		}
	}
	if _, ok := manual.Completion("csh", &programs.All()[0]); ok {
		t.Error("there are completions for csh")
	}
}
