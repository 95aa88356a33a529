package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/option"
)

// Completion returns the completions of a program for bash, zsh or fish; false for another
// shell.
func Completion(shell string, p *Program) (string, bool) {
	switch shell {
	case "bash":
		return bash(p), true
	case "zsh":
		return zsh(p), true
	case "fish":
		return fish(p), true
	}
	return "", false
}

// words returns the words that an option may have, nil where its shape is no list of words.
func words(o *option.Option) []string {
	list := strings.Split(o.Shape, "|")
	if len(list) < 2 || strings.ContainsAny(o.Shape, " ,.%[") {
		return nil
	}
	return list
}

// isFile reports whether the value of an option is a file or a folder.
func isFile(o *option.Option) bool {
	return slices.Contains([]string{"path", "file", "folder"}, o.Shape)
}

// commandWords returns the first words of the commands.
func commandWords(p *Program) (list []Command) {
	for _, c := range p.Commands {
		c.Name, _, _ = strings.Cut(c.Name, " ")
		if !slices.ContainsFunc(list, func(o Command) bool { return o.Name == c.Name }) {
			list = append(list, c)
		}
	}
	return list
}

// ownFlags returns the commands that have options of their own.
func ownFlags(p *Program) (list []Command) {
	for _, c := range p.Commands {
		if c.Table != nil {
			list = append(list, c)
		}
	}
	return list
}

// flagNames lists the flags of a table.
func flagNames(t *config.Table) string {
	var names []string
	for i := range t.Options {
		names = append(names, "-"+t.Options[i].Name)
	}
	return strings.Join(names, " ")
}

// has reports whether a table has an option.
func has(t *config.Table, name string) bool {
	return slices.ContainsFunc(t.Options, func(o option.Option) bool { return o.Name == name })
}

// sentence returns the first sentence of a text, without its full stop.
func sentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSuffix(s, ".")
}

func bash(p *Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Completions of %s for bash.\n_%s() {\n", p.Name, p.Name)
	b.WriteString("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=\n")
	b.WriteString("\tCOMPREPLY=()\n\t[ \"$COMP_CWORD\" -gt 0 ] && prev=${COMP_WORDS[COMP_CWORD-1]}\n")
	b.WriteString("\tcase ${prev#-} in\n")
	var flags []string
	for i := range p.Table.Options {
		o := &p.Table.Options[i]
		flags = append(flags, "-"+o.Name)
		switch list := words(o); {
		case list != nil:
			fmt.Fprintf(&b, "\t-%s | %s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n", o.Name, o.Name, strings.Join(list, " "))
		case !isFile(o):
			fmt.Fprintf(&b, "\t-%s | %s) return ;;\n", o.Name, o.Name)
		}
	}
	b.WriteString("\tesac\n")
	for _, c := range ownFlags(p) {
		fmt.Fprintf(&b, "\tif [[ $cur == -* && ${COMP_WORDS[1]} == %s ]]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s -version -help' -- \"$cur\")\n\t\treturn\n\tfi\n", c.Name, flagNames(c.Table))
	}
	fmt.Fprintf(&b, "\tif [[ $cur == -* ]]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s -version -help' -- \"$cur\")\n\t\treturn\n\tfi\n", strings.Join(flags, " "))
	if list := commandWords(p); list != nil {
		var names []string
		for _, c := range list {
			names = append(names, c.Name)
		}
		fmt.Fprintf(&b, "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\treturn\n\tfi\n", strings.Join(names, " "))
		b.WriteString("\tcase $prev in\n\thelp) mapfile -t COMPREPLY < <(compgen -W 'run decode check top' -- \"$cur\"); return ;;\n")
		b.WriteString("\tcompletion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh fish' -- \"$cur\"); return ;;\n\txdp) mapfile -t COMPREPLY < <(compgen -W detach -- \"$cur\"); return ;;\n\tesac\n")
	}
	b.WriteString("\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n}\n")
	fmt.Fprintf(&b, "complete -o filenames -F _%s %s\n", p.Name, p.Name)
	return b.String()
}

func zsh(p *Program) string {
	clean := strings.NewReplacer("'", "", "[", "(", "]", ")", ":", ",", `\`, "", "`", "", `"`, "")
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# Completions of %s for zsh.\n_arguments -S \\\n", p.Name, p.Name)
	for i := range p.Table.Options {
		o := &p.Table.Options[i]
		action := ":" + clean.Replace(o.Shape) + ":"
		switch list := words(o); {
		case list != nil:
			action += "(" + strings.Join(list, " ") + ")"
		case isFile(o):
			action += "_files"
		default:
			action += " "
		}
		fmt.Fprintf(&b, "  '-%s[%s]%s' \\\n", o.Name, clean.Replace(sentence(o.Help)), action)
	}
	for _, c := range ownFlags(p) {
		for i := range c.Table.Options {
			if o := &c.Table.Options[i]; !has(p.Table, o.Name) {
				fmt.Fprintf(&b, "  '-%s[%s]' \\\n", o.Name, clean.Replace("of "+c.Name+": "+sentence(o.Help)))
			}
		}
	}
	b.WriteString("  '-version[print the version and exit]' \\\n  '-help[print the help and exit]' \\\n")
	if list := commandWords(p); list != nil {
		b.WriteString("  '1:command:((")
		for i, c := range list {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, `%s\:"%s"`, c.Name, clean.Replace(c.Does))
		}
		b.WriteString("))' \\\n")
	}
	b.WriteString("  '*:file:_files'\n")
	return b.String()
}

func fish(p *Program) string {
	quote := strings.NewReplacer(`\`, `\\`, "'", `\'`)
	var b strings.Builder
	fmt.Fprintf(&b, "# Completions of %s for fish.\n", p.Name)
	for i := range p.Table.Options {
		o := &p.Table.Options[i]
		extra := " -x"
		switch list := words(o); {
		case list != nil:
			extra = " -x -a '" + strings.Join(list, " ") + "'"
		case isFile(o):
			extra = " -r -F"
		}
		fmt.Fprintf(&b, "complete -c %s -o %s%s -d '%s'\n", p.Name, o.Name, extra, quote.Replace(sentence(o.Help)))
	}
	for _, c := range ownFlags(p) {
		for i := range c.Table.Options {
			if o := &c.Table.Options[i]; !has(p.Table, o.Name) {
				fmt.Fprintf(&b, "complete -c %s -n '__fish_seen_subcommand_from %s' -o %s -d '%s'\n", p.Name, c.Name, o.Name, quote.Replace(sentence(o.Help)))
			}
		}
	}
	fmt.Fprintf(&b, "complete -c %s -o version -d 'Print the version and exit'\ncomplete -c %s -o help -d 'Print the help and exit'\n", p.Name, p.Name)
	for _, c := range commandWords(p) {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d '%s'\n", p.Name, c.Name, quote.Replace(c.Does))
	}
	return b.String()
}
