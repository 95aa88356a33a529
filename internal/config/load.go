package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/weirflow/weir/internal/option"
)

// A Result is what Load found besides the values, which are in the variables
// that the options are tied to.
type Result struct {
	// Files are the arguments that are no flags.
	Files []string
	// Sources says for each option where its value came from: "default",
	// "weir.yaml:12", "WEIR_FORMAT", "-format".
	Sources map[string]string
	// Warnings are things that look like mistakes and are no faults.
	Warnings []string
	// Notes are things that were accepted and have no effect, or less than
	// it seems.
	Notes []string
	// Version is true if -v or -version asked for the version; nothing
	// else was looked at then.
	Version bool

	origins map[string]setting
}

// A setting is one option's text in one layer.
type setting struct {
	option string // name of the option
	name   string // as written: -format, WEIR_FORMAT, format
	text   string
	file   string // name of the file, or ""
	line   int    // line in the file
	items  []int  // for a sequence, the line of each element of the list
}

// lineOf returns the line of element i of the setting.
func (s setting) lineOf(i int) int {
	if i < len(s.items) {
		return s.items[i]
	}
	return s.line
}

// where returns the place of element i of the setting, for a Fault.
func (s setting) where(i int) string {
	if s.file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.file, s.lineOf(i))
}

// source returns where the value came from, for the user.
func (s setting) source() string {
	if s.file != "" {
		return s.where(len(s.items))
	}
	return s.name
}

// faults turns what a Value found into faults at the setting's place.
func (s setting) faults(err error) []Fault {
	var out []Fault
	for _, p := range option.AsProblems(err) {
		value := p.Part
		if value == "" {
			value = option.Show(s.text)
		}
		if isSecret(s.option) {
			value = ""
		}
		value, text := redactParts(value, s.text), redactParts(p.Text, s.text)
		out = append(out, Fault{
			Option: s.option, Where: s.where(p.Index), Name: s.name, Value: value,
			Problem: text, Allowed: p.Allowed, line: s.lineOf(p.Index),
		})
	}
	return out
}

// Load sets the variables of the table's options from defaults, file,
// environment and flags, in this order. args are the arguments after the
// command's name, environ has the form of os.Environ.
//
// With -h or -help it writes the help to w and returns ErrHelp. Anything wrong
// is returned as a *UsageError that holds all faults; the result is then not
// nil, for its warnings. The table's options must be tied to variables that
// nothing else uses meanwhile.
func (t *Table) Load(args, environ []string, w io.Writer) (*Result, error) {
	res, faults, err := t.load(args, environ, w)
	if err != nil {
		return res, err
	}
	return res, usageError(faults)
}

func (t *Table) load(args, environ []string, w io.Writer) (*Result, []Fault, error) {
	res := &Result{Sources: map[string]string{}, origins: map[string]setting{}}
	flags := t.scanFlags(args)
	switch {
	case flags.help:
		if _, err := io.WriteString(w, t.Help()); err != nil {
			return res, nil, fmt.Errorf("write help: %w", err)
		}
		return res, nil, ErrHelp
	case flags.version:
		res.Version = true
	}

	var faults []Fault
	for _, o := range t.Options {
		def := setting{option: o.Name, name: "default of " + o.Name, text: o.Default}
		faults = append(faults, t.apply(def, res)...)
		res.Sources[o.Name] = "default"
	}
	if res.Version {
		return res, faults, nil
	}

	env, warnings := t.scanEnv(environ)
	res.Files, res.Notes, res.Warnings = flags.files, flags.notes, warnings

	if named := t.fileSetting(env, flags.settings); named.text != "" {
		settings, fileFaults := t.readFile(named)
		fileFaults = append(fileFaults, t.applyAll(settings, res)...)
		slices.SortStableFunc(fileFaults, func(a, b Fault) int { return cmp.Compare(a.line, b.line) })
		faults = append(faults, fileFaults...)
	}
	faults = append(faults, t.applyAll(env, res)...)
	faults = append(faults, t.applyAll(flags.settings, res)...)
	return res, append(faults, flags.faults...), nil
}

// applyAll applies the settings of one layer.
func (t *Table) applyAll(layer []setting, res *Result) (faults []Fault) {
	for _, s := range layer {
		faults = append(faults, t.apply(s, res)...)
	}
	return faults
}

// apply sets and checks one option and remembers where its value came from.
func (t *Table) apply(s setting, res *Result) []Fault {
	o := find(t.Options, s.option)
	err := o.Value.Set(s.text)
	if err == nil {
		err = o.Value.Check()
	}
	res.Sources[s.option] = s.source()
	res.origins[s.option] = s
	return s.faults(err)
}

// fileSetting returns the last setting that names the YAML file.
func (t *Table) fileSetting(layers ...[]setting) setting {
	var out setting
	for _, s := range slices.Concat(layers...) {
		if t.FileOption != "" && s.option == t.FileOption {
			out = s
		}
	}
	return out
}
