package config

import "github.com/weirflow/weir/internal/option"

// A Table is the options of one command and the words of its help.
type Table struct {
	// Command is how the command is called: "weir", "weir decode".
	Command string
	// Usage is the line after "Usage:", About the paragraph before it.
	Usage, About string
	// Examples are lines "command  # what it does".
	Examples []Example
	// Options are the command's options, in the order of the help.
	Options []option.Option
	// Others are options of other commands: a flag of theirs is refused
	// by saying so, a variable of theirs is no reason for a warning.
	Others []option.Option
	// FileOption is the name of the option that names the YAML file, or
	// "" if the command reads none.
	FileOption string
	// Files allows arguments that are no flags.
	Files bool
}

// An Example is a command line and what it does.
type Example struct{ Line, Does string }

// names returns the names that a flag may have, for suggestions.
func (t *Table) names() []string {
	names := []string{"help", "version"}
	for _, o := range t.Options {
		names = append(names, o.Name)
	}
	return names
}

// find returns the option called name.
func find(options []option.Option, name string) *option.Option {
	for i := range options {
		if options[i].Name == name {
			return &options[i]
		}
	}
	return nil
}
