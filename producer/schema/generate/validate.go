package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/producer/schema"
)

// coreFields is how many fields goflow2 has.
const coreFields = 50

// validate checks the rows against each other.
func validate() error {
	names, gos, numbers := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for i := range schema.Fields {
		f := &schema.Fields[i]
		switch {
		case f.Name == "" || f.Go == "" || f.Doc == "" || !strings.HasSuffix(f.Doc, "."):
			return fmt.Errorf("field %d (%s): a row has Name, Go and Doc, a sentence", i, f.Name)
		case names[f.Name] || gos[f.Go]:
			return fmt.Errorf("field %s: its name is given twice", f.Name)
		case numbers[f.Number] || f.Number < 1 || f.Number >= 1000:
			return fmt.Errorf("field %s: number %d is not free, or not below 1000", f.Name, f.Number)
		case f.Extra != (i >= coreFields):
			return fmt.Errorf("field %s: the first %d fields are those of goflow2, all others are extra", f.Name, coreFields)
		case f.ZeroIsValue && (!f.Extra || f.Kind != schema.Uint32 && f.Kind != schema.Uint64):
			return fmt.Errorf("field %s: zero is a value of extra numbers alone", f.Name)
		case f.ZeroIsNone && (!f.Extra || f.Form != schema.Address):
			return fmt.Errorf("field %s: zero is no address of extra addresses alone", f.Name)
		case f.Extra && (f.Kind == schema.FlowType || f.Kind == schema.Layers):
			return fmt.Errorf("field %s: extra fields are numbers, strings of bytes or lists of them", f.Name)
		case f.Extra && retired(f.Number) && !revived[f.Number]:
			return fmt.Errorf("field %s: number %d had another meaning once", f.Name, f.Number)
		}
		names[f.Name], gos[f.Go], numbers[f.Number] = true, true, true
		seen := map[[2]uint32]bool{}
		for _, e := range f.Elements {
			key := [2]uint32{e.PEN, uint32(e.ID)}
			if e.Side != schema.AnySide && e.Conv != schema.Plain && e.Conv != schema.IPv4 {
				return fmt.Errorf("field %s: element %d of one side is converted", f.Name, e.ID)
			}
			if e.Name == "" || seen[key] {
				return fmt.Errorf("field %s: element %d/%d has no name or comes twice", f.Name, e.PEN, e.ID)
			}
			seen[key] = true
			if err := fits(f, &e); err != nil {
				return err
			}
		}
		for _, s := range f.SFlow {
			r := schema.RecordByWord(s.Record)
			if r == nil {
				return fmt.Errorf("field %s: no record %d", f.Name, s.Record)
			}
			if len(r.Members) > 0 && !f.Extra {
				return fmt.Errorf("field %s: members of records fill extra fields alone", f.Name)
			}
			if len(r.Members) > 0 && !hasMember(r, s.Member) {
				return fmt.Errorf("field %s: record %s has no member %s", f.Name, r.Name, s.Member)
			}
		}
	}
	return nil
}

// onlyFor are the fields that a conversion is made for, where that takes more than the
// value.
var onlyFor = map[schema.Conversion][]string{
	schema.IPv4: {"SrcAddr", "DstAddr"}, schema.IPv6: {"SrcAddr", "DstAddr"}, schema.Label: {"MPLSLabel"},
	schema.Uptime: {"TimeFlowStartNs", "TimeFlowEndNs"}, schema.BootTime: {"TimeFlowStartNs"}, schema.IPVersion: {"Etype"},
	schema.Interval: {"SamplingRate"}, schema.Sampler: {"SamplingRate"}, schema.FrameSize: {"Bytes"},
	schema.DurationMillis: {"TimeFlowStartNs", "TimeFlowEndNs"}, schema.DurationMicros: {"TimeFlowStartNs", "TimeFlowEndNs"},
	schema.EthernetType: {"Etype"}, schema.Implies: {"Proto"}, schema.ICMPPort: {"ICMPType", "ICMPCode"}, schema.CodePoint: {"IPTOS", "PostIPTOS"},
	schema.Segments: {"RoutingAddresses"}, schema.RoutingHeader: {"RoutingAddresses"}, schema.Union: {"TCPFlags"},
}

// fits checks that the conversion of an element is one for its field.
func fits(f *schema.Field, e *schema.Element) error {
	if only, ok := onlyFor[e.Conv]; ok && !slices.Contains(only, f.Go) {
		return fmt.Errorf("field %s: the conversion of element %d is for %s alone", f.Name, e.ID, strings.Join(only, ", "))
	}
	if (e.Conv == schema.Chosen) != (e.Lookup != nil) {
		return fmt.Errorf("field %s: element %d has a Lookup, or is Chosen, without the other", f.Name, e.ID)
	}
	switch e.Conv {
	case schema.Chosen:
		if f.Kind != schema.Uint32 && f.Kind != schema.Uint64 || len(e.Lookup.Entries) == 0 {
			return fmt.Errorf("field %s: element %d chooses among numbers, of which there is one at least", f.Name, e.ID)
		}
	case schema.Frame, schema.Packet, schema.Labels, schema.PacketPayload:
		return fmt.Errorf("field %s: element %d belongs to Headers", f.Name, e.ID)
	case schema.Seconds, schema.Millis, schema.NTP, schema.Before:
		if f.Kind != schema.Uint64 {
			return fmt.Errorf("field %s: a time has 64 bits", f.Name)
		}
	case schema.Append, schema.BasicList:
		if f.Kind != schema.Uints && f.Kind != schema.BytesList {
			return fmt.Errorf("field %s: element %d needs a list", f.Name, e.ID)
		}
	case schema.Plain:
		if f.Kind >= schema.Uints {
			return fmt.Errorf("field %s: element %d cannot fill a list", f.Name, e.ID)
		}
	}
	return nil
}

func hasMember(r *schema.Record, name string) bool {
	for _, m := range r.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// Numbers that retired schemas used with other meanings.
var retiredRanges = [][2]int{{2, 2}, {5, 5}, {39, 42}, {53, 65}}

// revived are those of them that have their first meaning again, that of goflow v1.
var revived = map[int]bool{39: true, 40: true, 41: true, 42: true}

func retired(number int) bool {
	for _, r := range retiredRanges {
		if number >= r[0] && number <= r[1] {
			return true
		}
	}
	return false
}
