package producer

import (
	"strings"
	"unicode"

	"github.com/weirflow/weir/producer/schema"
)

// fieldID names a field of FlowMessage: its place in the table of fields, which is
// the order of JSON. See flow_gen.go for the names.
type fieldID uint8

// fieldKind is the type of a field.
type fieldKind = schema.Kind

const (
	kindUint32    = schema.Uint32
	kindUint64    = schema.Uint64
	kindBytes     = schema.Bytes
	kindUints     = schema.Uints
	kindBytesList = schema.BytesList
	kindType      = schema.FlowType
	kindLayers    = schema.Layers
)

// fieldInfo is what the table says about a field.
type fieldInfo struct {
	*schema.Field
	name   string // in flow.proto and JSON
	goName string // in Go code that protoc-gen-go makes of flow.proto
	number int
	kind   fieldKind
	form   schema.Form
}

// fieldTable describes the fields of FlowMessage, in the order of the JSON output.
var fieldTable = func() (t [numFields]fieldInfo) {
	for i := range t {
		f := &schema.Fields[i]
		t[i] = fieldInfo{f, f.Name, protoName(f.Name), f.Number, f.Kind, f.Form}
	}
	return t
}()

// protoName returns the name that protoc-gen-go gives a field.
func protoName(name string) string {
	var b strings.Builder
	upper := true // the next letter
	for _, c := range name {
		switch {
		case c == '_':
			upper = true
			continue
		case upper:
			c = unicode.ToUpper(c)
		}
		upper = c >= '0' && c <= '9'
		b.WriteRune(c)
	}
	return b.String()
}

// icmpName is the name of the virtual field.
const icmpName = "icmp_name"

// FieldNames returns the names of the fields of FlowMessage, in the order of the
// JSON output.
func FieldNames() []string {
	names := make([]string, numFields)
	for i := range fieldTable {
		names[i] = fieldTable[i].name
	}
	return names
}

// fieldByName finds a field by its name in flow.proto or in Go.
func fieldByName(name string) (fieldID, bool) {
	for i := range fieldTable {
		if fieldTable[i].name == name || fieldTable[i].goName == name {
			return fieldID(i), true
		}
	}
	return 0, false
}

// oldNames are names of fields in goflow v1 and goflow2 v1 that are not only spelled otherwise.
var oldNames = map[string]string{
	"timereceived": "time_received_ns", "timeflow": "time_flow_end_ns", "timeflowstart": "time_flow_start_ns", "timeflowend": "time_flow_end_ns",
	"timereceivedms": "time_received_ns", "timeflowstartms": "time_flow_start_ns", "timeflowendms": "time_flow_end_ns",
	"srcaddress": "src_addr", "dstaddress": "dst_addr", "sampler": "sampler_address",
}

// FieldName returns the name in flow.proto of a field that is named in any of
// the spellings of goflow2's releases: src_as, SrcAs, SrcAS, TimeReceived.
func FieldName(name string) (string, bool) {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	if now := oldNames[plain(name)]; now != "" {
		return now, true
	}
	for i := range fieldTable {
		if plain(fieldTable[i].name) == plain(name) {
			return fieldTable[i].name, true
		}
	}
	return "", false
}

// Flow types, the numbers of flowpb.FlowMessage_FlowType.
const (
	TypeSFlow5    = 1
	TypeNetFlowV5 = 2
	TypeNetFlowV9 = 3
	TypeIPFIX     = 4
	TypeNetFlowV1 = 5
	TypeNetFlowV7 = 6
	TypeNetFlowV8 = 7
)

const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
)

// setLabel notes an MPLS label at its place in the stack, 0 being the top, as goflow2
// does.
func (f *Flow) setLabel(i int, label uint32) {
	for len(f.MPLSLabel) <= i {
		f.MPLSLabel = append(f.MPLSLabel, 0)
	}
	f.MPLSLabel[i] = label
}
