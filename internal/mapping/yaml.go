package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weirflow/weir/decoders/elements"
	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/yamltree"
	"github.com/weirflow/weir/producer"
)

// A visit reads the value of a key.
type visit func(n *yaml.Node, path string)

// section reads a mapping whose keys are known.
func (r *reader) section(n *yaml.Node, path string, keys map[string]visit) {
	n = yamltree.Resolve(n)
	if yamltree.IsNull(n) {
		return
	}
	var known []string
	for k := range keys {
		known = append(known, k)
	}
	slices.Sort(known)
	allowed := strings.Join(known, ", ")
	if n.Kind != yaml.MappingNode {
		r.fault(n.Line, path, "", yamltree.Kind(n)+" where a mapping should be", "the keys "+allowed)
		return
	}
	r.pairs(n, path, func(key string, value *yaml.Node, at string, line int) {
		if v := keys[key]; v != nil {
			v(value, at)
			return
		}
		r.fault(line, at, "", "unknown key", allowed)
	})
}

// pairs calls f for each key of a mapping. line is that of the key.
func (r *reader) pairs(n *yaml.Node, path string, f func(key string, value *yaml.Node, at string, line int)) {
	yamltree.Pairs(n, path, "a name", r.treeFault, func(key, value *yaml.Node, at string) {
		line, to := key.Line, yamltree.Resolve(value)
		if value.Kind == yaml.ScalarNode && value.Line > 0 {
			line = value.Line
		}
		r.lines[at] = line
		f(yamltree.Resolve(key).Value, to, at, key.Line)
	})
}

// list reads the elements of a list.
func (r *reader) list(n *yaml.Node, path string, each visit) {
	if yamltree.IsNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n.Line, path, "", yamltree.Kind(n)+" where a list should be", "elements that begin with -")
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.lines[at] = item.Line
		each(yamltree.Resolve(item), at)
	}
}

// scalar returns the text of a value.
func (r *reader) scalar(n *yaml.Node, path, allowed string) (string, bool) {
	if n.Kind != yaml.ScalarNode || yamltree.IsNull(n) {
		r.fault(n.Line, path, "", yamltree.Kind(n)+" where one value should be", allowed)
		return "", false
	}
	return n.Value, true
}

// text reads a text.
func (r *reader) text(to *string) visit {
	return func(n *yaml.Node, path string) {
		if s, ok := r.scalar(n, path, "a text"); ok {
			*to = s
		}
	}
}

// number reads a whole number from lo to hi.
func (r *reader) number(lo, hi int64, to func(int64)) visit {
	return func(n *yaml.Node, path string) {
		allowed := fmt.Sprintf("a whole number from %d to %d", lo, hi)
		s, ok := r.scalar(n, path, allowed)
		if !ok {
			return
		}
		v, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 0, 64)
		if err != nil || v < lo || v > hi {
			r.fault(n.Line, path, option.Show(s), "not a number in range", allowed)
			return
		}
		to(v)
	}
}

// truth reads a truth value.
func (r *reader) truth(to *bool) visit {
	return func(n *yaml.Node, path string) {
		s, ok := r.scalar(n, path, "true, false")
		if !ok {
			return
		}
		if n.ShortTag() != "!!bool" {
			r.fault(n.Line, path, option.Show(s), "not a truth value", "true, false")
			return
		}
		if err := n.Decode(to); err != nil {
			r.fault(n.Line, path, option.Show(s), "not a truth value", "true, false")
		}
	}
}

// choice reads one of a few words.
func (r *reader) choice(words []string, to func(string)) visit {
	return func(n *yaml.Node, path string) {
		allowed := strings.Join(words, ", ")
		s, ok := r.scalar(n, path, allowed)
		switch {
		case !ok:
		case !slices.Contains(words, s):
			r.fault(n.Line, path, option.Show(s), "unknown choice", allowed)
		default:
			to(s)
		}
	}
}

// names reads a list of texts.
func (r *reader) names(to *[]string) visit {
	return func(n *yaml.Node, path string) {
		r.list(n, path, func(item *yaml.Node, at string) {
			var s string
			r.text(&s)(item, at)
			*to = append(*to, s)
		})
	}
}

func (r *reader) root(n *yaml.Node) {
	m := &r.mapping
	r.section(n, "", map[string]visit{
		"formatter": r.formatter,
		"ipfix": func(n *yaml.Node, path string) {
			r.section(n, path, map[string]visit{"mapping": r.elements(&m.IPFIX, true)})
		},
		"netflowv9": func(n *yaml.Node, path string) {
			r.section(n, path, map[string]visit{"mapping": r.elements(&m.NetFlowV9, false)})
		},
		"sflow": func(n *yaml.Node, path string) {
			r.section(n, path, map[string]visit{"mapping": r.layers, "ports": r.ports})
		},
	})
}

func (r *reader) formatter(n *yaml.Node, path string) {
	m := &r.mapping
	m.Rename, m.Render = map[string]string{}, map[string]producer.Renderer{}
	table := func(each func(key string, value *yaml.Node, at string)) visit {
		return func(n *yaml.Node, path string) {
			if yamltree.IsNull(n) {
				return
			}
			if n.Kind != yaml.MappingNode {
				r.fault(n.Line, path, "", yamltree.Kind(n)+" where a mapping should be", "field: value, one a line")
				return
			}
			r.pairs(n, path, func(key string, value *yaml.Node, at string, _ int) { each(key, value, at) })
		}
	}
	r.section(n, path, map[string]visit{
		"fields":   r.names(&m.Fields),
		"key":      r.names(&m.Key),
		"protobuf": func(n *yaml.Node, path string) { r.list(n, path, r.custom) },
		"rename": table(func(key string, value *yaml.Node, at string) {
			var s string
			r.text(&s)(value, at)
			m.Rename[key] = s
		}),
		"render": table(func(key string, value *yaml.Node, at string) {
			r.choice(producer.RendererNames(), func(s string) {
				m.Render[key], _ = producer.ParseRenderer(s) // one of the names
			})(value, at)
		}),
	})
}

// required faults an entry that lacks a key.
func (r *reader) required(n *yaml.Node, path string, keys ...string) bool {
	all := true
	for _, k := range keys {
		if r.lines[path+"."+k] == 0 {
			r.fault(n.Line, path, "", "no key "+k, "")
			all = false
		}
	}
	return all
}

func (r *reader) custom(n *yaml.Node, path string) {
	var c producer.Custom
	types := map[string]producer.CustomType{"varint": producer.CustomVarint, "bytes": producer.CustomBytes, "string": producer.CustomString}
	before := len(r.faults)
	r.section(n, path, map[string]visit{
		"name":  r.text(&c.Name),
		"index": r.number(1, 1<<29-1, func(v int64) { c.Number = uint32(v) }),
		"type":  r.choice([]string{"varint", "string", "bytes"}, func(s string) { c.Type = types[s] }),
		"array": r.truth(&c.Array),
	})
	if len(r.faults) == before {
		r.required(n, path, "name", "index", "type")
	}
	r.mapping.Custom = append(r.mapping.Custom, c)
}

// endian are the keys of byte orders, of which goflow2 reads the longer.
func (r *reader) endian(keys map[string]visit, little, quiet *bool) {
	word := func(name string) visit {
		return func(n *yaml.Node, path string) {
			if other := parent(path) + ".endian"; name == "endianness" && r.lines[other] != 0 {
				r.fault(n.Line, path, "", "byte order is given twice, first in line "+strconv.Itoa(r.lines[other]), "endian or endianness")
			}
			r.choice([]string{"big", "little"}, func(s string) {
				*little, *quiet = s == "little", name == "endian"
				if *little && *quiet {
					r.notes = append(r.notes, fmt.Sprintf("%s:%d: %s: little is obeyed; goflow2 does not read this key and takes the value as big-endian", r.file, n.Line, path))
				}
			})(n, path)
		}
	}
	keys["endian"], keys["endianness"] = word("endian"), word("endianness")
}

func (r *reader) elements(to *[]producer.ElementRule, enterprise bool) visit {
	one := func(n *yaml.Node, path string) {
		var e producer.ElementRule
		var provided, named bool
		var pen uint32
		keys := map[string]visit{
			"field":       r.element(&e, &named, !enterprise),
			"destination": r.text(&e.Destination),
			"penprovided": r.truth(&provided),
			"pen":         r.number(0, 1<<32-1, func(v int64) { pen = uint32(v) }),
		}
		r.endian(keys, &e.Little, &e.Quiet)
		before := len(r.faults)
		r.section(n, path, keys)
		at := r.lines[path+".pen"]
		if named && (provided || at != 0) && len(r.faults) == before {
			r.fault(n.Line, path, "", "an enterprise number with the name of an element, which has its own", "field and destination")
		}
		if !named {
			e.PEN = pen
		}
		*to = append(*to, e)
		switch {
		case len(r.faults) != before || !r.required(n, path, "field", "destination") || named:
		case !enterprise && (provided || e.PEN != 0):
			r.fault(n.Line, path, "", "fields of NetFlow v9 have no enterprise number", "field and destination; numbers above 32767 as they are")
		case provided && e.PEN == 0:
			r.fault(n.Line, path, "", "penprovided without an enterprise number", "pen: 1 to 4294967295")
		case !provided && e.PEN != 0:
			r.fault(at, path+".pen", "", "an enterprise number without penprovided", "penprovided: true")
		}
	}
	return func(n *yaml.Node, path string) { r.list(n, path, one) }
}

// element reads an element: a number, or a name, which has the enterprise too.
func (r *reader) element(e *producer.ElementRule, named *bool, v9 bool) visit {
	number := r.number(0, 65535, func(v int64) { e.ID = uint16(v) })
	return func(n *yaml.Node, path string) {
		_, err := strconv.ParseInt(n.Value, 0, 64)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || err == nil {
			number(n, path)
			return
		}
		found, err := elements.Parse(n.Value, v9)
		if err != nil {
			r.fault(n.Line, path, option.Show(n.Value), err.Error(), "a number from 0 to 65535 or a name of IANA's registry")
			return
		}
		*named, e.ID, e.PEN = true, found.ID, found.PEN
	}
}

func (r *reader) layers(n *yaml.Node, path string) {
	r.list(n, path, func(n *yaml.Node, at string) {
		var l producer.LayerRule
		keys := map[string]visit{
			"layer":       r.text(&l.Layer),
			"encap":       r.truth(&l.Encap),
			"offset":      r.number(0, producer.MaxLayerOffset, func(v int64) { l.Offset = int(v) }),
			"length":      r.number(1, producer.MaxLayerLength, func(v int64) { l.Length = int(v) }),
			"destination": r.text(&l.Destination),
		}
		r.endian(keys, &l.Little, &l.Quiet)
		before := len(r.faults)
		r.section(n, at, keys)
		if len(r.faults) == before {
			r.required(n, at, "layer", "length", "destination")
		}
		r.mapping.Layers = append(r.mapping.Layers, l)
	})
}

func (r *reader) ports(n *yaml.Node, path string) {
	r.list(n, path, func(n *yaml.Node, at string) {
		var p producer.PortRule
		before := len(r.faults)
		r.section(n, at, map[string]visit{
			"proto":  r.choice([]string{"udp", "tcp"}, func(s string) { p.Proto = s }),
			"dir":    r.choice([]string{"src", "dst", "both"}, func(s string) { p.Src, p.Dst = s != "dst", s != "src" }),
			"port":   r.number(1, 65535, func(v int64) { p.Port = uint16(v) }),
			"parser": r.choice(producer.ParserNames(), func(s string) { p.Parser = s }),
		})
		if len(r.faults) == before {
			r.required(n, at, "proto", "dir", "port", "parser")
		}
		r.mapping.Ports = append(r.mapping.Ports, p)
	})
}
