package config

import (
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// Mapping says how messages differ from the default.
type Mapping struct {
	File   string   // YAML in the form of goflow2; "" is none
	Hash   []string // fields that keys are made of, in addition to those of the file
	Compat string   // "none" or "goflow2"
}

// options declares what decides on the form of messages, for weir and weir
// decode alike.
func (m *Mapping) options() []option.Option {
	return []option.Option{
		{
			Name: "mapping", Live: true, Group: option.GroupDecode, Default: "", Shape: "file",
			Value: option.TextValue(&m.File),
			Help:  "Mapping file (YAML, as goflow2 has it): fields to add, and where they come from; columns, names and forms in json and text; fields of the key. Empty for none. A collector reads it again at SIGHUP and POST /-/reload.",
		},
		{
			Name: "compat", Live: true, Group: option.GroupDecode, Default: "none", Shape: "none|goflow2",
			Value: option.ChoiceValue(&m.Compat, option.Choices{Allowed: []string{"none", "goflow2"}}),
			Help:  "goflow2 writes all values as goflow2 v2.2.6 does, its errors included, where weir differs on purpose. It is slower.",
		},
		{
			Name: "format.hash", Live: true, Group: option.GroupWrite, Default: "", Shape: "field,...",
			Value: fieldsValue(&m.Hash),
			Help:  "Fields that the key of a message is made of, such as SamplerAddress,DstAS or sampler_address,dst_as. Empty uses those of the mapping file only.",
		},
	}
}

// fieldsValue is a list of names of fields, which are looked up later.
func fieldsValue(p *[]string) option.Value {
	return option.Value{
		List:  true,
		Set:   func(s string) error { *p = option.Split(s); return nil },
		Get:   func() string { return strings.Join(*p, ",") },
		Check: func() error { return nil },
	}
}

// produceOption declares what is made of a datagram.
func produceOption(p *string) option.Option {
	return option.Option{
		Name: "produce", Live: true, Group: option.GroupDecode, Default: "sample", Shape: "sample|raw",
		Value: option.ChoiceValue(p, option.Choices{Allowed: []string{"sample", "raw"}}),
		Help:  "What to make of a datagram: sample writes one message per flow or sampled packet, raw one JSON object with all that is in it.",
	}
}

// rawFaults checks that raw output is asked for in its one format.
func rawFaults(produce, format string, at func(option string, err error) []Fault) []Fault {
	if produce != "raw" || format == "json" {
		return nil
	}
	return at("format", &option.Problem{Text: "raw output is JSON alone", Allowed: "json, or -produce sample"})
}
