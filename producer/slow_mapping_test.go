package producer_test

import (
	"math/big"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/schema"
)

// mapElement puts a value where the mapping says, if it says anything of the
// element. Added fields are unknown fields of the message.
func (s *slow) mapElement(m *slowMessage, field slowField, v []byte, f *flowpb.FlowMessage, aside map[uint16]uint64) {
	if s.mapping == nil || field.length == 0 {
		return
	}
	rules := s.mapping.IPFIX
	if m.version == 9 {
		rules = s.mapping.NetFlowV9
	}
	for _, r := range rules {
		if r.ID != field.id || r.PEN != field.pen {
			continue
		}
		var number uint64
		isNumber := len(v) <= 8
		if isNumber {
			bytes := slices.Clone(v)
			if r.Little {
				slices.Reverse(bytes)
			}
			number = new(big.Int).SetBytes(bytes).Uint64()
		}
		for _, c := range s.mapping.Custom {
			if c.Name == r.Destination {
				slowCustom(c, v, number, isNumber, f)
				return
			}
		}
		fields := f.ProtoReflect().Descriptor().Fields()
		d := fields.ByName(protoreflect.Name(r.Destination))
		if d == nil {
			d = fields.ByJSONName(lowerFirst(r.Destination))
		}
		for i := range schema.Fields {
			if schema.Fields[i].Number == int(d.Number()) && s.hides(&schema.Fields[i]) {
				return
			}
		}
		if !isNumber && d.Kind() != protoreflect.BytesKind && d.Kind() != protoreflect.StringKind {
			return
		}
		value := protoreflect.ValueOfUint64(number)
		switch d.Kind() {
		case protoreflect.Uint32Kind:
			value = protoreflect.ValueOfUint32(uint32(number))
		case protoreflect.StringKind:
			value = protoreflect.ValueOfString(slowText(v))
		case protoreflect.BytesKind:
			value = protoreflect.ValueOfBytes(v)
		}
		if d.IsList() {
			f.ProtoReflect().Mutable(d).List().Append(value)
			return
		}
		f.ProtoReflect().Set(d, value)
		switch d.Name() {
		case "sampling_rate":
			aside[mappedRate] = number
		case "time_flow_start_ns":
			aside[absoluteStart] = 1
		case "time_flow_end_ns":
			aside[absoluteEnd] = 1
		}
	}
}

// mappedRate is a note aside: the rate that the mapping found.
const mappedRate = 65004

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }

// slowCustom adds a value of an added field, or replaces the one that is there.
func slowCustom(c producer.Custom, v []byte, number uint64, isNumber bool, f *flowpb.FlowMessage) {
	if c.Type == producer.CustomVarint && !isNumber {
		return
	}
	var kept []byte
	for rest := f.ProtoReflect().GetUnknown(); len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if c.Array || num != protowire.Number(c.Number) {
			kept = append(kept, rest[:n]...)
		}
		rest = rest[n:]
	}
	if c.Type == producer.CustomVarint {
		kept = protowire.AppendVarint(protowire.AppendTag(kept, protowire.Number(c.Number), protowire.VarintType), number)
	} else {
		kept = protowire.AppendBytes(protowire.AppendTag(kept, protowire.Number(c.Number), protowire.BytesType), v)
	}
	f.ProtoReflect().SetUnknown(kept)
}
