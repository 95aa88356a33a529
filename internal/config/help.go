package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// helpWidth is the column at which the help wraps.
const helpWidth = 80

// Help returns the help of the command: usage, options under their headings
// with defaults and environment variables, examples.
func (t *Table) Help() string {
	var b strings.Builder
	writeWrapped(&b, "", t.About)
	fmt.Fprintf(&b, "\nUsage: %s\n", t.Usage)
	for _, g := range t.Groups() {
		heading := false
		for _, o := range t.Options {
			if o.Group != g {
				continue
			}
			if !heading {
				fmt.Fprintf(&b, "\n%s\n", g)
				heading = true
			}
			fmt.Fprintf(&b, "  -%s %s\n", o.Name, o.Shape)
			writeWrapped(&b, "        ", o.Help)
			writeWrapped(&b, "        ", originOf(o))
		}
		if g == option.GroupRun {
			if !heading {
				fmt.Fprintf(&b, "\n%s\n", g)
			}
			b.WriteString("  -v, -version\n        Print the version and exit.\n")
			b.WriteString("  -h, -help\n        Print this help and exit.\n")
		}
	}
	b.WriteByte('\n')
	words := "Flags take one dash or two, and their value after a space or =."
	if t.FileOption != "" {
		words += " A flag counts more than the environment, the environment more than the file, the file more than the default. The names of the options, without the dash, are the keys of the file, dotted or nested."
	} else {
		words += " A flag counts more than the environment, the environment more than the default."
	}
	writeWrapped(&b, "", words)
	b.WriteString("\nExamples\n")
	for _, e := range t.Examples {
		fmt.Fprintf(&b, "  %s\n", e.Line)
		writeWrapped(&b, "        ", e.Does)
	}
	return b.String()
}

// Explain returns the help of one option, which may be given as a flag, as its environment
// variable or as its key in the file; false if there is none, with a text that names one that
// is spelled alike.
func (t *Table) Explain(name string) (string, bool) {
	plain := strings.TrimLeft(name, "-")
	var names []string
	for _, o := range t.Options {
		names = append(names, o.Name)
		nested := o.Name + "." + o.Inner // the key where others begin with the name
		if plain != o.Name && name != o.Env() && (o.Inner == "" || plain != nested) {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "-%s %s\n", o.Name, o.Shape)
		writeWrapped(&b, "        ", o.Help)
		def := o.Default
		if def == "" {
			def = "empty"
		}
		fmt.Fprintf(&b, "\n        Default      %s\n", def)
		if o.Env() != "" {
			fmt.Fprintf(&b, "        Environment  %s\n", o.Env())
		}
		if o.Key() != "" && t.FileOption != "" {
			fmt.Fprintf(&b, "        In the file  %s\n", o.Key())
		}
		change := "needs a restart"
		if o.Live {
			change = "takes effect at a reload (weir reload)"
		}
		fmt.Fprintf(&b, "        A change     %s\n", change)
		return b.String(), true
	}
	return unknown("option", "-", plain, names), false
}

// Groups returns the headings in order. Those of outputs follow the options of writing.
func (t *Table) Groups() (groups []option.Group) {
	for _, g := range option.Groups() {
		groups = append(groups, g)
		if g != option.GroupWrite {
			continue
		}
		for _, o := range t.Options {
			if !slices.Contains(option.Groups(), o.Group) && !slices.Contains(groups, o.Group) {
				groups = append(groups, o.Group)
			}
		}
	}
	return groups
}

// originOf says what the default is and which variable sets the option.
func originOf(o option.Option) string {
	def := "Default " + o.Default
	switch {
	case o.Default == "":
		def = "Default empty"
	case strings.Contains(o.Default, `\`):
		def = "Default " + `"` + o.Default + `"`
	}
	if env := o.Env(); env != "" {
		return def + ", environment " + env
	}
	return def + ", flag only"
}

// writeWrapped writes words in lines of at most helpWidth columns, longer only
// for a word that is longer.
func writeWrapped(b *strings.Builder, indent, text string) {
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	if column > 0 {
		b.WriteByte('\n')
	}
}
