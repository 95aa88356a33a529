package option

import "strings"

// A Group is a heading of the help.
type Group string

// The groups that every command may have, in the order of the help. An output may have
// another, which follows GroupWrite.
const (
	GroupReceive   Group = "Receive"
	GroupDecode    Group = "Decode"
	GroupTemplates Group = "Templates"
	GroupWrite     Group = "Write"
	GroupSee       Group = "See"
	GroupRun       Group = "Run"
)

// Groups returns the groups in the order of the help.
func Groups() []Group {
	return []Group{GroupReceive, GroupDecode, GroupTemplates, GroupWrite, GroupSee, GroupRun}
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
	// Live says that a reload changes the value of a running weir. Any other option needs
	// a restart.
	Live bool
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
	return EnvName(o.Name)
}

// Key returns the option's YAML key in its dotted form, or "" if it has none.
func (o Option) Key() string {
	if o.NoFile {
		return ""
	}
	return o.Name
}

// EnvName returns the environment variable of an option's name.
func EnvName(name string) string {
	return EnvPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name))
}
