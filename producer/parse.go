package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/producer/geo"
)

// A Parser reads protobuf messages into a Flow: the inverse of AppendDelimited, but
// for the length and the fields that a mapping adds. It keeps its memory from message
// to message and is not for concurrent use.
type Parser struct {
	flow    Flow
	routing []byte
}

// Parse reads a message, given without its length. The flow is valid until the next
// one; its addresses are views into the message. Fields that a Flow has no place for
// are left out. It reports false for bytes that are no message.
func (p *Parser) Parse(msg []byte) (*Flow, bool) {
	p.flow.reset()
	p.routing = p.routing[:0]
	for len(msg) > 0 {
		tag, n := binary.Uvarint(msg)
		if n <= 0 || tag>>3 == 0 {
			return nil, false
		}
		msg = msg[n:]
		switch tag & 7 {
		case wireVarint:
			v, n := binary.Uvarint(msg)
			if n <= 0 {
				return nil, false
			}
			msg = msg[n:]
			p.number(tag>>3, v)
		case wireBytes:
			size, n := binary.Uvarint(msg)
			if n <= 0 || size > uint64(len(msg)-n) {
				return nil, false
			}
			if !p.bytes(tag>>3, msg[n:n+int(size)]) {
				return nil, false
			}
			msg = msg[n+int(size):]
		case wireFixed32, wireFixed64:
			size := 4
			if tag&7 == wireFixed64 {
				size = 8
			}
			if len(msg) < size {
				return nil, false
			}
			msg = msg[size:]
		default:
			return nil, false
		}
	}
	p.flow.RoutingAddresses = p.routing
	return &p.flow, true
}

// country puts a country in its place.
func (p *Parser) country(field uint64, v []byte) {
	switch field {
	case numberSrcCountry:
		p.flow.SrcCountry, _ = geo.ParseCountry(v)
	case numberDstCountry:
		p.flow.DstCountry, _ = geo.ParseCountry(v)
	}
}
