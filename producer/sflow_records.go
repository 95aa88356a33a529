package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/producer/schema"
)

// Records of flow samples whose members the table of fields has are read as the table
// says; see schema.Records.

// recordMember is a member of such a record.
type recordMember struct {
	kind schema.MemberType
	// fills are the fields that it fills, unless a member or record before it did.
	fills []fieldID
}

// recordMembers are the members of the records, by the word before these.
var recordMembers = func() map[uint32][]recordMember {
	all := map[uint32][]recordMember{}
	for _, r := range schema.Records {
		for _, m := range r.Members {
			member := recordMember{kind: m.Type}
			for i := range schema.Fields {
				for _, src := range schema.Fields[i].SFlow {
					if src.Record == r.Word && src.Member == m.Name {
						member.fills = append(member.fills, fieldID(i))
					}
				}
			}
			all[r.Word] = append(all[r.Word], member)
		}
	}
	return all
}()

// recordWays says by the word before a record, or at the last place for the words of
// enterprises, whether it has fields that gather and the assembly do not know: a
// sample with such a record takes the generic path.
var recordWays = func() (ways [recordPlaces + 1]uint8) {
	for i := range schema.Fields {
		for _, src := range schema.Fields[i].SFlow {
			if !gathers(src.Record, fieldID(i)) {
				ways[min(src.Record, recordPlaces)] = 1
			}
		}
	}
	return ways
}()

// recordPlaces is the number of formats of a record of enterprise 0.
const recordPlaces = 4096

// isGathered tells whether gather takes the record, or may leave it out.
func isGathered(word uint32) bool { return recordWays[min(word, recordPlaces)] == 0 }

// allGathered says that gather and the assembly know all fields of the records that
// they read.
var allGathered = func() bool {
	for word := range gatheredFields {
		if !isGathered(word) {
			return false
		}
	}
	return true
}()

// gathers tells whether gather takes a field from a record.
func gathers(word uint32, id fieldID) bool {
	for _, known := range gatheredFields[word] {
		if known == id {
			return true
		}
	}
	return false
}

// gatheredFields are the fields that gather, what writes the parts that it takes,
// and writeSamples in assembly know, by record.
var gatheredFields = map[uint32][]fieldID{
	schema.RawHeader: {
		fieldBytes, fieldSrcAddr, fieldDstAddr, fieldEtype, fieldProto, fieldSrcPort, fieldDstPort, fieldSrcMAC, fieldDstMAC, fieldVLANID,
		fieldIPTOS, fieldIPTTL, fieldIPFlags, fieldTCPFlags, fieldICMPType, fieldICMPCode, fieldIPv6FlowLabel, fieldFragmentID,
		fieldFragmentOffset, fieldMPLSTTL, fieldMPLSLabel, fieldLayerStack, fieldLayerSize, fieldRoutingAddresses, fieldRoutingSegLeft,
		fieldTunnelType, fieldTunnelID, fieldInnerSrcAddr, fieldInnerDstAddr, fieldInnerEtype, fieldInnerProto, fieldInnerSrcPort, fieldInnerDstPort,
	},
	schema.ExtendedSwitch:  {fieldSrcVLAN, fieldDstVLAN},
	schema.ExtendedRouter:  {fieldNextHop, fieldSrcNet, fieldDstNet},
	schema.ExtendedGateway: {fieldSrcAS, fieldDstAS, fieldNextHopAS, fieldBGPNextHop, fieldBGPCommunities, fieldASPath},
}

// tableRecord adds what a record says to the flow, as the table of fields has it. A
// record that no field is filled from is left out. It reports false if the record is
// shorter than its members.
func (p *Producer) tableRecord(word uint32, d []byte, f *Flow) bool {
	members := recordMembers[word]
	for i := range members {
		m := &members[i]
		var n uint64
		var v []byte
		switch m.kind {
		case schema.XDRUint32:
			if len(d) < 4 {
				return false
			}
			n, d = uint64(binary.BigEndian.Uint32(d)), d[4:]
		case schema.XDRUint64:
			if len(d) < 8 {
				return false
			}
			n, d = binary.BigEndian.Uint64(d), d[8:]
		case schema.XDRAddress:
			var ok bool
			if v, d, ok = takeAddress(d); !ok {
				return false
			}
		case schema.XDRIPv4, schema.XDRIPv6:
			size := 4
			if m.kind == schema.XDRIPv6 {
				size = 16
			}
			if len(d) < size {
				return false
			}
			v, d = d[:size:size], d[size:]
		case schema.XDROpaque:
			if len(d) < 4 {
				return false
			}
			size := uint64(binary.BigEndian.Uint32(d))
			if d = d[4:]; size > uint64(len(d)) {
				return false
			}
			v = d[:size:size]
			d = d[min((size+3)&^3, uint64(len(d))):]
		}
		for _, id := range m.fills {
			p.fillFromRecord(id, n, v, f)
		}
	}
	return true
}

// fillFromRecord sets an extra field from a member, n or v, unless one before it did.
func (p *Producer) fillFromRecord(id fieldID, n uint64, v []byte, f *Flow) {
	if f.has(id) {
		return
	}
	switch info := &fieldTable[id]; {
	case info.form == schema.Text:
		f.setBytes(id, p.text(v))
	case info.kind == kindBytes:
		f.setBytes(id, v)
	default:
		f.setNumber(id, n)
	}
}
