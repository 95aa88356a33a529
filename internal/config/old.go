package config

import (
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// An oldName is a flag of goflow2, or of its older releases, that is not an
// option here. Exactly one of to, noEffect and refusal is set; with onlyTrue,
// noEffect and refusal.
type oldName struct {
	name     string
	isPrefix bool   // name stands for all names that begin with it
	isSwitch bool   // the flag takes no value from the next argument
	to       string // the option that means the same
	noEffect string // why the flag is accepted and does nothing
	onlyTrue bool   // it is, if it is set to true; refusal holds else
	refusal  string // why it is refused, and what to do instead
}

const (
	ownSaving = "templates are kept in the file of -templates.json.path"
	ownMuting = "errors are counted, not logged one by one"
)

func oldNames() []oldName {
	return []oldName{
		{name: "metrics.addr", to: "addr"},
		{name: "samplingrate.fallback", to: "samplingrate.default"},
		{name: "transport.kafka.compression.type", to: "transport.kafka.compression"},
		{name: "transport.kafka.flushfreq", to: "transport.kafka.linger"},
		{name: "err.cnt", noEffect: ownMuting},
		{name: "err.int", noEffect: ownMuting},

		{name: "reuseport", isSwitch: true, noEffect: "sockets share a port wherever count in the listen address is above 1"},
		{name: "workers", noEffect: "each socket has its own worker; for more than one write their number into the address, -listen netflow://:2055/?count=4"},
		{name: "transport.kafka.log.err", isSwitch: true, noEffect: "errors of Kafka are always logged, and counted"},
		{name: "format.protobuf.fixedlen", isSwitch: true, onlyTrue: true, noEffect: "messages of -format bin always begin with their length",
			refusal: "messages of -format bin always begin with their length; remove the flag, and have readers expect the length"},
		{name: "format.selector", refusal: "name the fields of json and text in a mapping file, under formatter.fields"},
		{name: "netflow.templates", isPrefix: true, refusal: ownSaving},
	}
}

// findOld returns the old name that name is, or nil. An exact entry wins over
// a prefix, which stands for itself and all names below it.
func findOld(name string) *oldName {
	olds := oldNames()
	for i := range olds {
		if olds[i].name == name {
			return &olds[i]
		}
	}
	for i := range olds {
		if o := &olds[i]; o.isPrefix && strings.HasPrefix(name, o.name+".") {
			return o
		}
	}
	return nil
}

// inFile words the refusal of an old name as a key of the file, where there
// is no past to be compatible with.
func (o *oldName) inFile() string {
	switch {
	case o.to != "":
		return "old name; write " + o.to
	case o.noEffect != "":
		return "has no effect (" + o.noEffect + "); remove it"
	}
	return strings.ReplaceAll(o.refusal, "remove the flag", "remove it")
}

// findOldEnv returns the old name whose environment variable would be env.
func findOldEnv(env string) *oldName {
	olds := oldNames()
	for i := range olds {
		if o := &olds[i]; env == option.EnvName(o.name) || o.isPrefix && strings.HasPrefix(env, option.EnvName(o.name)+"_") {
			return o
		}
	}
	return nil
}
