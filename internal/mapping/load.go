package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/yamltree"
	"github.com/weirflow/weir/producer"
)

// Load reads the mapping file and compiles it. An empty name is no mapping. The
// notes are settings that work here and do nothing in goflow2, and fields of weir that
// the mapping replaces by its own. Everything that
// is wrong comes back at once as a *config.UsageError.
func Load(name string, s producer.Settings) (p *producer.Program, notes []string, err error) {
	if name == "" {
		return Parse("", nil, s)
	}
	data, err := yamltree.Read(name)
	if err != nil {
		return nil, nil, &config.UsageError{Faults: []config.Fault{{
			Option: "mapping", Name: "-mapping", Value: option.Show(name), Problem: fmt.Sprintf("cannot read the file: %v", err),
		}}}
	}
	return Parse(name, data, s)
}

// Parse does the same with what a file holds, which is called name in faults and notes.
func Parse(name string, data []byte, s producer.Settings) (p *producer.Program, notes []string, err error) {
	r := &reader{file: name, lines: map[string]int{}}
	if data != nil {
		r.parse(data)
	}
	p, err = producer.NewProgram(&r.mapping, s)
	r.problems(err, s)
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
		usage := &config.UsageError{}
		for _, f := range r.faults {
			usage.Faults = append(usage.Faults, f.Fault)
		}
		return nil, nil, usage
	}
	if s.Compat {
		return p, nil, nil
	}
	for _, n := range p.Notes() {
		r.notes = append(r.notes, fmt.Sprintf("%s:%d: %s %s: %s", r.file, r.lines[n.Path], n.Path, strconv.Quote(n.Value), n.Text))
	}
	return p, r.notes, nil
}

// fault is one thing wrong and its line, for order.
type fault struct {
	config.Fault
	line int
}

// reader turns the tree of a document into a mapping.
type reader struct {
	file    string
	mapping producer.Mapping
	lines   map[string]int // of paths
	faults  []fault
	notes   []string
}

// fault notes something wrong at a line of the file.
func (r *reader) fault(line int, path, value, problem, allowed string) {
	f := config.Fault{Option: "mapping", Where: r.file, Name: path, Value: value, Problem: problem, Allowed: allowed}
	if line > 0 {
		f.Where += ":" + strconv.Itoa(line)
	}
	r.faults = append(r.faults, fault{f, line})
}

func (r *reader) parse(data []byte) {
	if root := yamltree.Parse(data, r.treeFault); root != nil {
		r.root(root)
	}
}

// treeFault is a [yamltree.Fault].
func (r *reader) treeFault(line int, path, problem, allowed string) {
	r.fault(line, path, "", problem, allowed)
}

// problems turns what the compiler found into faults, unless the same place has
// one already.
func (r *reader) problems(err error, s producer.Settings) {
	var list []error
	walked := len(r.faults)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var p *producer.Problem
		if !errors.As(e, &p) {
			r.fault(0, "", "", e.Error(), "")
			continue
		}
		if n, ok := hashIndex(p.Path); ok {
			r.faults = append(r.faults, fault{config.Fault{
				Option: "format.hash", Name: "-format.hash", Value: option.Show(s.Hash[n]), Problem: p.Text, Allowed: p.Allowed,
			}, 0})
			continue
		}
		line, at := r.lines[p.Path], p.Path
		for line == 0 && at != "" { // a key that is not there: its parent
			at = parent(at)
			line = r.lines[at]
		}
		if slices.ContainsFunc(r.faults[:walked], func(f fault) bool { return entry(f.Name) == entry(p.Path) }) {
			continue // it is only what is left of an entry that is wrong
		}
		value := p.Value
		if value != "" {
			value = option.Show(value)
		}
		r.fault(line, p.Path, value, p.Text, p.Allowed)
	}
}

// hashIndex returns n for the path hash[n].
func hashIndex(path string) (n int, ok bool) {
	_, err := fmt.Sscanf(path, "hash[%d]", &n)
	return n, err == nil
}

// entry returns the part of a path that names an entry of a list, or all of it.
func entry(path string) string {
	head, _, _ := strings.Cut(path, "]")
	return head
}

// parent returns the path without its last key or index.
func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}
