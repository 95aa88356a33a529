package option

import (
	"errors"
	"strings"
)

// A Problem is what a [Value] finds wrong with a text, without the place that the text
// came from.
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
	text := p.Text
	if p.Part != "" {
		text = p.Part + ": " + text
	}
	if p.Allowed != "" {
		text += "; allowed: " + p.Allowed
	}
	return text
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

// AsProblems returns what a Value's Set or Check found as problems.
func AsProblems(err error) Problems {
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
