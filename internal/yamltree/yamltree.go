// Package yamltree reads YAML files of one document as trees, for the configuration file and
// the mapping file. What is wrong is reported with its line through a function, so that all
// faults of a file come out at once.
package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weirflow/weir/internal/option"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 1 << 20

// Read returns the content of a file of at most 1 MiB. Errors do not contain its name.
func Read(name string) ([]byte, error) {
	data, err := read(name)
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("it is larger than %s", option.FormatSize(MaxFile))
	}
	return data, err
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFile+1))
}

// A Fault takes what is wrong at a line, 0 if that is not known. path is the dotted name of
// the key, empty for the document; allowed says what may be written instead.
type Fault func(line int, path, problem, allowed string)

// Parse returns the root of the one document in data, nil if there is none or if it is not
// YAML.
func Parse(data []byte, fault Fault) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		syntax(err, fault)
		return nil
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		syntax(err, fault)
	default:
		fault(second.Line, "", "second document in the file", "one")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// syntax takes the line number, which the YAML library has only in its message, out of it.
func syntax(err error, fault Fault) {
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1]) // digits or nothing
	fault(line, "", "not YAML: "+option.HideQuoted(err.Error()[len(m[0]):]), "")
}

// Pairs calls each for every key of a mapping whose dotted path is path. A key of more than
// one value and a key that appears twice are faults; names says what the keys are. Keys and
// values are as in the file: an alias is not followed.
func Pairs(n *yaml.Node, path, names string, fault Fault, each func(key, value *yaml.Node, at string)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := Resolve(key)
		if name.Kind != yaml.ScalarNode {
			fault(key.Line, path, Kind(name)+" where a key should be", names)
			continue
		}
		at := strings.TrimPrefix(path+"."+name.Value, ".")
		if line, twice := seen[name.Value]; twice {
			fault(key.Line, at, fmt.Sprintf("key appears twice, first in line %d", line), "each key once")
			continue
		}
		seen[name.Value] = key.Line
		each(key, value, at)
	}
}

// Resolve follows aliases. The library refuses those that contain themselves.
func Resolve(n *yaml.Node) *yaml.Node {
	for range 16 {
		if n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
}

// IsNull reports whether a node has no value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Kind says in words what a node is.
func Kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	case "!!str":
		return "a text"
	}
	return "a value with a tag"
}
