package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/yamltree"
)

// readFile reads the YAML file that the setting names.
func (t *Table) readFile(named setting) ([]setting, []Fault) {
	data, err := yamltree.Read(named.text)
	if err != nil {
		return nil, []Fault{{Option: named.option, Name: named.name, Value: option.Show(named.text), Problem: fmt.Sprintf("cannot read the file: %v", err)}}
	}
	return t.parseYAML(named.text, data)
}

// parseYAML reads the settings of a YAML document and reports all faults.
func (t *Table) parseYAML(file string, data []byte) ([]setting, []Fault) {
	y := yamlReader{table: t, file: file, first: map[string]int{}}
	root := yamltree.Parse(data, func(line int, path, problem, allowed string) {
		f := Fault{Where: file, Name: path, Problem: problem, Allowed: allowed, line: line}
		if allowed == "" { // it is not YAML
			f.Option = t.FileOption
		}
		if line > 0 {
			f.Where += ":" + strconv.Itoa(line)
		}
		y.faults = append(y.faults, f)
	})
	if root != nil {
		y.root(root)
	}
	return y.settings, y.faults
}

// yamlReader turns the tree of a document into settings.
type yamlReader struct {
	table    *Table
	file     string
	first    map[string]int // option -> line at which it was given
	settings []setting
	faults   []Fault
}

func (y *yamlReader) fault(n *yaml.Node, name, value, problem, allowed string) {
	option := ""
	if o, _ := y.lookup(name); o != nil {
		option = o.Name
	}
	if option == "" || isSecret(option) {
		value = ""
	}
	y.faults = append(y.faults, Fault{
		Option: option, Where: y.file + ":" + strconv.Itoa(n.Line), Name: name, Value: value, Problem: problem, Allowed: allowed,
		line: n.Line,
	})
}

func (y *yamlReader) root(n *yaml.Node) {
	switch {
	case yamltree.IsNull(n):
	case n.Kind != yaml.MappingNode:
		y.fault(n, "", "", yamltree.Kind(n)+" where the options should be", "option: value, one a line")
	default:
		y.mapping(n, "")
	}
}

// mapping reads the keys below prefix, which is "" or ends with a dot.
func (y *yamlReader) mapping(n *yaml.Node, prefix string) {
	const names = "the names of options"
	fault := func(line int, path, problem, allowed string) {
		y.fault(&yaml.Node{Line: line}, path, "", problem, allowed)
	}
	section := strings.TrimSuffix(prefix, ".")
	yamltree.Pairs(n, section, names, fault, func(key, value *yaml.Node, path string) {
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" && key.ShortTag() != "!!merge" {
			y.fault(key, section, "", yamltree.Kind(key)+" where a key should be", names)
			return
		}
		y.entry(key, value, path)
	})
}

// entry reads one key and its value.
func (y *yamlReader) entry(key, value *yaml.Node, path string) {
	o, section := y.lookup(path)
	switch {
	case o == nil && !section:
		y.unknown(key, value, path)
	case value.Kind == yaml.AliasNode || value.Anchor != "":
		y.fault(value, path, "", "anchors and aliases are not supported", "the value itself")
	case value.Kind == yaml.MappingNode && section:
		y.mapping(value, path+".")
	case o == nil && yamltree.IsNull(value):
	case o == nil:
		y.fault(value, path, "", yamltree.Kind(value)+" where a section should be", "keys below "+path)
	case y.first[o.Name] != 0:
		y.fault(key, path, showNode(value), fmt.Sprintf("option %s is given twice, first in line %d", o.Name, y.first[o.Name]), "each option once")
	default:
		y.first[o.Name] = key.Line
		y.value(o, value, path)
	}
}

// lookup returns the option that path names, directly or by an inner key, and
// whether names of options begin with path.
func (y *yamlReader) lookup(path string) (o *option.Option, section bool) {
	for i := range y.table.Options {
		c := &y.table.Options[i]
		switch {
		case c.NoFile:
		case c.Name == path, c.Inner != "" && c.Name+"."+c.Inner == path:
			o = c
		case strings.HasPrefix(c.Name, path+"."):
			section = true
		}
		section = section || c.Name == path && c.Inner != ""
	}
	return o, section
}

// value reads the value of an option: a scalar, or for a list a sequence.
func (y *yamlReader) value(o *option.Option, n *yaml.Node, path string) {
	s := setting{option: o.Name, name: path, file: y.file, line: n.Line}
	switch {
	case n.Kind == yaml.SequenceNode && o.Value.List:
		parts := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			text, ok := y.element(o, item, path)
			if !ok {
				return
			}
			parts = append(parts, text)
			for range strings.Count(text, ",") + 1 {
				s.items = append(s.items, item.Line)
			}
		}
		s.text = strings.Join(parts, ",")
	case n.Kind == yaml.SequenceNode, n.Kind == yaml.MappingNode:
		y.fault(n, path, "", yamltree.Kind(n)+" where one value should be", o.Shape)
		return
	default:
		var ok bool
		if s.text, ok = y.scalar(o, n, path); !ok {
			return
		}
	}
	y.settings = append(y.settings, s)
}

// element returns the text of an element of a list: a scalar, or a mapping where
// the option takes one.
func (y *yamlReader) element(o *option.Option, n *yaml.Node, path string) (string, bool) {
	if n.Kind != yaml.MappingNode || o.Value.Entry == nil {
		return y.scalar(o, n, path)
	}
	fields := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		text, ok := y.scalar(o, value, path+"."+key.Value)
		if !ok {
			return "", false
		}
		if _, twice := fields[key.Value]; twice {
			y.fault(key, path+"."+key.Value, "", "key appears twice", "each key once")
			return "", false
		}
		if strings.Contains(text, ",") {
			y.fault(value, path+"."+key.Value, option.Show(text), "a comma in a value", o.Shape)
			return "", false
		}
		fields[key.Value] = text
	}
	text, err := o.Value.Entry(fields)
	for _, p := range option.AsProblems(err) {
		y.fault(n, path, p.Part, p.Text, p.Allowed)
	}
	return text, err == nil
}

// scalar returns the text of a scalar as it stands in the file, if the option
// may have one of its type.
func (y *yamlReader) scalar(o *option.Option, n *yaml.Node, path string) (string, bool) {
	switch tag := n.ShortTag(); {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		y.fault(n, path, "", "anchors and aliases are not supported", "the value itself")
	case n.Kind != yaml.ScalarNode:
		y.fault(n, path, "", yamltree.Kind(n)+" where one value should be", o.Shape)
	case tag == "!!null":
		y.fault(n, path, "", "key without a value", o.Shape+`; "" for an empty text; or no such key, for the default`)
	case tag != "!!str" && (n.Style&yaml.TaggedStyle != 0 || o.Value.Text):
		y.fault(n, path, option.Show(n.Value), "not a text but "+yamltree.Kind(n), "the value in quotes")
	default:
		return n.Value, true
	}
	return "", false
}

// unknown refuses a key that is no option of the file.
func (y *yamlReader) unknown(key, value *yaml.Node, path string) {
	if o := find(y.table.Options, path); o != nil {
		y.fault(key, path, "", "cannot stand in the file; use the flag -"+path, "")
		return
	}
	if old := findOld(path); old != nil {
		y.fault(key, path, "", old.inFile(), "")
		return
	}
	var known []string
	for _, o := range y.table.Options {
		if !o.NoFile {
			known = append(known, o.Name)
		}
		// Sections are worth suggesting for a mapping only.
		for i := range o.Name {
			if o.Name[i] == '.' && value.Kind == yaml.MappingNode {
				known = append(known, o.Name[:i])
			}
		}
	}
	y.fault(key, path, "", unknown("key", "", path, known), "")
}

// showNode quotes a scalar for a message; other nodes have nothing short to
// show.
func showNode(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || yamltree.IsNull(n) {
		return ""
	}
	return option.Show(n.Value)
}
