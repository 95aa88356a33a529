package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/takeover"
)

// goflow2Line returns what -goflow2 is given among the arguments of weir check.
func goflow2Line(args []string) (line string, ok bool) {
	for i, arg := range args {
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if name != "goflow2" || arg == name {
			continue
		}
		if !hasValue && i+1 < len(args) {
			value = args[i+1]
		}
		return value, true
	}
	return "", false
}

// checkGoflow2 prints a command line of goflow2, or those in a file, as ones of weir, and
// what is different.
func checkGoflow2(env Env, line string) int {
	if !takeover.IsFile(line) {
		t, err := config.Translate(line)
		if err != nil {
			if line != "" && !strings.ContainsAny(line, " \t\n") {
				err = fmt.Errorf("%q is no text file that can be read, and %w", line, err)
			}
			fmt.Fprintf(env.Stderr, "weir: -goflow2: %v; allowed: a command line in quotes, such as \"goflow2 -format=bin\", or a file that has one\n", err)
			return ExitUsage
		}
		return printTranslation(env.Stdout, t)
	}
	commands, err := takeover.Find(line)
	if err != nil {
		fmt.Fprintf(env.Stderr, "weir: -goflow2: %s: %v\n", line, err)
		return ExitUsage
	}
	code := ExitOK
	for i, c := range commands {
		if i > 0 {
			fmt.Fprintln(env.Stdout)
		}
		fmt.Fprintf(env.Stdout, "# %s\n", c.Where)
		t, err := config.TranslateScript(c.Line)
		if err != nil {
			if !errors.Is(err, config.ErrNoCommand) {
				err = fmt.Errorf("read command line: %w", err)
			}
			fmt.Fprintf(env.Stderr, "weir: -goflow2: %s: %v\n", c.Where, err)
			return ExitUsage
		}
		for _, note := range c.Notes {
			if !slices.Contains(t.Changes, note) {
				t.Changes = append(t.Changes, note)
			}
		}
		code = max(code, printTranslation(env.Stdout, t))
	}
	return code
}

// printTranslation prints a command line for weir and what is to know of it. It returns
// ExitError if something had to be left out.
func printTranslation(w io.Writer, t *config.Translation) int {
	fmt.Fprintf(w, "%s\n", t.Line)
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	section("Not possible, and left out:", t.Refused)
	section("Written otherwise:", t.Changes)
	section("Done otherwise:", t.Defaults)
	section("Dashboards that goflow2 publishes:", t.Dashboards)
	if len(t.Refused) > 0 {
		return ExitError
	}
	return ExitOK
}
