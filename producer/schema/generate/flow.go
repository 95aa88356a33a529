package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weirflow/weir/producer/schema"
)

// goType returns the type of a field in the Flow struct.
func goType(f *schema.Field) string {
	switch f.Kind {
	case schema.Uint64:
		return "uint64"
	case schema.Bytes:
		return "[]byte"
	case schema.Uints, schema.Layers:
		return "[]uint32"
	case schema.BytesList:
		if f.Go == flatList {
			return "[]byte"
		}
		return "[][]byte"
	}
	return "uint32"
}

// flatList is the list whose elements stand one after the other in one slice.
const flatList = "RoutingAddresses"

// isList tells whether the field's memory is kept from record to record.
func isList(f *schema.Field) bool {
	return f.Kind >= schema.Uints && f.Kind != schema.FlowType && f.Go != flatList
}

// fields calls do for each field, extra ones or the others.
func fields(extra bool, do func(*schema.Field)) {
	for i := range schema.Fields {
		if schema.Fields[i].Extra == extra {
			do(&schema.Fields[i])
		}
	}
}

// tag returns a tag as it is written, first byte lowest.
func tag(f *schema.Field) int {
	t := f.Tag()
	if t < 0x80 {
		return t
	}
	return t&0x7f | 0x80 | t>>7<<8
}

// flowCode makes the Flow struct and the names of its fields.
func flowCode() ([]byte, error) {
	var b bytes.Buffer
	header(&b, "producer")
	b.WriteString("import \"github.com/weirflow/weir/producer/geo\"\n\n")
	b.WriteString(`// Flow is one flow record on its way from a datagram to its encoding. A worker has
// one and fills it again for each record; the byte slices are views into the datagram
// and must not outlive it. The fields are those of flowpb.FlowMessage, in its units;
// docs/fields.md describes them.
type Flow struct {
`)
	fields(false, func(f *schema.Field) {
		note := ""
		if f.Go == flatList {
			note = " // 16 bytes each"
		}
		fmt.Fprintf(&b, "\t%s %s%s\n", f.Go, goType(f), note)
	})
	b.WriteString(`
	// What databases know about the addresses; 0 for none.
	SrcCountry, DstCountry geo.Country

	// custom are the values of the fields that a mapping adds, in the order in which
	// they were met.
	custom []customValue

	extraFields
}

// Extra are the fields of a flow that goflow2 does not have.
type Extra struct {
`)
	fields(true, func(f *schema.Field) { fmt.Fprintf(&b, "\t%s %s\n", f.Go, goType(f)) })
	b.WriteString(`}

// reset empties f and keeps the memory of its lists.
func (f *Flow) reset() {
	*f = Flow{
`)
	fields(false, func(f *schema.Field) {
		if isList(f) {
			fmt.Fprintf(&b, "\t\t%s: f.%s[:0],\n", f.Go, f.Go)
		}
	})
	b.WriteString("\t\tcustom: f.custom[:0],\n\t\textraFields: f.extraFields.next(),\n\t}\n}\n\n")

	b.WriteString("// Fields by their place in JSON.\nconst (\n")
	for i := range schema.Fields {
		suffix := ""
		if i == 0 {
			suffix = " fieldID = iota"
		}
		fmt.Fprintf(&b, "\tfield%s%s\n", schema.Fields[i].Go, suffix)
	}
	b.WriteString(`
	// fieldICMPName is in no message: its text is made of others.
	fieldICMPName
	// fieldCustom stands for all fields that a mapping adds.
	fieldCustom
)

`)
	most := 0
	for i := range schema.Fields {
		most = max(most, schema.Fields[i].Number)
	}
	fmt.Fprintf(&b, "const (\n\tnumFields = %d // of the table\n\tnumCore = %d // those that goflow2 has: the first ones\n\tnumExtra = numFields - numCore\n", len(schema.Fields), schema.NumCore())
	fmt.Fprintf(&b, "\t// maxFieldNumber is the largest number of a field of FlowMessage.\n\tmaxFieldNumber = %d\n)\n\n", most)
	b.WriteString("// Numbers of the fields in FlowMessage.\nconst (\n")
	for i := range schema.Fields {
		fmt.Fprintf(&b, "\tnumber%s = %d\n", schema.Fields[i].Go, schema.Fields[i].Number)
	}
	b.WriteString(")\n\n// Tags of the fields as they are written, first byte lowest: field number and wire\n// type. Those below 0x80 have one byte, the others two.\nconst (\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		fmt.Fprintf(&b, "\ttag%s = %#x\n", f.Go, tag(f))
	}
	b.WriteString(")\n")
	return b.Bytes(), nil
}

// accessCode makes the functions that find a field by its place.
func accessCode() ([]byte, error) {
	var b bytes.Buffer
	header(&b, "producer")
	access := func(name, result, doc string, kinds ...schema.Kind) {
		fmt.Fprintf(&b, "// %s returns %s, nil if it is of another kind.\nfunc (f *Flow) %s(id fieldID) *%s {\n\tswitch id {\n", name, doc, name, result)
		for i := range schema.Fields {
			f := &schema.Fields[i]
			for _, k := range kinds {
				if f.Kind != k || f.Go == flatList {
					continue
				}
				from := "f"
				if f.Extra {
					from = "f.Extra()"
				}
				fmt.Fprintf(&b, "\tcase field%s:\n\t\treturn &%s.%s\n", f.Go, from, f.Go)
			}
		}
		b.WriteString("\t}\n\treturn nil\n}\n\n")
	}
	access("u64", "uint64", "the number of 64 bits that id names", schema.Uint64)
	access("u32", "uint32", "the number of 32 bits that id names", schema.Uint32, schema.FlowType)
	access("bytes", "[]byte", "the string of bytes that id names", schema.Bytes)
	access("uints", "[]uint32", "the list of numbers that id names", schema.Uints, schema.Layers)
	access("byteLists", "[][]byte", "the list of strings of bytes that id names", schema.BytesList)
	b.WriteString("// setNumber sets the number that id names.\nfunc (f *Flow) setNumber(id fieldID, v uint64) {\n\tswitch id {\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		value := "uint32(v)"
		switch f.Kind {
		case schema.Uint64:
			value = "v"
		case schema.Uint32:
		default:
			continue
		}
		fmt.Fprintf(&b, "\tcase field%s:\n", f.Go)
		if f.Extra {
			fmt.Fprintf(&b, "\t\tf.Extra().%s = %s\n\t\tf.mark(id, %s)\n", f.Go, value, present(f))
		} else {
			fmt.Fprintf(&b, "\t\tf.%s = %s\n", f.Go, value)
		}
	}
	b.WriteString("\t}\n}\n")
	return b.Bytes(), nil
}

// present is the condition that a number has a value.
func present(f *schema.Field) string {
	if f.ZeroIsValue {
		return "true"
	}
	if f.Kind == schema.Uint32 {
		return "uint32(v) != 0"
	}
	return "v != 0"
}

// byNumber returns the fields that goflow2 has in the order of their numbers.
func byNumber() []*schema.Field {
	var all []*schema.Field
	fields(false, func(f *schema.Field) { all = append(all, f) })
	for i := range all {
		for j := i; j > 0 && all[j].Number < all[j-1].Number; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}

// encodeCode makes the encoder of protobuf.
func encodeCode() ([]byte, error) {
	var b bytes.Buffer
	header(&b, "producer")
	b.WriteString("// appendCore appends the fields that goflow2 has, in the order of their numbers.\nfunc appendCore(b []byte, f *Flow) []byte {\n")
	for _, f := range byNumber() {
		switch {
		case f.Kind == schema.Uint64:
			fmt.Fprintf(&b, "\tb = appendUint(b, %d, f.%s)\n", f.Number, f.Go)
		case f.Kind == schema.Uint32 || f.Kind == schema.FlowType:
			fmt.Fprintf(&b, "\tb = appendUint(b, %d, uint64(f.%s))\n", f.Number, f.Go)
		case f.Kind == schema.Bytes:
			fmt.Fprintf(&b, "\tb = appendBytes(b, %d, f.%s)\n", f.Number, f.Go)
		case f.Kind == schema.BytesList && f.Go == flatList:
			fmt.Fprintf(&b, "\tfor a := f.%s; len(a) >= 16; a = a[16:] {\n\t\tb = appendElement(b, %d, a[:16])\n\t}\n", f.Go, f.Number)
		case f.Kind == schema.BytesList:
			fmt.Fprintf(&b, "\tfor _, v := range f.%s {\n\t\tb = appendElement(b, %d, v)\n\t}\n", f.Go, f.Number)
		default:
			fmt.Fprintf(&b, "\tb = appendPacked(b, %d, f.%s)\n", f.Number, f.Go)
		}
	}
	b.WriteString("\treturn b\n}\n\n// appendExtra appends the extra fields that have a value.\nfunc appendExtra(b []byte, f *Flow) []byte {\n")
	b.WriteString("\tx, present := f.more, f.present\n\tfor id := present.take(); id != numFields; id = present.take() {\n\t\tswitch id {\n")
	fields(true, func(f *schema.Field) {
		fmt.Fprintf(&b, "\t\tcase field%s:\n", f.Go)
		switch f.Kind {
		case schema.Bytes:
			fmt.Fprintf(&b, "\t\t\tb = appendElement(b, %d, x.%s)\n", f.Number, f.Go)
		case schema.Uints:
			fmt.Fprintf(&b, "\t\t\tb = appendPacked(b, %d, x.%s)\n", f.Number, f.Go)
		case schema.BytesList:
			fmt.Fprintf(&b, "\t\t\tfor _, v := range x.%s {\n\t\t\t\tb = appendElement(b, %d, v)\n\t\t\t}\n", f.Go, f.Number)
		default:
			fmt.Fprintf(&b, "\t\t\tb = appendVarint(appendTag(b, %d, wireVarint), uint64(x.%s))\n", f.Number, f.Go)
		}
	})
	b.WriteString("\t\t}\n\t}\n")
	b.WriteString("\treturn b\n}\n")
	return b.Bytes(), nil
}

// parseCode makes the parser of protobuf.
func parseCode() ([]byte, error) {
	var b bytes.Buffer
	header(&b, "producer")
	b.WriteString("import \"encoding/binary\"\n\n// number puts an integer in its place, by the number of its field.\nfunc (p *Parser) number(field, v uint64) {\n\tf := &p.flow\n\tswitch field {\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		switch f.Kind {
		case schema.Uint32, schema.FlowType, schema.Uint64:
			fmt.Fprintf(&b, "\tcase %d:\n", f.Number)
			switch {
			case f.Extra:
				fmt.Fprintf(&b, "\t\tf.setNumber(field%s, v)\n", f.Go)
			case f.Kind == schema.Uint64:
				fmt.Fprintf(&b, "\t\tf.%s = v\n", f.Go)
			default:
				fmt.Fprintf(&b, "\t\tf.%s = uint32(v)\n", f.Go)
			}
		case schema.Uints, schema.Layers: // lists that are not packed
			if f.Extra {
				fmt.Fprintf(&b, "\tcase %d:\n\t\tf.appendNumber(field%s, v)\n", f.Number, f.Go)
			} else {
				fmt.Fprintf(&b, "\tcase %d:\n\t\tf.%s = append(f.%s, uint32(v))\n", f.Number, f.Go, f.Go)
			}
		}
	}
	b.WriteString("\t}\n}\n\n// bytes puts a string of bytes or a packed list in its place. It reports false for\n// one that is not well-formed.\nfunc (p *Parser) bytes(field uint64, v []byte) bool {\n\tf := &p.flow\n\tvar list *[]uint32\n\tswitch field {\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		switch {
		case f.Kind == schema.Bytes && f.Extra:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tf.setBytes(field%s, v)\n", f.Number, f.Go)
		case f.Kind == schema.Bytes:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tf.%s = v\n", f.Number, f.Go)
		case f.Kind == schema.BytesList && f.Go == flatList:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tif len(v) == 16 {\n\t\t\tp.routing = append(p.routing, v...)\n\t\t}\n", f.Number)
		case f.Kind == schema.BytesList:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tf.appendBytes(field%s, v)\n", f.Number, f.Go)
		case f.Kind == schema.Uints && f.Extra:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tlist = f.listOf(field%s)\n", f.Number, f.Go)
		case f.Kind == schema.Uints || f.Kind == schema.Layers:
			fmt.Fprintf(&b, "\tcase %d:\n\t\tlist = &f.%s\n", f.Number, f.Go)
		}
	}
	b.WriteString(`	default:
		p.country(field, v)
	}
	if list == nil {
		return true
	}
	for len(v) > 0 {
		x, n := binary.Uvarint(v)
		if n <= 0 {
			return false
		}
		*list = append(*list, uint32(x))
		v = v[n:]
	}
	return true
}
`)
	return b.Bytes(), nil
}

// jsonCode makes the encoder of JSON.
func jsonCode() ([]byte, error) {
	var b bytes.Buffer
	header(&b, "producer")
	b.WriteString("// appendCoreJSON appends the members of the fields that goflow2 has.\nfunc appendCoreJSON(b []byte, f *Flow) []byte {\n")
	sign := "{"
	fields(false, func(f *schema.Field) {
		key := fmt.Sprintf("`%s%q:`", sign, f.Name)
		list := strings.TrimSuffix(key, "`") + "[`"
		sign = ","
		switch f.Form {
		case schema.Number:
			fmt.Fprintf(&b, "\tb = jsonUint(b, %s, uint64(f.%s))\n", key, f.Go)
		case schema.Address:
			fmt.Fprintf(&b, "\tb = jsonAddr(b, %s, f.%s)\n", key, f.Go)
		case schema.Prefix:
			fmt.Fprintf(&b, "\tb = jsonNet(b, %s, f.%s, f.%s)\n", key, prefixOf[f.Go], f.Go)
		case schema.MAC:
			fmt.Fprintf(&b, "\tb = jsonMAC(b, %s, f.%s)\n", key, f.Go)
		case schema.TypeName, schema.EtherType, schema.Protocol:
			name := map[schema.Form]string{schema.TypeName: "typeName", schema.EtherType: "etypeName", schema.Protocol: "ProtocolName"}[f.Form]
			fmt.Fprintf(&b, "\tb = jsonName(b, %s, %s(f.%s))\n", key, name, f.Go)
		case schema.NumberList:
			fmt.Fprintf(&b, "\tb = jsonUints(b, %s, f.%s)\n", list, f.Go)
		case schema.LayerList:
			fmt.Fprintf(&b, "\tb = jsonLayers(b, %s, f.%s)\n", list, f.Go)
		case schema.AddressList:
			if f.Go == flatList {
				fmt.Fprintf(&b, "\tb = jsonFlat(b, %s, f.%s)\n", list, f.Go)
			} else {
				fmt.Fprintf(&b, "\tb = jsonAddrs(b, %s, f.%s)\n", list, f.Go)
			}
		}
	})
	b.WriteString("\treturn append(b, '}')\n}\n")
	return b.Bytes(), nil
}

// jsonUnsafeCode makes the encoder of JSON that writes by words.
func jsonUnsafeCode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("//go:build (amd64 || arm64) && !weirsafe\n\n")
	header(&b, "producer")
	b.WriteString("import \"unsafe\"\n\n")
	// Runs of numbers of 32 bits, by their first field.
	runs := map[string][]string{}
	first := ""
	fields(false, func(f *schema.Field) {
		if f.Kind != schema.Uint32 || f.Form != schema.Number {
			first = ""
			return
		}
		if first == "" {
			first = f.Go
		}
		runs[first] = append(runs[first], f.Go)
	})
	var text bytes.Buffer
	text.WriteString("// writeFlow writes f's object at w, without extra fields, and returns its end.\nfunc writeFlow(f *Flow, w unsafe.Pointer) unsafe.Pointer {\n")
	b.WriteString("// Places in a Flow of runs of members that are numbers of 32 bits.\nvar (\n")
	left := 0
	fields(false, func(f *schema.Field) {
		if left > 0 {
			left--
			return
		}
		key := fmt.Sprintf("putKey(w, field%s)", f.Go)
		if run := runs[f.Go]; len(run) >= leastRun {
			fmt.Fprintf(&b, "\trun%s = [...]uintptr{\n", f.Go)
			for _, name := range run {
				fmt.Fprintf(&b, "\t\tunsafe.Offsetof(Flow{}.%s),\n", name)
			}
			b.WriteString("\t}\n")
			fmt.Fprintf(&text, "\tw = putRun(w, f, field%s, run%s[:])\n", f.Go, f.Go)
			left = len(run) - 1
			return
		}
		switch f.Form {
		case schema.Number:
			fmt.Fprintf(&text, "\tw = putNumber(%s, uint64(f.%s))\n", key, f.Go)
		case schema.Address:
			fmt.Fprintf(&text, "\tw = putIP(%s, f.%s)\n", key, f.Go)
		case schema.Prefix:
			fmt.Fprintf(&text, "\tw = putNet(%s, f.%s, f.%s)\n", key, prefixOf[f.Go], f.Go)
		case schema.MAC:
			fmt.Fprintf(&text, "\tw = putMACText(%s, f.%s)\n", key, f.Go)
		case schema.TypeName:
			fmt.Fprintf(&text, "\tw = putName(%s, typeName(f.%s))\n", key, f.Go)
		case schema.EtherType:
			fmt.Fprintf(&text, "\tw = putName(%s, etypeName(f.%s))\n", key, f.Go)
		case schema.Protocol:
			fmt.Fprintf(&text, "\tw = putProtocol(%s, f.%s)\n", key, f.Go)
		case schema.NumberList:
			fmt.Fprintf(&text, "\tw = putNumbers(%s, f.%s)\n", key, f.Go)
		case schema.LayerList:
			fmt.Fprintf(&text, "\tw = putLayers(%s, f.%s)\n", key, f.Go)
		case schema.AddressList:
			put := "putAddrs"
			if f.Go == flatList {
				put = "putFlat"
			}
			fmt.Fprintf(&text, "\tw = %s(%s, f.%s)\n", put, key, f.Go)
		}
	})
	text.WriteString("\treturn putKey(w, numCore)\n}\n")
	b.WriteString(")\n\n")
	b.Write(text.Bytes())
	return b.Bytes(), nil
}

// leastRun is how many numbers one after the other are written in a loop.
const leastRun = 3

// poisonCode makes the function that overwrites a Flow in test builds.
func poisonCode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("//go:build weirpoison\n\n")
	header(&b, "producer")
	value := func(f *schema.Field) string {
		from := "f"
		if f.Extra {
			from = "f.Extra()"
		}
		switch {
		case isList(f) && f.Kind == schema.BytesList:
			return fmt.Sprintf("poisoned(%s.%s, text)", from, f.Go)
		case isList(f):
			return fmt.Sprintf("poisoned(%s.%s, 0xdbdbdbdb)", from, f.Go)
		case f.Kind == schema.Bytes || f.Go == flatList:
			return "text"
		}
		return "0xdbdbdbdb"
	}
	b.WriteString("// poison overwrites all fields but their memory.\nfunc (f *Flow) poison(text []byte) {\n\t*f = Flow{\n")
	fields(false, func(f *schema.Field) { fmt.Fprintf(&b, "\t\t%s: %s,\n", f.Go, value(f)) })
	b.WriteString("\t\tSrcCountry: 0xdb, DstCountry: 0xdb,\n\t\tcustom: poisoned(f.custom, customValue{num: 0xdbdbdbdb, bytes: text}),\n\t\textraFields: f.extraFields.next(),\n\t}\n\tf.present, f.hidden = allExtra(), extraSet{}\n\t*f.Extra() = Extra{\n")
	fields(true, func(f *schema.Field) { fmt.Fprintf(&b, "\t\t%s: %s,\n", f.Go, value(f)) })
	b.WriteString("\t}\n}\n")
	return b.Bytes(), nil
}

// prefixOf are the addresses that prefix lengths belong to.
var prefixOf = map[string]string{"SrcNet": "SrcAddr", "DstNet": "DstAddr"}
