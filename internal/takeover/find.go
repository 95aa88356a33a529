package takeover

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/config"
)

// A Command is a command line of goflow2 that was found in a file.
type Command struct {
	Where string // file and place, such as "compose.yml, service goflow2"
	Line  string // the command line, to be read as a script of a shell
	Notes []string
}

// maxFile bounds the files that are read.
const maxFile = 4 << 20

// IsFile reports whether what -goflow2 was given is the name of a text file, and not a
// command line. The program goflow2 itself is no text.
func IsFile(value string) bool {
	info, err := os.Stat(value)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return false
	}
	data, err := os.ReadFile(value)
	return err == nil && bytes.IndexByte(data, 0) < 0
}

// ErrNone reports a file without a command of goflow2.
var ErrNone = errors.New("no command of goflow2 in it: looked for a service or container that runs goflow2, ENTRYPOINT and CMD, ExecStart=, variables such as GOFLOW2_ARGS=, and lines that start goflow2")

// Find returns the command lines of goflow2 in a file.
func Find(name string) ([]Command, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	f := &file{name: name, dir: filepath.Dir(name)}
	switch {
	case isDockerfile(name, text):
		f.dockerfile(text)
	case unitSection.MatchString(text):
		f.unit(text)
	case f.yaml(data):
	case isEnvironment(text):
		f.environment(text)
	default:
		f.script(text)
	}
	if f.err == nil && len(f.found) == 0 {
		f.err = ErrNone
	}
	return f.found, f.err
}

// file is a file that is looked through.
type file struct {
	name, dir string
	found     []Command
	err       error
}

// add adds a command if it is one of goflow2.
func (f *file) add(place, line string, notes ...string) {
	where := f.name
	if place != "" {
		where += ", " + place
	}
	var unset []string
	for _, m := range variable.FindAllStringSubmatch(line, -1) {
		if name := m[1] + m[4]; name != "" && name != "HOME" && !slices.Contains(unset, name) {
			unset = append(unset, name)
		}
	}
	if len(unset) > 0 {
		notes = append(notes, "set before the line is started: "+strings.Join(unset, ", "))
	}
	f.found = append(f.found, Command{Where: where, Line: line, Notes: notes})
}

var (
	unitSection = regexp.MustCompile(`(?m)^\[(Service|Unit)\]\s*$`)
	assignment  = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
)

// lines returns the lines of a text that are not empty or comments, those that continue
// joined.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
			out = append(out, line)
		}
	}
	return out
}

// isEnvironment reports whether a text is nothing but assignments.
func isEnvironment(text string) bool {
	all := lines(text)
	for _, line := range all {
		if !assignment.MatchString(line) {
			return false
		}
		// A line of a script: variables before a command.
		if words, err := config.Words(line); err != nil || len(words) > 1 && config.Mentions(words[1:]) {
			return false
		}
	}
	return len(all) > 0
}

// variables reads the assignments of a text.
func variables(text string) map[string]string {
	values := map[string]string{}
	for _, line := range lines(text) {
		if m := assignment.FindStringSubmatch(line); m != nil {
			values[m[1]] = unquoted(m[2])
		}
	}
	return values
}

// unquoted takes the quotes around a value away.
func unquoted(value string) string {
	value = strings.TrimSpace(value)
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// environment looks for variables that hold flags of goflow2.
func (f *file) environment(text string) {
	for _, line := range lines(text) {
		m := assignment.FindStringSubmatch(line)
		value := unquoted(m[2])
		switch {
		case strings.HasPrefix(value, "-") && strings.Contains(strings.ToUpper(m[1]), "GOFLOW"):
			f.add("variable "+m[1], "goflow2 "+value, "the packages of weir read /etc/weir/weir.yaml: put the flags there, or add them by systemctl edit weir (ExecStart=)")
		case strings.Contains(value, "goflow2 "):
			f.add("variable "+m[1], value)
		}
	}
}

// script looks for lines of a shell script that start goflow2.
func (f *file) script(text string) {
	at := 0
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " \x00")) {
		at += 1
		number := at
		at += strings.Count(line, "\x00")
		line = strings.TrimSpace(strings.ReplaceAll(line, "\x00", ""))
		if line == "" || line[0] == '#' {
			continue
		}
		words, err := config.Words(line)
		if err == nil && config.Mentions(words) && starts(words) {
			f.add(fmt.Sprintf("line %d", number), line)
		}
	}
}

// starts reports whether a line that names goflow2 starts it with flags, or as the first
// word, and does not pull, copy or stop it.
func starts(words []string) bool {
	for i, w := range words {
		if !config.Mentions([]string{w}) || strings.Contains(w, "=") {
			continue
		}
		if strings.ContainsAny(w, " \n") {
			return true // a script of sh -c
		}
		before := strings.Join(words[:i], " ")
		if i+1 < len(words) && strings.HasPrefix(words[i+1], "-") || i == 0 || before == "exec" {
			return true
		}
		return strings.Contains(before, " run ") // of a container engine
	}
	return false
}
