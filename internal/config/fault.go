package config

import (
	"errors"
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
