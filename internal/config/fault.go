package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHelp is returned by Parse and ParseDecode after they wrote the help that
// -h or -help asked for.
var ErrHelp = errors.New("help requested")

// A Fault is one thing wrong with what the operator wrote.
type Fault struct {
	// Option is the name of the option that the fault is about; empty for
	// unknown names and unexpected arguments. A file that cannot be read
	// is a fault of config.
	Option string
	// Where is the file and line, "weir.yaml:12"; empty for flags and the
	// environment, whose Name says where they are.
	Where string
	// Name is the option as it was written: -format, WEIR_FORMAT, format.
	Name string
	// Value is the value as it was written, quoted and shortened; empty
	// where there is none to show.
	Value string
	// Problem says what is wrong.
	Problem string
	// Allowed says what may be written instead; may be empty.
	Allowed string

	line int // line of the file, for order
}

// Error returns the fault as one line: place, name, value, problem, what is
// allowed.
func (f Fault) Error() string {
	var b strings.Builder
	if f.Where != "" {
		b.WriteString(f.Where)
		b.WriteString(": ")
	}
	b.WriteString(f.Name)
	if f.Value != "" {
		if f.Name != "" {
			b.WriteByte(' ')
		}
		b.WriteString(f.Value)
	}
	if f.Name != "" || f.Value != "" {
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Allowed != "" {
		b.WriteString("; allowed: ")
		b.WriteString(f.Allowed)
	}
	return b.String()
}

// A UsageError holds everything that is wrong with the options. The command
// that gets one prints it and exits with code 2.
type UsageError struct {
	// Faults are in the order file, environment, command line, then those
	// that concern several options together. There is at least one.
	Faults []Fault
}

// Error returns the faults, one a line.
func (e *UsageError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults for errors.Is and errors.As.
func (e *UsageError) Unwrap() []error {
	errs := make([]error, len(e.Faults))
	for i, f := range e.Faults {
		errs[i] = f
	}
	return errs
}

func usageError(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &UsageError{Faults: faults}
}

// A Problem is what a [Value] finds wrong with a text: a Fault that does not
// know yet where the text came from.
type Problem struct {
	// Part is the piece of the value that is wrong, for a value that has
	// several; empty means the whole.
	Part string
	// Index is the number of the element of a list that is wrong, from 0.
	Index int
	// Text says what is wrong, Allowed what may be written instead.
	Text, Allowed string
}

// Error returns the problem in one line.
func (p *Problem) Error() string {
	return Fault{Value: p.Part, Problem: p.Text, Allowed: p.Allowed}.Error()
}

// Problems are several; a Value returns them where one value can be wrong in
// more than one place.
type Problems []*Problem

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// asProblems returns what a Value's Set or Check found as problems.
func asProblems(err error) Problems {
	var many Problems
	var one *Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return Problems{one}
	}
	return Problems{{Text: err.Error()}}
}

// maxShown is the number of bytes of a value that messages show.
const maxShown = 120

// show quotes a value for a message, shortens it, and leaves out what looks like a
// password.
func show(v string) string {
	v = Redact(v)
	if len(v) > maxShown {
		return fmt.Sprintf("%.*q...", maxShown, v)
	}
	return fmt.Sprintf("%q", v)
}
