package config

import "strings"

// A Group is a heading of the help.
type Group string

// The groups, in the order of the help.
const (
	GroupReceive   Group = "Receive"
	GroupDecode    Group = "Decode"
	GroupTemplates Group = "Templates"
	GroupWrite     Group = "Write"
	GroupKafka     Group = "Kafka"
	GroupSee       Group = "See"
	GroupRun       Group = "Run"
)

func groups() []Group {
	return []Group{GroupReceive, GroupDecode, GroupTemplates, GroupWrite, GroupKafka, GroupSee, GroupRun}
}

// An Option is one setting; flag, environment variable and YAML key follow
// from its name.
type Option struct {
	// Name is the flag without its dash; lower case, dotted.
	Name string
	// Default is the value's text when no layer gives one.
	Default string
	// Group is the heading under which the help shows the option.
	Group Group
	// Shape stands for the value in the help: "size", "json|bin".
	Shape string
	// Help is one or more sentences.
	Help string
	// Value parses, prints and checks the variable.
	Value Value
	// Inner is the YAML key that stands for the option where its name
	// holds a mapping, because other names begin with it.
	Inner string
	// NoEnv and NoFile take the option out of those layers.
	NoEnv, NoFile bool
}

// EnvPrefix is what the names of environment variables begin with.
const EnvPrefix = "WEIR_"

// Env returns the name of the option's environment variable, or "" if it has
// none.
func (o Option) Env() string {
	if o.NoEnv {
		return ""
	}
	return envName(o.Name)
}

// Key returns the option's YAML key in its dotted form, or "" if it has none.
func (o Option) Key() string {
	if o.NoFile {
		return ""
	}
	return o.Name
}

func envName(name string) string {
	return EnvPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name))
}

// A Table is the options of one command and the words of its help.
type Table struct {
	// Command is how the command is called: "weir", "weir decode".
	Command string
	// Usage is the line after "Usage:", About the paragraph before it.
	Usage, About string
	// Examples are lines "command  # what it does".
	Examples []Example
	// Options are the command's options, in the order of the help.
	Options []Option
	// Others are options of other commands: a flag of theirs is refused
	// by saying so, a variable of theirs is no reason for a warning.
	Others []Option
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
func find(options []Option, name string) *Option {
	for i := range options {
		if options[i].Name == name {
			return &options[i]
		}
	}
	return nil
}
