package manual

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// roff escapes a text for man(7).
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return strings.ReplaceAll(s, "\n.", "\n\\&.")
}

// page collects the lines of a page.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) text(s string) { p.line("%s", roff(strings.Join(strings.Fields(s), " "))) }

func (p *page) title(name string, section int, version, date string) {
	p.line(`.TH %s %d "%s" "weir %s" "weir"`, strings.ToUpper(roff(name)), section, date, roff(version))
}

// tagged is a paragraph with a term.
func (p *page) tagged(term, text string) {
	p.line(".TP\n%s", term)
	p.text(text)
}

// Man returns the manual page of a program, in man(7). date is that of the version, as
// 2006-01-02.
func Man(p *Program, version, date string) string {
	var b page
	b.title(p.Name, 1, version, date)
	b.line(".SH NAME\n%s \\- %s", roff(p.Name), roff(p.Title))
	b.line(".SH SYNOPSIS")
	if p.Commands == nil {
		b.line(".B %s", roff(p.Name))
		b.line("[flags]")
	}
	for i, c := range p.Commands {
		if i > 0 {
			b.line(".br")
		}
		b.line(".B %s", roff(strings.TrimSpace(p.Name+" "+c.Name)))
		if c.Args != "" {
			b.line("%s", roff(c.Args))
		}
	}
	b.line(".SH DESCRIPTION")
	b.text(p.Table.About)
	if p.Commands != nil {
		b.line(".SH COMMANDS")
		for _, c := range p.Commands {
			b.tagged(fmt.Sprintf(".B %s", roff(strings.TrimSpace(c.Name+" "+c.Args))), strings.ToUpper(c.Does[:1])+c.Does[1:]+".")
		}
	}
	b.line(".SH OPTIONS")
	b.text("Options take one dash or two, and their value after a space or =. A flag has precedence over the environment variable, which has precedence over the configuration file.")
	for _, g := range p.Table.Groups() {
		heading := false
		for _, o := range p.Table.Options {
			if o.Group != g {
				continue
			}
			if !heading {
				b.line(".SS %s", roff(string(g)))
				heading = true
			}
			b.tagged(fmt.Sprintf(".BR \\-%s \" %s\"", roff(o.Name), roff(o.Shape)), o.Help)
			b.line(".br")
			b.text(origin(&o))
		}
	}
	for _, c := range p.Commands {
		if c.Table == nil {
			continue
		}
		b.line(".SS Of %s", roff(c.Table.Command))
		for _, o := range c.Table.Options {
			b.tagged(fmt.Sprintf(".BR \\-%s \" %s\"", roff(o.Name), roff(o.Shape)), o.Help)
			b.line(".br")
			b.text(defaultOf(&o))
		}
	}
	b.line(".SS Other")
	b.tagged(`.BR \-v , " \-version"`, "Print the version and exit.")
	b.tagged(`.BR \-h , " \-help"`, "Print the help and exit.")
	if p.Signals != nil {
		b.line(".SH SIGNALS")
		for _, s := range p.Signals {
			b.tagged(".B "+roff(s.Name), s.Does)
		}
	}
	if p.Files != nil {
		b.line(".SH FILES")
		for _, f := range p.Files {
			b.tagged(".I "+roff(f.Path), f.Does)
		}
	}
	b.line(".SH EXIT STATUS")
	for _, e := range p.Exits {
		b.tagged(fmt.Sprintf(".B %d", e.Code), e.Means)
	}
	b.line(".SH EXAMPLES")
	for i, e := range p.Table.Examples {
		if i > 0 {
			b.line(".PP")
		}
		b.line(".nf\n%s\n.fi", roff(e.Line))
		b.line(".RS")
		b.text(e.Does)
		b.line(".RE")
	}
	b.see(p.See)
	return b.String()
}

func (p *page) see(pages []string) {
	if len(pages) == 0 {
		return
	}
	p.line(".SH SEE ALSO")
	for i, s := range pages {
		name, section, _ := strings.Cut(s, "(")
		comma := ","
		if i == len(pages)-1 {
			comma = ""
		}
		p.line(".BR %s (%s%s", roff(name), section, comma)
	}
}

// defaultOf says which value an option has, and which variable sets it.
func defaultOf(o *option.Option) string {
	def := o.Default
	if def == "" {
		def = "empty"
	}
	text := "Default: " + def + "."
	if o.Env() != "" {
		text += " Environment: " + o.Env() + "."
	}
	return text
}

// origin says where the value of an option comes from, and when a change takes effect.
func origin(o *option.Option) string {
	text := defaultOf(o)
	if o.Live {
		return text + " A reload changes it."
	}
	return text + " A change needs a restart."
}

// FilePage returns the manual page of a program's configuration file, in man(7).
func FilePage(p *Program, version, date string) string {
	var b page
	name := p.Name + ".yaml"
	b.title(name, 5, version, date)
	b.line(".SH NAME\n%s \\- configuration of %s", roff(name), roff(p.Name))
	b.line(".SH DESCRIPTION")
	b.text("A YAML file, named by -config or WEIR_CONFIG. Its keys are the names of the options, dotted (batch.size: 256KiB) or nested. Environment variables have precedence over it, and flags over both. weir check -config FILE reports all mistakes with their lines.")
	b.line(".SH KEYS")
	for _, o := range p.Table.Options {
		if o.Key() == "" {
			continue
		}
		b.tagged(fmt.Sprintf(".BR %s \": %s\"", roff(o.Key()), roff(o.Shape)), o.Help)
		b.line(".br")
		b.text(origin(&o))
	}
	b.see([]string{p.Name + "(1)"})
	return b.String()
}
