package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	flowpb "github.com/netsampler/goflow2/v2/pb"

	"github.com/weirflow/weir/producer/schema"
)

// A difference is something that weir and goflow2 say differently.
type difference struct {
	where   string // sequence, datagram, record
	mapping string
	// form is "records", "bin", "json", "text" or "key".
	form string
	// field is the name of the field or column.
	field       string
	weir, their string
	w, g        *flowpb.FlowMessage // of the record
	datagram    *arrival
	err         error // that goflow2 returned for the datagram
	custom      bool  // the field is an added one
	damaged     bool  // goflow2 did not read an earlier datagram to its end
}

func (d *difference) String() string {
	return fmt.Sprintf("%s, mapping %s: %s %s: weir %s, goflow2 %s", d.where, d.mapping, d.form, d.field, d.weir, d.their)
}

// message is a decoded FlowMessage as printed values by name.
type message struct {
	pb     *flowpb.FlowMessage
	values map[string]string
}

func decodeMessage(bin []byte, custom map[protowire.Number]customDef) (*message, error) {
	m := &message{pb: new(flowpb.FlowMessage), values: map[string]string{}}
	in := bytes.NewReader(bin)
	if err := protodelim.UnmarshalFrom(in, m.pb); err != nil {
		return nil, err
	}
	if in.Len() > 0 {
		return nil, fmt.Errorf("%d bytes behind the message", in.Len())
	}
	m.pb.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.IsList() {
			var all []string
			for i := range v.List().Len() {
				all = append(all, printed(f, v.List().Get(i)))
			}
			m.values[string(f.Name())] = "[" + strings.Join(all, " ") + "]"
		} else {
			m.values[string(f.Name())] = printed(f, v)
		}
		return true
	})
	for unknown := m.pb.ProtoReflect().GetUnknown(); len(unknown) > 0; {
		num, typ, n := protowire.ConsumeField(unknown)
		if n < 0 {
			return nil, fmt.Errorf("unknown fields: %w", protowire.ParseError(n))
		}
		_, _, tag := protowire.ConsumeTag(unknown)
		def, ok := custom[num]
		if !ok {
			def, ok = extraField(num)
		}
		if !ok {
			return nil, fmt.Errorf("field %d is no one's", num)
		}
		v := ""
		switch typ {
		case protowire.VarintType:
			x, _ := protowire.ConsumeVarint(unknown[tag:])
			v = fmt.Sprint(x)
		case protowire.BytesType:
			x, _ := protowire.ConsumeBytes(unknown[tag:])
			v = fmt.Sprintf("%x", x)
			if len(x) == 0 {
				v = "empty"
			}
		}
		if def.Array && m.values[def.Name] != "" {
			v = m.values[def.Name] + " " + v
		}
		m.values[def.Name] = v
		unknown = unknown[n:]
	}
	return m, nil
}

// extraField returns a field that goflow2 does not have, by its number.
func extraField(number protowire.Number) (customDef, bool) {
	for i := range schema.Fields {
		if f := &schema.Fields[i]; f.Extra && f.Number == int(number) {
			return customDef{Name: f.Name}, true
		}
	}
	return customDef{}, false
}

// customDef is an added field.
type customDef struct {
	Name  string
	Array bool
}

func printed(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.BytesKind:
		return fmt.Sprintf("%x", v.Bytes())
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name())
		}
	}
	return fmt.Sprint(v.Interface())
}

// pair is one column.
type pair struct{ name, value string }

// jsonPairs are the columns of an object, values as they stand in the text.
func jsonPairs(text []byte) ([]pair, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var all []pair
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		all = append(all, pair{key.(string), string(raw)})
	}
	return all, nil
}

// textPairs are the columns of a text line, cut where the names stand that the
// JSON object has: values may hold spaces.
func textPairs(text []byte, names []pair) ([]pair, error) {
	rest := string(text)
	var all []pair
	for i, n := range names {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, n.name+"="); !ok {
			return nil, fmt.Errorf("%q does not begin with %s=", rest, n.name)
		}
		value := rest
		if i+1 < len(names) {
			at := strings.Index(rest, " "+names[i+1].name+"=")
			if at < 0 {
				return nil, fmt.Errorf("no %s in %q", names[i+1].name, rest)
			}
			value, rest = rest[:at], rest[at+1:]
		}
		all = append(all, pair{n.name, value})
	}
	return all, nil
}

// comparePairs notes the columns that differ.
func comparePairs(weir, their []pair, note func(field, weir, their string)) {
	i, j := 0, 0
	for i < len(weir) && j < len(their) {
		switch {
		case weir[i].name == their[j].name:
			if weir[i].value != their[j].value {
				note(weir[i].name, weir[i].value, their[j].value)
			}
			i++
			j++
		case has(their[j:], weir[i].name):
			note(their[j].name, "(no column)", their[j].value)
			j++
		default:
			note(weir[i].name, weir[i].value, "(no column)")
			i++
		}
	}
	for ; i < len(weir); i++ {
		note(weir[i].name, weir[i].value, "(no column)")
	}
	for ; j < len(their); j++ {
		note(their[j].name, "(no column)", their[j].value)
	}
}

func has(pairs []pair, name string) bool {
	for _, p := range pairs {
		if p.name == name {
			return true
		}
	}
	return false
}

// compareRecord compares one record in all formats and notes what differs.
func compareRecord(w, g *output, custom map[protowire.Number]customDef, note func(d difference)) error {
	wm, err := decodeMessage(w.bin, custom)
	if err != nil {
		return fmt.Errorf("weir's message: %w", err)
	}
	gm, err := decodeMessage(g.bin, custom)
	if err != nil {
		return fmt.Errorf("goflow2's message: %w", err)
	}
	base := difference{w: wm.pb, g: gm.pb}
	added := map[string]bool{}
	for _, def := range custom {
		added[def.Name] = true
	}
	differ := map[string]bool{}
	names := map[string]bool{}
	for name := range wm.values {
		names[name] = true
	}
	for name := range gm.values {
		names[name] = true
	}
	for name := range names {
		if wm.values[name] != gm.values[name] {
			d := base
			d.form, d.field, d.weir, d.their, d.custom = "bin", name, wm.values[name], gm.values[name], added[name]
			differ[name] = true
			note(d)
		}
	}
	if !bytes.Equal(w.key, g.key) {
		d := base
		d.form, d.weir, d.their = "key", fmt.Sprintf("%x", w.key), fmt.Sprintf("%x", g.key)
		for name := range differ {
			d.field += name + " "
		}
		note(d)
	}
	wj, err := jsonPairs(w.json)
	if err != nil {
		return fmt.Errorf("weir's JSON %s: %w", w.json, err)
	}
	column := func(form string) func(field, weir, their string) {
		return func(field, weir, their string) {
			d := base
			d.form, d.field, d.weir, d.their, d.custom = form, field, weir, their, added[field]
			note(d)
		}
	}
	if len(g.json) == 0 {
		column("json")("", string(w.json), "(no JSON)")
	} else if !bytes.Equal(w.json, g.json) {
		gj, err := jsonPairs(g.json)
		if err != nil {
			return fmt.Errorf("goflow2's JSON %q: %w", g.json, err)
		}
		before := len(wj) == len(gj)
		comparePairs(wj, gj, column("json"))
		if before && fmt.Sprint(wj) == fmt.Sprint(gj) {
			return fmt.Errorf("JSON differs between its values:\n%s\n%s", w.json, g.json)
		}
	}
	if !bytes.Equal(w.text, g.text) {
		gj := wj
		if len(g.json) > 0 {
			if gj, err = jsonPairs(g.json); err != nil {
				return fmt.Errorf("goflow2's JSON %q: %w", g.json, err)
			}
		}
		wt, err := textPairs(w.text, wj)
		if err != nil {
			return err
		}
		gt, err := textPairs(g.text, gj)
		if err != nil {
			return err
		}
		comparePairs(wt, gt, column("text"))
		if fmt.Sprint(wt) == fmt.Sprint(gt) {
			return fmt.Errorf("text differs between its values:\n%s\n%s", w.text, g.text)
		}
	}
	return nil
}
