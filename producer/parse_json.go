package producer

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weirflow/weir/producer/geo"
	"github.com/weirflow/weir/producer/schema"
)

// ParseJSON reads a flow that goflow2 or weir wrote as JSON without a mapping. The flow
// is valid until the next one. Names that it does not know become 0; an EtherType
// without a name is not in the JSON at all. Other members are left out.
func (p *Parser) ParseJSON(text []byte) (*Flow, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	p.flow.reset()
	p.routing = p.routing[:0]
	f := &p.flow
	for i := range fieldTable {
		value, ok := members[fieldTable[i].name]
		if !ok {
			continue
		}
		if err := p.member(fieldID(i), value); err != nil {
			return nil, fmt.Errorf("member %s: %w", fieldTable[i].name, err)
		}
	}
	f.RoutingAddresses = p.routing
	for name, to := range map[string]*geo.Country{"src_country": &f.SrcCountry, "dst_country": &f.DstCountry} {
		var code string
		if value, ok := members[name]; ok {
			if err := json.Unmarshal(value, &code); err != nil {
				return nil, fmt.Errorf("member %s: %w", name, err)
			}
		}
		*to, _ = geo.ParseCountry([]byte(code))
	}
	return f, nil
}

// member puts the value of a member in its place.
func (p *Parser) member(id fieldID, value json.RawMessage) error {
	f := &p.flow
	switch form := fieldTable[id].form; form {
	case schema.Number:
		var n uint64
		if fieldTable[id].kind == kindUint64 {
			return setMember(value, &n, func() { f.setNumber(id, n) })
		}
		var short uint32
		return setMember(value, &short, func() { f.setNumber(id, uint64(short)) })
	case schema.NumberList:
		var list []uint32
		return setMember(value, &list, func() { *f.uints(id) = append(*f.uints(id), list...) })
	case schema.AddressList, schema.LayerList:
		var list []string
		return setMember(value, &list, func() {
			for _, s := range list {
				p.element(id, s)
			}
		})
	default:
		var s string
		return setMember(value, &s, func() { f.setText(id, s) })
	}
}

func setMember[T any](value json.RawMessage, v *T, set func()) error {
	err := json.Unmarshal(value, v)
	if err == nil {
		set()
	}
	return err
}

// element appends an element of a list of strings.
func (p *Parser) element(id fieldID, s string) {
	switch id {
	case fieldLayerStack:
		n := max(slices.Index(schema.LayerNames, s), 0)
		if s == "Custom" {
			n = customLayer
		}
		p.flow.LayerStack = append(p.flow.LayerStack, uint32(n))
	case fieldRoutingAddresses:
		if b := addrBytes(s); len(b) == 16 {
			p.routing = append(p.routing, b...)
		}
	default:
		p.flow.MPLSIP = append(p.flow.MPLSIP, addrBytes(s))
	}
}

// customLayer is the value Custom of the enumeration LayerStack.
const customLayer = 99

// setText sets a field from the text that JSON has of it.
func (f *Flow) setText(id fieldID, s string) {
	switch fieldTable[id].form {
	case schema.TypeName:
		f.Type = uint32(max(slices.Index(schema.FlowTypes, s), 0))
	case schema.EtherType:
		f.setNumber(id, map[string]uint64{"IPv4": etherTypeIPv4, "IPv6": etherTypeIPv6, "ARP": etherTypeARP}[s])
	case schema.Protocol:
		f.setNumber(id, uint64(max(slices.Index(protocolNames[:], s), 0)))
	case schema.MAC:
		f.setNumber(id, macNumber(s))
	case schema.Prefix:
		if n, err := netip.ParsePrefix(s); err == nil {
			f.setNumber(id, uint64(n.Bits()))
		}
	case schema.Text:
		f.setBytes(id, []byte(s))
	default:
		f.setBytes(id, addrBytes(s))
	}
}

func addrBytes(s string) []byte {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return nil
	}
	return addr.AsSlice()
}

func macNumber(s string) (mac uint64) {
	for i := 0; i+2 <= len(s); i += 3 {
		b, err := strconv.ParseUint(s[i:i+2], 16, 8)
		if err != nil {
			return 0
		}
		mac = mac<<8 | b
	}
	return mac
}
