package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/output"
	"github.com/weirflow/weir/sink/outputs"
)

// newConfig returns a Config with settings for each output of the registry, and for more.
func newConfig(more ...output.Kind) *Config {
	c := &Config{Outputs: map[string]output.Settings{}, more: more}
	for _, k := range c.Kinds() {
		c.Outputs[k.Name] = k.New()
	}
	return c
}

// Kinds returns the outputs that -transport may choose.
func (c *Config) Kinds() []output.Kind { return slices.Concat(outputs.All(), c.more) }

// Output returns the settings of the output that -transport chose.
func (c *Config) Output() output.Settings { return c.Outputs[c.Transport] }

// transportOption declares the choice of the output.
func (c *Config) transportOption() option.Option {
	var names, does []string
	for _, k := range c.Kinds() {
		names = append(names, k.Name)
		does = append(does, k.Name+" is "+k.Help)
	}
	return option.Option{
		Name: "transport", Live: true, Group: option.GroupWrite, Default: names[0], Shape: strings.Join(names, "|"), Inner: "type",
		Value: option.ChoiceValue(&c.Transport, option.Choices{Allowed: names}),
		Help:  fmt.Sprintf("Where to write: %s.", strings.Join(does, "; ")),
	}
}

// outputOptions declares the options of all outputs. A reload opens the output again where
// it does not adapt.
func (c *Config) outputOptions() (options []option.Option) {
	for _, k := range c.Kinds() {
		for _, o := range c.Outputs[k.Name].Options() {
			o.Live = true
			options = append(options, o)
		}
	}
	return options
}

// given returns what the output of that name may know about the rest.
func (c *Config) given(name string, have []Fault) *output.Given {
	return &output.Given{
		Chosen: name == c.Transport,
		Format: c.Format,
		Wrong:  func(option string) bool { return concerns(have, option) },
		Source: func(option string) string { return c.Sources[option] },
	}
}

// secrets has the chosen output read its secrets.
func (c *Config) secrets(environ []string) []Fault {
	if c.Output() == nil {
		return nil // -transport is wrong
	}
	return c.at(c.Output().Secrets(environ))
}

// outputFaults returns what is wrong with options of outputs that must fit each other.
func (c *Config) outputFaults(have []Fault) (out []Fault) {
	for _, k := range c.Kinds() {
		out = append(out, c.at(c.Outputs[k.Name].Validate(c.given(k.Name, have)))...)
	}
	return out
}

// outputNotes returns the notes of all outputs.
func (c *Config) outputNotes() (notes []string) {
	for _, k := range c.Kinds() {
		notes = append(notes, c.Outputs[k.Name].Notes(c.given(k.Name, nil))...)
	}
	return notes
}

// at returns faults of outputs with the places of the options.
func (c *Config) at(faults []output.Fault) (out []Fault) {
	for _, f := range faults {
		out = append(out, c.faultsOf(f.Option, f.Err)...)
	}
	return out
}
