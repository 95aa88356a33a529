package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weirflow/weir/producer/schema"
)

const generatedNote = "Generated from the table of fields in `producer/schema` by `make generate`."

// fieldsDoc makes the reference of all fields.
func fieldsDoc() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Fields of a flow message

%s

Every message has these fields: as protobuf by the numbers of
[flow.proto](../producer/flowpb/flow.proto), in JSON and text by the names. A field without a value is 0, empty, or `+"`\"\"`"+`; protobuf
leaves it out. Fields marked *extra* are those that goflow2 does not have: JSON and text show them only where they have a
value, and `+"`-compat goflow2`"+` leaves them out. A [mapping file](mapping.md) adds fields, and changes names and forms.
A JSON Schema of the messages is [flow.schema.json](../producer/schema/flow.schema.json).

Elements are those of NetFlow v9 and IPFIX (numbers of [IANA's registry](https://www.iana.org/assignments/ipfix/)); with an
enterprise number before the slash those of that enterprise. Among elements of the same rank the first one in the template
counts that is not zero; one of a higher rank is used only where the template has none of a lower one. NetFlow v1, v5, v7 and v8 have the
columns of Cisco's record formats, of v8 those of the aggregation scheme. sFlow has the records of [sflow.org](https://sflow.org/developers/structures.php);
"sampled header" is what weir finds in the first bytes of the packet, which sFlow's sampled_header and the
elements %s carry.

`, generatedNote, headerElements())
	b.WriteString("| Field | Number | Type | Unit | |\n|---|---|---|---|---|\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		name, repeated := protoType(f)
		if repeated {
			name = "repeated " + name
		}
		if f.ZeroIsValue {
			name = "optional " + name
		}
		extra := ""
		if f.Extra {
			extra = " *Extra.*"
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %d | %s | %s | %s%s |\n", f.Name, f.Name, f.Number, name, f.Unit, f.Doc, extra)
	}
	b.WriteString("\n## Where each comes from\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", f.Name, f.Doc)
		if f.ZeroIsValue {
			b.WriteString("0 is a value: the field is absent where the exporter does not send it.\n\n")
		}
		if f.ZeroIsNone {
			b.WriteString("An address of zeros is none: the field is absent then.\n\n")
		}
		fmt.Fprintf(&b, "- JSON and text: %s\n", formDoc(f))
		line := func(what, text string) {
			if text != "" {
				fmt.Fprintf(&b, "- %s: %s\n", what, text)
			}
		}
		line("Datagram", f.Header)
		line("NetFlow v9, IPFIX", elementsDoc(f))
		line("NetFlow of fixed layouts", f.Fixed)
		line("sFlow", sflowDoc(f))
		line("Sampled header", f.Sampled)
	}
	return b.Bytes(), nil
}

func headerElements() string {
	var all []string
	for _, e := range schema.Headers {
		all = append(all, fmt.Sprintf("%d (%s)", e.ID, e.Name))
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

func formDoc(f *schema.Field) string {
	switch f.Form {
	case schema.Address:
		return "an address"
	case schema.Prefix:
		return "the network of the address, such as `192.0.2.0/24`"
	case schema.MAC:
		return "a MAC address, such as `02:00:00:00:00:01`"
	case schema.TypeName:
		return "its name: " + strings.Join(schema.FlowTypes, ", ")
	case schema.EtherType:
		return "`IPv4`, `IPv6`, `ARP` or nothing"
	case schema.Protocol:
		return "the name of the protocol, such as `TCP`"
	case schema.NumberList:
		return "a list of numbers"
	case schema.AddressList:
		return "a list of addresses"
	case schema.LayerList:
		return "a list of names: " + strings.Join(schema.LayerNames, ", ") + ", Custom"
	case schema.Text:
		return "a text"
	case schema.TunnelName:
		return "its name: " + strings.Join(schema.TunnelNames[1:], ", ")
	case schema.RateSource:
		return "its name: " + strings.Join(schema.SamplingSources, ", ")
	case schema.Distinguisher:
		return "administrator and number, such as `64500:1` or `192.0.2.1:1`"
	case schema.CommunityList:
		return "a list of texts, such as `rt:64500:1`, `soo:192.0.2.1:1` and, of large ones, `64500:1:2`; in hexadecimal where the type is another"
	}
	return "a number"
}

// conversions are the words for what is done to a value.
var conversions = [schema.NumConversions]string{
	schema.Uptime: "ms since the exporter started", schema.Seconds: "s since 1970", schema.Millis: "ms since 1970",
	schema.NTP: "NTP", schema.Before: "µs before the export", schema.BootTime: "when the exporter started, for times since then",
	schema.IPVersion: "4 or 6", schema.Interval: "of the record", schema.Sampler: "by the sampler's options data",
	schema.FrameSize: "with packets 1", schema.Label: "label",
	schema.DurationMillis: "ms from start to end", schema.DurationMicros: "µs from start to end",
	schema.EthernetType: "of records without addresses", schema.ICMPPort: "if the protocol is ICMP or ICMPv6",
	schema.CodePoint: "times 4", schema.BasicList: "list",
	schema.Segments: "16 bytes each", schema.RoutingHeader: "segment list", schema.Union: "bits of all of these",
}

func elementsDoc(f *schema.Field) string {
	var all []string
	for _, e := range f.Elements {
		id := fmt.Sprint(e.ID)
		if e.PEN != 0 {
			id = fmt.Sprintf("%d/%d", e.PEN, e.ID)
		}
		text := id + " " + e.Name
		var notes []string
		if c := conversions[e.Conv]; c != "" {
			notes = append(notes, c)
		}
		if e.Lookup != nil {
			notes = append(notes, e.Lookup.Note)
		}
		switch e.Side {
		case schema.Ingress:
			notes = append(notes, "if flowDirection is not 1")
		case schema.Egress:
			notes = append(notes, "if flowDirection is 1")
		}
		if e.Length != 0 && e.Conv != schema.BasicList {
			notes = append(notes, fmt.Sprintf("of %d bytes", e.Length))
		}
		if e.Shift != 0 || e.Bits != 0 && e.Bits < 32 {
			notes = append(notes, fmt.Sprintf("bits %d to %d", e.Shift, e.Shift+max(e.Bits, 1)-1))
		}
		if e.Conv == schema.Implies {
			notes = append(notes, fmt.Sprintf("implies %d", e.Place))
		}
		if e.Reverse {
			notes = append(notes, "of the flow in the other direction")
		}
		switch e.Rank {
		case 0:
		case schema.IfZero:
			notes = append(notes, "if all others are 0")
		default:
			notes = append(notes, fmt.Sprintf("rank %d", e.Rank))
		}
		if len(notes) > 0 {
			text += " (" + strings.Join(notes, ", ") + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func sflowDoc(f *schema.Field) string {
	var all []string
	for _, s := range f.SFlow {
		if s.Record == schema.RawHeader && s.Member == "header" {
			all = append(all, "sampled header")
			continue
		}
		all = append(all, fmt.Sprintf("%s.%s (%d)", schema.RecordByWord(s.Record).Name, s.Member, s.Record))
	}
	return strings.Join(all, "; ")
}

// jsonSchema makes the JSON Schema of the messages of format json.
func jsonSchema() ([]byte, error) {
	type property map[string]any
	properties := map[string]property{}
	var required []string
	for i := range schema.Fields {
		f := &schema.Fields[i]
		p := property{"description": f.Doc}
		switch f.Form {
		case schema.Number:
			p["type"], p["minimum"] = "integer", 0
			if f.Kind == schema.Uint32 {
				p["maximum"] = uint32(1<<32 - 1)
			} else {
				p["maximum"] = uint64(1<<64 - 1)
			}
		case schema.NumberList:
			p["type"], p["items"] = "array", property{"type": "integer", "minimum": 0}
		case schema.AddressList, schema.CommunityList:
			p["type"], p["items"] = "array", property{"type": "string"}
		case schema.TunnelName:
			p["enum"] = schema.TunnelNames[1:]
		case schema.RateSource:
			p["enum"] = schema.SamplingSources
		case schema.LayerList:
			p["type"], p["items"] = "array", property{"enum": append(append([]string{}, schema.LayerNames...), "Custom")}
		case schema.TypeName:
			p["enum"] = schema.FlowTypes
		case schema.MAC:
			p["type"], p["pattern"] = "string", "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"
		default:
			p["type"] = "string"
		}
		properties[f.Name] = p
		if !f.Extra {
			required = append(required, f.Name)
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "FlowMessage",
		"description": "A flow as weir writes it with -format json, without a mapping. Generated from the table of fields in producer/schema.",
		"type":        "object", "properties": properties, "required": required,
	}, "", "  ")
	return append(text, '\n'), err
}

// clickHouse makes the table that ClickHouse reads messages into, with all fields.
func clickHouse() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("-- All fields of a flow message, as ClickHouse reads them from Kafka.\n-- " + strings.ReplaceAll(generatedNote, "`", "") + "\n" +
		"-- Copy flow.proto to the server's folder of format schemas first: see clickhouse.sql,\n-- which has a smaller queue, and a table of flows behind it.\nCREATE TABLE flows_queue\n(\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		sql := map[schema.Kind]string{
			schema.Uint32: "UInt32", schema.Uint64: "UInt64", schema.Bytes: "String", schema.Uints: "Array(UInt32)",
			schema.BytesList: "Array(String)", schema.FlowType: "LowCardinality(String)", schema.Layers: "Array(LowCardinality(String))",
		}[f.Kind]
		if f.ZeroIsValue {
			sql = "Nullable(" + sql + ")"
		}
		comma := ","
		if i == len(schema.Fields)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, "    %-29s %s COMMENT '%s'%s\n", f.Name, sql, strings.ReplaceAll(f.Doc, "'", "''"), comma)
	}
	b.WriteString(`)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = 'kafka:9092',
    kafka_topic_list = 'flow-messages',
    kafka_group_name = 'clickhouse',
    kafka_num_consumers = 1,
    kafka_format = 'Protobuf',
    kafka_schema = 'flow.proto:FlowMessage';
`)
	return b.Bytes(), nil
}
