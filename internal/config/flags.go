package config

import (
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// flagScan is what the command line says.
type flagScan struct {
	settings      []setting
	files         []string
	faults        []Fault
	notes         []string
	help, version bool
}

// scanFlags reads the command line in the syntax of the flag package, except
// that it goes on after a fault, to find all of them, and after arguments
// that are no flags.
func (t *Table) scanFlags(args []string) flagScan {
	var out flagScan
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			for _, a := range args[i+1:] {
				t.addFile(&out, a)
			}
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			t.addFile(&out, arg)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f := Fault{Name: "-" + name}

		// take gives the flag its value, from after = or from the next
		// argument.
		take := func() bool {
			if hasValue {
				return true
			}
			if i+1 == len(args) {
				f.Problem = "needs a value"
				out.faults = append(out.faults, f)
				return false
			}
			i++
			value, hasValue = args[i], true
			return true
		}

		if on := out.builtin(name); on != nil {
			*on = true
			if hasValue {
				b, err := strconv.ParseBool(value)
				if err != nil {
					f.Value, f.Problem, f.Allowed = option.Show(value), "not a truth value", "true, false"
					out.faults = append(out.faults, f)
				}
				*on = b
			}
			continue
		}

		o, old := find(t.Options, name), (*oldName)(nil)
		if o == nil {
			if old = findOld(name); old != nil && old.to != "" {
				if o = find(t.Options, old.to); o == nil {
					old = nil
				}
			}
		}
		switch {
		case o != nil:
			f.Option = o.Name
			if o.Value.Switch && !hasValue && !(i+1 < len(args) && isTruth(args[i+1])) {
				value, hasValue = "true", true
			}
			if !take() {
				continue
			}
			s := setting{option: o.Name, name: "-" + name, text: value}
			if old != nil {
				out.note("-" + name + " is an old name of -" + o.Name)
			}
			out.settings = append(out.settings, s)
		case old != nil && old.noEffect != "":
			if old.isSwitch && !hasValue && !(i+1 < len(args) && isTruth(args[i+1])) {
				value, hasValue = "true", true
			}
			if !take() {
				continue
			}
			if on, err := strconv.ParseBool(value); old.onlyTrue && (err != nil || !on) {
				f.Value, f.Problem = option.Show(value), old.refusal
				out.faults = append(out.faults, f)
				continue
			}
			out.note("-" + name + " has no effect: " + old.noEffect)
		case old != nil:
			if !old.isSwitch && i+1 < len(args) {
				take()
			}
			f.Problem = old.refusal
			out.faults = append(out.faults, f)
		default:
			// Whether an unknown flag has a value cannot be known; an
			// argument that looks like one is skipped, or the report
			// would have it as a second fault.
			if !hasValue && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
			f.Problem = unknown("flag", "-", name, t.names())
			if find(t.Others, name) != nil {
				f.Problem = "not an option of " + t.Command
			}
			f.Problem += " (" + t.Command + " -h lists all flags)"
			out.faults = append(out.faults, f)
		}
	}
	return out
}

// isTruth says whether an argument after a switch is its value.
func isTruth(arg string) bool { return arg == "true" || arg == "false" }

// builtin returns the switch that every command has by that name.
func (s *flagScan) builtin(name string) *bool {
	switch name {
	case "h", "help":
		return &s.help
	case "v", "version":
		return &s.version
	}
	return nil
}

// note remembers a note once.
func (s *flagScan) note(text string) {
	for _, n := range s.notes {
		if n == text {
			return
		}
	}
	s.notes = append(s.notes, text)
}

func (t *Table) addFile(out *flagScan, arg string) {
	if t.Files {
		out.files = append(out.files, arg)
		return
	}
	out.faults = append(out.faults, Fault{
		Problem: "unexpected argument",
		Allowed: "flags only, as -name value or -name=value",
	})
}
