// Package reload plans what a reload of the configuration changes, and carries the request
// of weir reload to a running weir.
//
// A reload parses everything again, as the start does. Options that are live
// (option.Option) take their new values; all others keep theirs and are named, since they
// need a restart.
package reload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/config"
)

// A Plan is what a reload changes.
type Plan struct {
	// Was is what is in force before, Config what is afterwards.
	Was, Config *config.Config
	// Changed names the options that change now, Restart those that keep their values
	// until weir is started again.
	Changed, Restart []string
}

// NewPlan compares the configuration in force with the one that was read, which becomes the
// plan's: options that need a restart get their old values, those among them that are live
// but fixed in this process. If live options do not fit these, all that has changed needs a
// restart.
func NewPlan(was, next *config.Config, fixed ...string) (*Plan, error) {
	p := &Plan{Was: was, Config: next}
	for _, name := range was.Changed(next) {
		if next.Live(name) && !slices.Contains(fixed, name) {
			p.Changed = append(p.Changed, name)
		} else {
			p.Restart = append(p.Restart, name)
		}
	}
	if len(p.Restart) == 0 {
		return p, nil
	}
	if err := next.Retain(was, p.Restart); err != nil {
		return nil, err
	}
	var usage *config.UsageError
	switch err := next.Validate(); {
	case err == nil:
	case errors.As(err, &usage):
		if err := next.Retain(was, p.Changed); err != nil {
			return nil, err
		}
		p.Changed, p.Restart = nil, slices.Concat(p.Changed, p.Restart)
	default:
		return nil, fmt.Errorf("check what stays of the configuration: %w", err)
	}
	return p, nil
}

// Has reports whether any of the options changes.
func (p *Plan) Has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(p.Changed, name) })
}

// HasBelow reports whether any option changes whose name begins so.
func (p *Plan) HasBelow(prefix string) bool {
	return slices.ContainsFunc(p.Changed, func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// String returns what changes in lines, of which the first is "reloaded".
func (p *Plan) String() string {
	text := "reloaded\n"
	if len(p.Changed) > 0 {
		text += "changed: " + strings.Join(p.Changed, ", ") + "\n"
	}
	if len(p.Restart) > 0 {
		text += "changed at the next start of weir: " + strings.Join(p.Restart, ", ") + "\n"
	}
	return text
}
