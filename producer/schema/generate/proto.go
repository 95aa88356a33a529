package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/weirflow/weir/producer/schema"
)

const (
	protoPath    = "producer/flowpb/flow.proto"
	protoPackage = "github.com/weirflow/weir/producer/flowpb;flowpb"
	protoIntro   = ` The schema of weir's output. Field numbers and names are those that
 consumers of goflow2 already read; they are frozen. New fields take numbers
 above those in use here. Numbers 1000 and up belong to enrichment and to
 custom fields.

 Generated from the table of fields in producer/schema: edit that.
`
)

// protoType returns the type of a field in flow.proto.
func protoType(f *schema.Field) (name string, repeated bool) {
	switch f.Kind {
	case schema.Uint32:
		return "uint32", false
	case schema.Uint64:
		return "uint64", false
	case schema.Uints:
		return "uint32", true
	case schema.BytesList:
		return "bytes", true
	case schema.FlowType:
		return "FlowType", false
	case schema.Layers:
		return "LayerStack", true
	}
	if f.Form == schema.Text {
		return "string", false
	}
	return "bytes", false
}

// reserved returns the retired numbers that are not in use again.
func reserved() [][2]int {
	var out [][2]int
	for _, r := range retiredRanges {
		for n := r[0]; n <= r[1]; n++ {
			if slices.ContainsFunc(schema.Fields, func(f schema.Field) bool { return f.Number == n }) {
				continue
			}
			if k := len(out); k > 0 && out[k-1][1] == n-1 {
				out[k-1][1] = n
			} else {
				out = append(out, [2]int{n, n})
			}
		}
	}
	return out
}

// comment returns what flow.proto says before a field.
func comment(f *schema.Field) string {
	text := " " + f.Doc
	if f.Unit != "" {
		text += " Unit: " + f.Unit + "."
	}
	return text + "\n"
}

func protoFile() ([]byte, error) {
	var b bytes.Buffer
	for line := range strings.Lines(protoIntro) {
		b.WriteString("//" + line)
	}
	b.WriteString("syntax = \"proto3\";\n\npackage flowpb;\n\n")
	fmt.Fprintf(&b, "option go_package = %q;\n\nmessage FlowMessage {\n", protoPackage)
	enum := func(name string, values []string) {
		fmt.Fprintf(&b, "  enum %s {\n", name)
		for i, v := range values {
			fmt.Fprintf(&b, "    %s = %d;\n", v, i)
		}
	}
	enum("FlowType", schema.FlowTypes)
	b.WriteString("  }\n")
	enum("LayerStack", schema.LayerNames)
	b.WriteString("    Custom = 99;\n  }\n\n  // Used by retired schemas with other meanings: never to be given again.\n  reserved ")
	for i, r := range reserved() {
		if i > 0 {
			b.WriteString(", ")
		}
		if fmt.Fprint(&b, r[0]); r[1] > r[0] {
			fmt.Fprintf(&b, " to %d", r[1])
		}
	}
	b.WriteString(";\n")
	for i := range schema.Fields {
		f := &schema.Fields[i]
		name, repeated := protoType(f)
		label := ""
		if repeated {
			label = "repeated "
		} else if f.ZeroIsValue {
			label = "optional "
		}
		fmt.Fprintf(&b, "\n  //%s  %s%s %s = %d;\n", comment(f), label, name, f.Name, f.Number)
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// descriptor returns what protoc would make of flow.proto.
func descriptor() *descriptorpb.FileDescriptorProto {
	info := &descriptorpb.SourceCodeInfo{}
	note := func(text string, path ...int32) {
		info.Location = append(info.Location, &descriptorpb.SourceCodeInfo_Location{
			Path: path, Span: []int32{0, 0, 0}, LeadingComments: proto.String(text),
		})
	}
	note(protoIntro, 12) // syntax
	m := &descriptorpb.DescriptorProto{Name: proto.String("FlowMessage")}
	enum := func(name string, values []string) *descriptorpb.EnumDescriptorProto {
		e := &descriptorpb.EnumDescriptorProto{Name: proto.String(name)}
		for i, v := range values {
			e.Value = append(e.Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String(v), Number: proto.Int32(int32(i))})
		}
		m.EnumType = append(m.EnumType, e)
		return e
	}
	enum("FlowType", schema.FlowTypes)
	layers := enum("LayerStack", schema.LayerNames)
	layers.Value = append(layers.Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String("Custom"), Number: proto.Int32(99)})
	for _, r := range reserved() {
		m.ReservedRange = append(m.ReservedRange, &descriptorpb.DescriptorProto_ReservedRange{Start: proto.Int32(int32(r[0])), End: proto.Int32(int32(r[1] + 1))})
	}
	types := map[string]descriptorpb.FieldDescriptorProto_Type{
		"uint32": descriptorpb.FieldDescriptorProto_TYPE_UINT32, "uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64,
		"bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES, "string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
	}
	for i := range schema.Fields {
		f := &schema.Fields[i]
		name, repeated := protoType(f)
		d := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(f.Name), Number: proto.Int32(int32(f.Number)), JsonName: proto.String(jsonName(f.Name)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if repeated {
			d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if t, ok := types[name]; ok {
			d.Type = t.Enum()
		} else {
			d.Type, d.TypeName = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum(), proto.String(".flowpb.FlowMessage."+name)
		}
		if f.ZeroIsValue {
			d.Proto3Optional, d.OneofIndex = proto.Bool(true), proto.Int32(int32(len(m.OneofDecl)))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String("_" + f.Name)})
		}
		m.Field = append(m.Field, d)
		note(comment(f), 4, 0, 2, int32(i))
	}
	return &descriptorpb.FileDescriptorProto{
		Name: proto.String(protoPath), Package: proto.String("flowpb"), Syntax: proto.String("proto3"),
		Options:     &descriptorpb.FileOptions{GoPackage: proto.String(protoPackage)},
		MessageType: []*descriptorpb.DescriptorProto{m}, SourceCodeInfo: info,
	}
}

// jsonName is the lower camel case of a name, as protoc has it.
func jsonName(name string) string {
	var b strings.Builder
	up := false
	for _, c := range name {
		switch {
		case c == '_':
			up = true
		case up && c >= 'a' && c <= 'z':
			b.WriteRune(c - 'a' + 'A')
			up = false
		default:
			b.WriteRune(c)
			up = false
		}
	}
	return b.String()
}

// protoCode runs protoc-gen-go, of the version of the protobuf module in go.mod, on
// the descriptor. protoc is not needed.
func protoCode() ([]byte, error) {
	req, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{protoPath}, ProtoFile: []*descriptorpb.FileDescriptorProto{descriptor()},
		Parameter: proto.String("module=github.com/weirflow/weir"),
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", "google.golang.org/protobuf/cmd/protoc-gen-go")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(req), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run protoc-gen-go: %w", err)
	}
	var res pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &res); err != nil {
		return nil, err
	}
	if res.Error != nil {
		return nil, errors.New(*res.Error)
	}
	return []byte(res.File[0].GetContent()), nil
}
