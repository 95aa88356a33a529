package mapping

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/yamltree"
	"github.com/weirflow/weir/producer"
)

// write puts a mapping into a file and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "map.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestGood(t *testing.T) {
	for name, text := range map[string]string{
		"empty":   "",
		"comment": "# nothing\n",
		"null":    "formatter:\nipfix:\nsflow:\n",
		"nulls":   "formatter:\n  fields:\n  key:\n  rename:\n  render:\n  protobuf:\nipfix:\n  mapping:\nnetflowv9:\n  mapping:\nsflow:\n  mapping:\n  ports:\n",
		"all": `
formatter:
  fields: [type, in_if, OutIf, icmp_name, vrf, names]
  key: [sampler_address, vrf]
  rename: {in_if: input, vrf: "virtual router"}
  render: {type: none, vrf: datetime, names: string}
  protobuf:
    - {name: vrf, index: 39, type: varint}
    - {name: names, index: 2000, type: string, array: true}
    - {name: raw, index: 536870911, type: bytes, array: false}
ipfix:
  mapping:
    - {field: 234, destination: vrf, endian: big}
    - {field: 5, penprovided: true, pen: 9, destination: names}
    - {field: 6, penprovided: true, pen: 4294967295, destination: in_if, endianness: little}
netflowv9:
  mapping:
    - {field: 0x8001, destination: InIf}
sflow:
  ports:
    - {proto: udp, dir: both, port: 6081, parser: geneve}
    - {proto: tcp, dir: src, port: 80, parser: ethernet}
    - {proto: tcp, dir: dst, port: 80, parser: mpls}
  mapping:
    - {layer: "0", offset: 0, length: 48, destination: DstMac}
    - {layer: 7, encap: true, offset: 3, length: 5, destination: vrf}
    - {layer: etype0x0806, length: 8192, destination: raw}
    - {layer: proto17, length: 64, destination: vrf, endian: little}
    - {layer: UDP53, length: 16, destination: vrf}
`,
		"aliases": "formatter:\n  protobuf:\n    - &a {name: x, index: 39, type: varint}\nipfix:\n  mapping:\n    - {field: 1, destination: &d x}\nnetflowv9:\n  mapping:\n    - {field: 1, destination: *d}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Load(write(t, text), producer.Settings{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFaults checks that each fault is told with its line, its value and what
// is allowed.
func TestFaults(t *testing.T) {
	const custom = "formatter:\n  protobuf:\n    - {name: x, index: 39, type: varint}\n    - {name: s, index: 41, type: bytes}\n"
	for _, c := range []struct{ text, want string }{
		{"formater: {}\n", "map.yaml:1: formater: unknown key; allowed: formatter, ipfix, netflowv9, sflow"},
		{"formatter:\n  field: [type]\n", "map.yaml:2: formatter.field: unknown key; allowed: fields, key, protobuf, rename, render"},
		{"formatter:\n  fields:\n    - type\n    - typ\n", "map.yaml:4: formatter.fields[1] \"typ\": unknown field; allowed: a field of FlowMessage or of formatter.protobuf: acl_name, "},
		{"formatter:\n  fields: [type, Type]\n  rename: {type: Type}\n", "formatter.fields[1] \"Type\": field is called \"Type\", as entry 1 is"},
		{"formatter:\n  fields: type\n", "map.yaml:2: formatter.fields: a text where a list should be"},
		{"formatter: []\n", "map.yaml:1: formatter: a list where a mapping should be; allowed: the keys fields, "},
		{"- formatter\n", "map.yaml:1: a list where a mapping should be"},
		{"formatter:\n  key: [icmp_name]\n", "map.yaml:2: formatter.key[0] \"icmp_name\": unknown field"},
		{"formatter:\n  rename:\n    foo: bar\n", "map.yaml:3: formatter.rename.foo \"foo\": unknown field"},
		{"formatter:\n  rename:\n    in_if: ''\n", "map.yaml:3: formatter.rename.in_if: empty name"},
		{"formatter:\n  render:\n    in_if: hex\n", "map.yaml:3: formatter.render.in_if \"hex\": unknown choice; allowed: none, ip, mac, etype, proto, type, network, datetime, datetimenano, string"},
		{"formatter:\n  render: {in_if: network}\n", "map.yaml:2: formatter.render.in_if \"network\": network is the form of src_net and dst_net"},
		{"formatter:\n  render: {icmp_name: none}\n", "map.yaml:2: formatter.render.icmp_name \"none\": icmp_name is made of"},
		{"formatter:\n  render: {nope: none}\n", "map.yaml:2: formatter.render.nope \"nope\": unknown field"},
		{"formatter:\n  protobuf:\n    - {index: 39, type: varint}\n", "map.yaml:3: formatter.protobuf[0]: no key name"},
		{"formatter:\n  protobuf:\n    - {name: in_if, index: 39, type: varint}\n", "formatter.protobuf[0].name \"in_if\": goflow2's FlowMessage has a field of this name"},
		{"formatter:\n  protobuf:\n    - {name: x, index: 18, type: varint}\n", "formatter.protobuf[0].index \"18\": number is that of in_if"},
		{"formatter:\n  protobuf:\n    - {name: x, index: 19001, type: varint}\n", "formatter.protobuf[0].index \"19001\": not a field number"},
		{"formatter:\n  protobuf:\n    - {name: x, index: 0, type: varint}\n", "map.yaml:3: formatter.protobuf[0].index \"0\": not a number in range; allowed: a whole number from 1 to 536870911"},
		{"formatter:\n  protobuf:\n    - {name: x, index: 39, type: int}\n", "formatter.protobuf[0].type \"int\": unknown choice; allowed: varint, string, bytes"},
		{"formatter:\n  protobuf:\n    - {name: x, index: 39, type: varint, array: 1}\n", "formatter.protobuf[0].array \"1\": not a truth value"},
		{custom + "    - {name: x, index: 40, type: varint}\n", "map.yaml:5: formatter.protobuf[2].name \"x\": name is that of entry 1 too"},
		{custom + "    - {name: y, index: 39, type: varint}\n", "map.yaml:5: formatter.protobuf[2].index \"39\": number is that of entry 1 too"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_fi}\n", "map.yaml:3: ipfix.mapping[0].destination \"in_fi\": unknown destination; allowed: a field of"},
		{"ipfix:\n  mapping:\n    - {field: 32768, destination: in_if}\n", "ipfix.mapping[0].field \"32768\": not an information element of IPFIX; allowed: 0 to 32767"},
		{"ipfix:\n  mapping:\n    - {field: 65536, destination: in_if}\n", "ipfix.mapping[0].field \"65536\": not a number in range; allowed: a whole number from 0 to 65535"},
		{"ipfix:\n  mapping:\n    - {destination: in_if}\n", "map.yaml:3: ipfix.mapping[0]: no key field"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: type}\n", "ipfix.mapping[0].destination \"type\": field cannot be mapped to"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_if, pen: 9}\n", "ipfix.mapping[0].pen: an enterprise number without penprovided; allowed: penprovided: true"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_if, penprovided: true}\n", "ipfix.mapping[0]: penprovided without an enterprise number"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_if}\n    - {field: 1, destination: out_if}\n", "map.yaml:4: ipfix.mapping[1].field \"1\": field is mapped by entry 1 too"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_if, endian: middle}\n", "ipfix.mapping[0].endian \"middle\": unknown choice; allowed: big, little"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: in_if, endian: big, endianness: big}\n", "byte order is given twice"},
		{"ipfix:\n  mapping:\n    - {field: 1, destination: src_addr, endian: little}\n", "byte order of src_addr, which is no number"},
		{custom + "ipfix:\n  mapping:\n    - {field: 1, destination: s, endian: little}\n", "map.yaml:7: ipfix.mapping[0].endian \"little\": byte order of s, which is no number"},
		{"netflowv9:\n  mapping:\n    - {field: 1, destination: in_if, penprovided: true, pen: 9}\n", "fields of NetFlow v9 have no enterprise number"},
		{"sflow:\n  mapping:\n    - {layer: upd, length: 16, destination: in_if}\n", "map.yaml:3: sflow.mapping[0].layer \"upd\": unknown layer; allowed: 0, 2, 3, 4, 7, arp, "},
		{"sflow:\n  mapping:\n    - {layer: etype0xfffff, length: 16, destination: in_if}\n", "sflow.mapping[0].layer \"etype0xfffff\": unknown layer"},
		{"sflow:\n  mapping:\n    - {layer: udp, offset: -1, length: 16, destination: in_if}\n", "sflow.mapping[0].offset \"-1\": not a number in range"},
		{"sflow:\n  mapping:\n    - {layer: udp, length: 0, destination: in_if}\n", "sflow.mapping[0].length \"0\": not a number in range"},
		{"sflow:\n  mapping:\n    - {layer: udp, length: 65, destination: in_if}\n", "sflow.mapping[0].length \"65\": longer than the number in_if can be"},
		{"sflow:\n  mapping:\n    - {layer: udp, length: 12, endian: little, destination: in_if}\n", "part of a byte in little-endian order"},
		{"sflow:\n  mapping:\n    - {layer: 0, length: 16, encap: true, destination: in_if}\n", "layer 0 is the whole header"},
		{"sflow:\n  mapping:\n    - {layer: udp, destination: in_if}\n", "sflow.mapping[0]: no key length"},
		{"sflow:\n  mapping:\n    - {layer: udp, length: 8, destination: in_if, bits: 8}\n", "sflow.mapping[0].bits: unknown key; allowed: destination, encap, endian, endianness, layer, length, offset"},
		{"sflow:\n  ports:\n    - {proto: sctp, dir: dst, port: 1, parser: gre}\n", "sflow.ports[0].proto \"sctp\": unknown choice; allowed: udp, tcp"},
		{"sflow:\n  ports:\n    - {proto: udp, dir: up, port: 1, parser: gre}\n", "sflow.ports[0].dir \"up\": unknown choice; allowed: src, dst, both"},
		{"sflow:\n  ports:\n    - {proto: udp, dir: dst, port: 0, parser: gre}\n", "sflow.ports[0].port \"0\": not a number in range; allowed: a whole number from 1 to 65535"},
		{"sflow:\n  ports:\n    - {proto: udp, dir: dst, port: 1, parser: teredo}\n", "sflow.ports[0].parser \"teredo\": unknown choice; allowed: dot1q, ethernet, "},
		{"sflow:\n  ports:\n    - {proto: udp, dir: dst, port: 1, parser: gre}\n    - {proto: udp, dir: both, port: 1, parser: mpls}\n", "map.yaml:4: sflow.ports[1].port \"1\": port has a parser already"},
		{"formatter: {fields: [type]\n", "not YAML"},
		{"ipfix: {}\nipfix: {}\n", "map.yaml:2: ipfix: key appears twice, first in line 1"},
		{"ipfix: {}\n---\nipfix: {}\n", "second document in the file"},
	} {
		_, _, err := Load(write(t, c.text), producer.Settings{})
		var usage *config.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestElementNames checks that a name is its number, and what is wrong with others.
func TestElementNames(t *testing.T) {
	text := func(protocol, field string) string {
		return protocol + ":\n  mapping:\n    - {field: " + field + ", destination: in_if}\n"
	}
	rule := func(protocol, field string) (producer.ElementRule, string) {
		r := &reader{file: "map.yaml", lines: map[string]int{}}
		r.parse([]byte(text(protocol, field)))
		rules := append(r.mapping.IPFIX, r.mapping.NetFlowV9...)
		if len(rules) != 1 {
			t.Fatalf("%s %s: %v", protocol, field, rules)
		}
		if len(r.faults) > 0 {
			return rules[0], r.faults[0].Problem
		}
		rules[0].Destination = ""
		return rules[0], ""
	}
	for _, c := range []struct {
		protocol, field string
		want            producer.ElementRule
	}{
		{"ipfix", "natEvent", producer.ElementRule{ID: 230}},
		{"ipfix", "NATEVENT", producer.ElementRule{ID: 230}},
		{"netflowv9", "IN_BYTES", producer.ElementRule{ID: 1}},
		{"netflowv9", "NF_F_FW_EXT_EVENT", producer.ElementRule{ID: 33002}},
		{"netflowv9", "L7_PROTO", producer.ElementRule{ID: 57590}},
		{"ipfix", "L7_PROTO", producer.ElementRule{ID: 118, PEN: 35632}},
		{"ipfix", "applicationHTTPHost", producer.ElementRule{ID: 12235, PEN: 9}},
		{"ipfix", "'cert:initialTCPFlags'", producer.ElementRule{ID: 14, PEN: 6871}},
		{"ipfix", "reversePacketDeltaCount", producer.ElementRule{ID: 2, PEN: 29305}},
		{"ipfix", "9/12235", producer.ElementRule{ID: 12235, PEN: 9}},
		{"ipfix", `"12235", penprovided: true, pen: 9`, producer.ElementRule{ID: 12235, PEN: 9}},
	} {
		if got, problem := rule(c.protocol, c.field); got != c.want || problem != "" {
			t.Errorf("%s %s: %+v, %q, want %+v", c.protocol, c.field, got, problem, c.want)
		}
	}
	for _, c := range [][3]string{
		{"ipfix", "natEvnt", "no element has this name; close to it: natEvent"},
		{"ipfix", "NF_F_FW_EXT_EVENT", "no element has this name"},
		{"netflowv9", "applicationHTTPHost", "no element has this name"},
		{"netflowv9", "9/1", "no such number in the protocol"},
		{"ipfix", "natEvent, penprovided: true, pen: 9", "an enterprise number with the name of an element"},
		{"ipfix", "natEvent, pen: 0", "an enterprise number with the name of an element"},
		{"ipfix", "[natEvent]", "a list where one value should be"},
	} {
		if _, problem := rule(c[0], c[1]); !strings.HasPrefix(problem, c[2]) {
			t.Errorf("%s %s: %q, want %q", c[0], c[1], problem, c[2])
		}
	}
}

// TestEnrichedNames checks that names and numbers of countries are refused where
// enrichment adds countries, and only there.
func TestEnrichedNames(t *testing.T) {
	text := write(t, "formatter:\n  protobuf:\n    - {name: x, index: 1000, type: varint}\n    - {name: dst_country, index: 2000, type: varint}\n    - {name: y, index: 1001, type: varint}\n"+
		"  fields: [type, dst_country, in_if]\n  rename: {in_if: src_country}\n")
	if _, _, err := Load(text, producer.Settings{}); err != nil {
		t.Error(err)
	}
	_, _, err := Load(text, producer.Settings{Enriched: true})
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"map.yaml:3: formatter.protobuf[0].index \"1000\": number is that of a country, which enrichment adds",
		"map.yaml:5: formatter.protobuf[2].index \"1001\": number is that of a country, which enrichment adds",
		"map.yaml:6: formatter.fields[1] \"dst_country\": field is called \"dst_country\", as one is that enrichment adds",
		"map.yaml:6: formatter.fields[2] \"in_if\": field is called \"src_country\", as one is that enrichment adds",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestAllFaults checks that they come at once, by line.
func TestAllFaults(t *testing.T) {
	text := "formater: {}\nformatter:\n  fields: [nope]\nipfix:\n  mapping:\n    - {field: x, destination: y}\n    - {field: 1, destination: nowhere}\nsflow:\n  mapping:\n    - {layer: nothing, length: 1, destination: in_if}\n"
	_, _, err := Load(write(t, text), producer.Settings{Hash: []string{"SrcAS", "Foo"}})
	var usage *config.UsageError
	if !errors.As(err, &usage) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range usage.Faults {
		got = append(got, f.Name)
	}
	want := "-format.hash formater formatter.fields[0] ipfix.mapping[0].field ipfix.mapping[1].destination sflow.mapping[0].layer"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestNotes(t *testing.T) {
	text := "netflowv9:\n  mapping:\n    - field: 34\n      destination: sampling_rate\n      endian: little\n    - field: 1\n      destination: in_if\n      endianness: little\n"
	_, notes, err := Load(write(t, text), producer.Settings{})
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "map.yaml:5: netflowv9.mapping[0].endian: little is obeyed") {
		t.Errorf("notes %q, error %v", notes, err)
	}
	text = "formatter:\n  protobuf:\n    - name: flow_direction\n      index: 2000\n      type: varint\n    - name: other\n      index: 42\n      type: string\n"
	_, notes, err = Load(write(t, text), producer.Settings{})
	if err != nil || len(notes) != 2 || !strings.Contains(notes[0], `map.yaml:3: formatter.protobuf[0].name "flow_direction": name is that of weir's own field`) ||
		!strings.Contains(notes[1], `map.yaml:7: formatter.protobuf[1].index "42": number is that of weir's own field`) {
		t.Errorf("notes %q, error %v", notes, err)
	}
}

func TestUnreadable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "none.yaml")
	_, _, err := Load(name, producer.Settings{})
	if err == nil || !strings.Contains(err.Error(), "-mapping") || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	large := write(t, strings.Repeat("#", yamltree.MaxFile+1))
	if _, _, err := Load(large, producer.Settings{}); err == nil || !strings.Contains(err.Error(), "larger than 1MiB") {
		t.Error(err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("formatter:\n  fields: [type]\n  protobuf:\n    - {name: x, index: 39, type: varint}\nipfix:\n  mapping:\n    - {field: 1, destination: x}\nsflow:\n  mapping:\n    - {layer: udp, length: 8, destination: x}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{file: "f", lines: map[string]int{}}
		r.parse(data)
		_, err := producer.NewProgram(&r.mapping, producer.Settings{})
		r.problems(err, producer.Settings{})
		if err != nil && len(r.faults) == 0 {
			t.Errorf("faults of the compiler got lost: %v", err)
		}
	})
}

// TestNoSecretIsPrinted: what may be a password is in no fault of a mapping file.
func TestNoSecretIsPrinted(t *testing.T) {
	const planted = "hunter2"
	for _, text := range []string{
		"password: " + planted, "formatter: {password: " + planted + "}", "formatter: " + planted, "formatter: {key: " + planted + "}",
		"formatter: {protobuf: [{name: x, index: 'password=" + planted + "', type: varint}]}",
		"formatter: {protobuf: [{name: x, index: 2000, type: 'u:" + planted + "@example.net'}]}",
		"ipfix: {mapping: [{field: 'u:" + planted + "@example.net', destination: x}]}", "netflowv9: {mapping: [{field: 'password=" + planted + "', destination: x}]}",
		"ipfix: {mapping: [{secret: " + planted + "}]}", "ipfix: {mapping: [" + planted + "]}", "sflow: {ports: [{proto: udp, pass: " + planted + "}]}",
		"x: *" + planted, "x: !" + planted + " y", "x: &" + planted + " y", "x: 'y" + planted, "x: \"\\" + planted + "\"", planted, "x: [\n" + planted + ": {", "a: b\n---\n" + planted,
	} {
		path := filepath.Join(t.TempDir(), "map.yaml")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, notes, err := Load(path, producer.Settings{})
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		if all := err.Error() + strings.Join(notes, "\n"); strings.Contains(all, planted) {
			t.Errorf("%q: %s", text, all)
		}
	}
}
