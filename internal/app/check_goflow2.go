package app

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/internal/config"
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

// checkGoflow2 prints a command line of goflow2 as one of weir, and what is
// different.
func checkGoflow2(env Env, line string) int {
	t, err := config.Translate(line)
	if err != nil {
		fmt.Fprintf(env.Stderr, "weir: -goflow2: %v; allowed: a command line in quotes, such as \"goflow2 -format=bin\"\n", err)
		return ExitUsage
	}
	fmt.Fprintf(env.Stdout, "%s\n", t.Line)
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(env.Stdout, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(env.Stdout, "  %s\n", l)
		}
	}
	section("Not possible, and left out:", t.Refused)
	section("Written otherwise:", t.Changes)
	section("Done otherwise:", t.Defaults)
	if len(t.Refused) > 0 {
		return ExitError
	}
	return ExitOK
}
