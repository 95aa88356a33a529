package producer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// A Mapping says how messages differ from the default: which fields they have
// in addition to those of FlowMessage and where those come from, and for the textual
// formats which fields are written, under which names and how. It is what a
// mapping file says; NewProgram makes it work.
type Mapping struct {
	// Fields are the fields that JSON and text have, in order; all of
	// FlowMessage if it is empty.
	Fields []string
	// Key are the fields that the key of a message is made of.
	Key []string
	// Rename gives fields other names in JSON and text, Render other forms.
	Rename map[string]string
	Render map[string]Renderer
	// Custom are the fields that are added to FlowMessage.
	Custom []Custom
	// IPFIX and NetFlowV9 map the elements of data records.
	IPFIX, NetFlowV9 []ElementRule
	// Layers map bits of sampled headers, Ports name what UDP and TCP ports
	// carry in them.
	Layers []LayerRule
	Ports  []PortRule
}

// Custom is a field that is added to FlowMessage.
type Custom struct {
	Name   string
	Number uint32 // in the message
	Type   CustomType
	Array  bool // several values, not packed
}

// ElementRule maps an information element.
type ElementRule struct {
	ID          uint16
	PEN         uint32 // enterprise number, 0 for IANA's elements
	Destination string
	Little      bool // a number in little-endian byte order
	// Quiet: goflow2 does not see that Little was asked for.
	Quiet bool
}

// LayerRule maps bits of a layer of a sampled header.
type LayerRule struct {
	Layer          string
	Encap          bool // of a layer that a tunnel carries, else of one that carries it
	Offset, Length int  // bits, counted from the begin of the layer
	Destination    string
	Little, Quiet  bool // as in ElementRule
}

// PortRule says that a port carries another protocol.
type PortRule struct {
	Proto    string // "udp" or "tcp"
	Src, Dst bool   // which ports
	Port     uint16
	Parser   string
}

// Settings are what a program depends on beside the mapping.
type Settings struct {
	// Hash are further fields of the key, in any spelling that FieldName
	// knows.
	Hash []string
	// Compat has values that differ from goflow2's on purpose written as it
	// writes them.
	Compat bool
	// Enriched says that messages have src_country and dst_country besides
	// (Config.Geo): their numbers and names are taken then.
	Enriched bool
}

// A Problem is one thing that is wrong with a mapping.
type Problem struct {
	// Path is where: "ipfix.mapping[3].destination", lists from 0; "hash[0]"
	// is of Settings.
	Path string
	// Value is what is there, Text what is wrong with it, Allowed what may be
	// there instead; each may be empty but Text.
	Value, Text, Allowed string
}

// Error returns the problem in one line.
func (p *Problem) Error() string {
	s := p.Path
	if p.Value != "" {
		s += fmt.Sprintf(" %q", p.Value)
	}
	s += ": " + p.Text
	if p.Allowed != "" {
		s += "; allowed: " + p.Allowed
	}
	return s
}

// A Program is a mapping in the form that producers work by. It is immutable
// and shared by all workers.
type Program struct {
	compat bool
	custom []*customField
	// hidden are extra fields that messages do not have under this program: those
	// whose name or number the mapping gives to a field of its own; with Settings.Compat
	// all of them.
	hidden extraSet
	notes  []Problem // what became of such fields

	// sourced says that messages have sampling_source: no record is written without a
	// Flow then.
	sourced bool

	// plain says that JSON is what AppendJSON writes.
	plain   bool
	columns []column
	fast    [2]fastColumns    // by notation
	samples [2]*sampleColumns // of plain samples, by notation; nil where these take the generic path
	key     []keyField
	// keyShared says that all flows of a set, or of an sFlow datagram, have
	// the same key.
	keyShared bool
	// keyParts says that samples without a Flow have all fields of the key.
	keyParts bool
	// keyASes says that AS numbers are part of the key: those of a datagram are not
	// those of the message if enrichment knows better.
	keyASes bool
	// keyPlaces are the places of the key's fields by their number, from 1; nil
	// for keys that plainKey does not take. keyFields is how many there are.
	keyPlaces []uint8
	keyFields int

	fixed []*plan // of the fixed layouts, by index; nil where they are those of no mapping
	// plans says that templates have plans of their own under this program.
	plans     bool
	ipfix, v9 map[elementKey]target
	layers    *layerProgram // nil if sampled headers are not looked at closer
}

// elementKey names an information element.
type elementKey struct {
	pen uint32
	id  uint16
}

// target is where a mapped value goes.
type target struct {
	custom *customField // nil: field
	field  fieldID
	little bool
}

// Programs holds the program in force. Set may be called by any goroutine;
// producers take it up between datagrams.
type Programs struct{ current atomic.Pointer[Program] }

// NewPrograms returns a holder of p.
func NewPrograms(p *Program) *Programs {
	s := &Programs{}
	s.current.Store(p)
	return s
}

// Set replaces the program in force.
func (s *Programs) Set(p *Program) { s.current.Store(p) }

// Keyed tells whether messages have keys.
func (p *Program) Keyed() bool { return len(p.key) > 0 }

// NewProgram compiles a mapping, which may be nil for none. The error is all
// that is wrong with it, each a *Problem, joined.
func NewProgram(m *Mapping, s Settings) (*Program, error) {
	if m == nil {
		m = &Mapping{}
	}
	c := compiler{mapping: m, program: &Program{compat: s.Compat}, enriched: s.Enriched}
	if s.Compat {
		c.program.hidden = allExtra()
	}
	c.customFields()
	c.columns()
	c.program.compileFast()
	c.keys(s.Hash)
	c.program.sourced = c.sourced()
	c.program.ipfix = c.elements("ipfix", m.IPFIX)
	c.program.v9 = c.elements("netflowv9", m.NetFlowV9)
	c.program.plans = c.program.hidden != extraSet{} || !c.program.plain || c.program.Keyed() || len(c.program.ipfix)+len(c.program.v9) > 0
	c.layers()
	if len(c.problems) == 0 {
		c.program.compileSamples()
		c.program.makeFixed()
	}
	return c.program, errors.Join(c.problems...)
}

// compiler makes a program and collects what is wrong.
type compiler struct {
	mapping  *Mapping
	program  *Program
	problems []error
	named    []namedRule // of layers
	enriched bool        // Settings.Enriched
}

func (c *compiler) fault(path, value, text, allowed string) {
	c.problems = append(c.problems, &Problem{Path: path, Value: value, Text: text, Allowed: allowed})
}

// Field numbers of protocol buffers.
const (
	maxNumber                   = 1<<29 - 1
	reservedNumber, endReserved = 19000, 20000
)

func (c *compiler) customFields() {
	const allowed = "1 to 536870911, but 19000 to 19999 and those of goflow2's FlowMessage"
	names, numbers := map[string]int{}, map[uint32]int{}
	for i := range c.mapping.Custom {
		f := &c.mapping.Custom[i]
		path := fmt.Sprintf("formatter.protobuf[%d]", i)
		builtin, taken := fieldByName(f.Name)
		if taken = taken && !isExtra(builtin); !taken {
			c.replace(path, f)
		}
		switch first, twice := names[f.Name]; {
		case f.Name == "":
			c.fault(path+".name", "", "added field without a name", "a name that goflow2's FlowMessage does not have")
		case taken || f.Name == icmpName:
			c.fault(path+".name", f.Name, "goflow2's FlowMessage has a field of this name", "another name")
		case twice:
			c.fault(path+".name", f.Name, fmt.Sprintf("name is that of entry %d too", first+1), "each name once")
		}
		names[f.Name] = i
		number := fmt.Sprint(f.Number)
		switch first, twice := numbers[f.Number]; {
		case f.Number == 0 || f.Number > maxNumber || f.Number >= reservedNumber && f.Number < endReserved:
			c.fault(path+".index", number, "not a field number", allowed)
		case numberTaken(f.Number) != "":
			c.fault(path+".index", number, "number is that of "+numberTaken(f.Number), allowed)
		case c.enriched && (f.Number == numberSrcCountry || f.Number == numberDstCountry):
			c.fault(path+".index", number, "number is that of a country, which enrichment adds", allowed+", nor 1000 and 1001 with enrichment")
		case twice:
			c.fault(path+".index", number, fmt.Sprintf("number is that of entry %d too", first+1), "each number once")
		}
		numbers[f.Number] = i
		c.program.custom = append(c.program.custom, newCustomField(f))
	}
}

// replace has an added field take the place of the extra fields with its name or
// number: the mapping was there before these were.
func (c *compiler) replace(path string, f *Custom) {
	for id := fieldID(numCore); id < numFields; id++ {
		info := &fieldTable[id]
		what := ""
		switch {
		case info.name == f.Name || info.goName == f.Name:
			what = "name"
		case uint32(info.number) == f.Number:
			what = "number"
		default:
			continue
		}
		c.program.hidden.add(id)
		c.program.notes = append(c.program.notes, Problem{
			Path:  path + "." + map[string]string{"name": "name", "number": "index"}[what],
			Value: map[string]string{"name": f.Name, "number": fmt.Sprint(f.Number)}[what],
			Text:  fmt.Sprintf("%s is that of weir's own field %s (%d), which messages do not have under this mapping", what, info.name, info.number),
		})
	}
}

// Notes returns which fields of weir the mapping replaces by its own.
func (p *Program) Notes() []Problem { return p.notes }

// sourced tells whether the mapping names the field sampling_source.
func (c *compiler) sourced() bool {
	if c.program.hidden.has(fieldSamplingSource) {
		return false
	}
	is := func(name string) bool { return c.canonical(name) == fieldTable[fieldSamplingSource].name }
	for name := range c.mapping.Rename {
		if is(name) {
			return true
		}
	}
	for name := range c.mapping.Render {
		if is(name) {
			return true
		}
	}
	return slices.ContainsFunc(c.mapping.Fields, is) ||
		slices.ContainsFunc(c.program.key, func(k keyField) bool { return k.id == fieldSamplingSource })
}

// numberTaken returns the name of the field of goflow2's FlowMessage with the number.
func numberTaken(number uint32) string {
	for i := range fieldTable[:numCore] {
		if uint32(fieldTable[i].number) == number {
			return fieldTable[i].name
		}
	}
	return ""
}

// customByName finds an added field.
func (c *compiler) customByName(name string) *customField {
	for _, f := range c.program.custom {
		if f.name == name {
			return f
		}
	}
	return nil
}

// names lists the fields that may be named, for messages: those nearest to name
// first would be many; all are more.
func (c *compiler) names(virtual bool) string {
	names := FieldNames()
	if virtual {
		names = append(names, icmpName)
	}
	for _, f := range c.program.custom {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return "a field of FlowMessage or of formatter.protobuf: " + strings.Join(names, ", ")
}

// notDestinations are fields that a mapping cannot set.
func notDestination(id fieldID) bool {
	return id == fieldType || id == fieldLayerStack || id == fieldRoutingAddresses || id == fieldSamplingSource
}

// target resolves a destination.
func (c *compiler) target(path, name string, little, quiet bool) (target, bool) {
	t := target{little: little && !(quiet && c.program.compat)}
	if t.custom = c.customByName(name); t.custom != nil {
		if little && !t.custom.varint {
			c.fault(path+".endian", "little", "byte order of "+name+", which is no number", "big, or no such key")
		}
		t.field = fieldCustom
		return t, true
	}
	id, ok := fieldByName(name)
	if !ok {
		c.fault(path+".destination", name, "unknown destination", c.names(false))
		return t, false
	}
	if notDestination(id) {
		c.fault(path+".destination", name, "field cannot be mapped to", "another field of FlowMessage, or one of formatter.protobuf")
		return t, false
	}
	if kind := fieldTable[id].kind; little && (kind == kindBytes || kind == kindBytesList) {
		c.fault(path+".endian", "little", "byte order of "+name+", which is no number", "big, or no such key")
	}
	t.field = id
	// goflow2 knows the fields by their Go names alone.
	return t, !c.program.compat || name == fieldTable[id].goName
}

func (c *compiler) elements(section string, rules []ElementRule) map[elementKey]target {
	all := map[elementKey]target{}
	first := map[elementKey]int{}
	for i, r := range rules {
		path := fmt.Sprintf("%s.mapping[%d]", section, i)
		key := elementKey{r.PEN, r.ID}
		if n, twice := first[key]; twice {
			c.fault(path+".field", fmt.Sprint(r.ID), fmt.Sprintf("field is mapped by entry %d too", n+1), "each field once")
			continue
		}
		first[key] = i
		if section == "ipfix" && r.ID > 0x7fff {
			c.fault(path+".field", fmt.Sprint(r.ID), "not an information element of IPFIX", "0 to 32767")
		}
		if t, ok := c.target(path, r.Destination, r.Little, r.Quiet); ok {
			all[key] = t
		}
	}
	return all
}
