package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
)

// A flow sample of the usual kind, a sampled header with switch, router and
// gateway data at most once each, is written straight from the datagram: no two
// of these records set the same field, so their order does not matter. gather
// reads them in one pass into sampleParts, which writeSample writes. Any other
// sample takes the generic path, as all do in a build without unsafe code.

// sampleParts are the records of such a sample.
type sampleParts struct {
	// numbers are those of the sample that are plain, by their place in the
	// list of numX constants, which is that of the members of JSON.
	numbers [32]uint32

	rate           uint64
	bytes          uint32
	srcMAC, dstMAC uint64
	src, dst       []byte // addresses of the sampled packet
	nextHop        []byte
	bgpNextHop     []byte
	communities    []byte // 4 bytes each
	segments       []byte // of the AS path: type, count, count numbers; 4 bytes each
	pathLen        int    // numbers of all segments

	// frame is the sampled header and start what it begins with. If it is
	// plain, stack says which headers it has and the fields above hold them;
	// else packet.Parse has to read it.
	frame []byte
	start packet.Start
	plain packet.Plain
	stack int // index in the tables of stacks, -1 if the frame is not plain
	has   uint8
}

const (
	partHeader = 1 << iota
	partSwitch
	partRouter
	partGateway
)

// Places of numbers.
const (
	numSrcPort = iota
	numDstPort
	numInIf
	numOutIf
	numSrcVLAN
	numDstVLAN
	numVLAN
	numTOS
	numForwarding
	numTTL
	numIPFlags
	numTCPFlags
	numICMPType
	numICMPCode
	numFlowLabel
	numFragID
	numFragOffset
	numSrcAS
	numDstAS
	numNextHopAS
	numSrcLen // lengths of prefixes
	numDstLen
	numCount
)

// gather reads the count records of a sample that b holds. It reports false for a sample that has
// to take the generic path; nothing is counted then.
func (s *sampleParts) gather(b []byte, count uint32) bool {
	s.numbers = [32]uint32{}
	s.has = 0
	s.pathLen = 0
	s.nextHop, s.bgpNextHop, s.communities, s.segments = nil, nil, nil, nil
	for ; count > 0; count-- {
		if len(b) < 8 {
			return false
		}
		word, n := binary.BigEndian.Uint32(b), uint64(binary.BigEndian.Uint32(b[4:]))
		b = b[8:]
		if n > uint64(len(b)) {
			return false
		}
		d := b[:n]
		b = b[min((n+3)&^3, uint64(len(b))):]
		if !isGathered(word) {
			return false
		}
		part, ok := uint8(0), false
		switch word {
		case sflow.FlowRawHeader:
			part, ok = partHeader, s.header(d)
		case sflow.FlowExtendedSwitch:
			part = partSwitch
			if len(d) >= 16 {
				s.numbers[numSrcVLAN] = vlan(binary.BigEndian.Uint32(d))
				s.numbers[numDstVLAN] = vlan(binary.BigEndian.Uint32(d[8:]))
				ok = true
			}
		case sflow.FlowExtendedRouter:
			part, ok = partRouter, s.router(d)
		case sflow.FlowExtendedGateway:
			part, ok = partGateway, s.gateway(d)
		default:
			continue
		}
		if !ok || s.has&part != 0 {
			return false
		}
		s.has |= part
	}
	return len(b) == 0 && s.has&partHeader != 0
}

// header reads record 1.
func (s *sampleParts) header(d []byte) bool {
	if len(d) < 16 {
		return false
	}
	s.bytes = binary.BigEndian.Uint32(d[4:])
	n := min(uint64(binary.BigEndian.Uint32(d[12:])), uint64(len(d)-16))
	s.frame = d[16 : 16+n]
	s.stack = -1
	switch binary.BigEndian.Uint32(d) {
	case sflow.HeaderEthernet:
		s.start = packet.StartEthernet
		if packet.ParsePlain(s.frame, &s.plain) && !s.tunnels() {
			s.plainFrame()
		}
	case sflow.HeaderIPv4, sflow.HeaderIPv6, sflow.HeaderMPLS, sflow.HeaderFrameRelay, sflow.HeaderPPP, sflow.HeaderPOS,
		sflow.HeaderWiFi, sflow.HeaderAMSDU:
		s.start = packet.Start(d[3])
	default:
		return false
	}
	return true
}

// Bits of the index of a stack of headers; the lowest two say the transport.
const (
	stackTCP  = 0
	stackUDP  = 1
	stackICMP = 2
	stackICM6 = 3
	stackV6   = 4
	stackVLAN = 8
	numStacks = 16
)

// stackProtos are the protocols of stacks of headers, by the lowest bits of
// their index.
var stackProtos = [...]uint8{stackTCP: 6, stackUDP: 17, stackICMP: 1, stackICM6: 58}

// tunnels tells whether a plain frame may carry a tunnel, by its ports.
func (s *sampleParts) tunnels() bool {
	if s.plain.Proto != 17 {
		return false
	}
	ports := s.frame[s.plain.Transport:]
	return isTunnelPort(binary.BigEndian.Uint16(ports)) || isTunnelPort(binary.BigEndian.Uint16(ports[2:]))
}

// plainFrame takes the fields of a plain frame.
func (s *sampleParts) plainFrame() {
	b := s.frame
	s.dstMAC = uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	s.srcMAC = uint64(binary.BigEndian.Uint16(b[6:]))<<32 | uint64(binary.BigEndian.Uint32(b[8:]))
	stack := 0
	if s.plain.IP == 18 {
		s.numbers[numVLAN] = uint32(binary.BigEndian.Uint16(b[14:])) & 0x0fff
		stack = stackVLAN
	}
	ip := b[s.plain.IP:]
	if s.plain.V6 {
		ip = ip[:40]
		stack |= stackV6
		word := binary.BigEndian.Uint32(ip)
		s.numbers[numTOS] = word >> 20 & 0xff
		s.numbers[numFlowLabel] = word & 0xfffff
		s.numbers[numTTL] = uint32(ip[7])
		s.src, s.dst = ip[8:24:24], ip[24:40:40]
	} else {
		ip = ip[:20]
		s.numbers[numTOS] = uint32(ip[1])
		s.numbers[numFragID] = uint32(binary.BigEndian.Uint16(ip[4:]))
		s.numbers[numIPFlags] = uint32(ip[6] >> 5)
		s.numbers[numTTL] = uint32(ip[8])
		s.src, s.dst = ip[12:16:16], ip[16:20:20]
	}
	d := b[s.plain.Transport:]
	switch s.plain.Proto {
	case 6:
		s.numbers[numSrcPort] = uint32(binary.BigEndian.Uint16(d))
		s.numbers[numDstPort] = uint32(binary.BigEndian.Uint16(d[2:]))
		s.numbers[numTCPFlags] = uint32(d[13])
	case 17:
		stack |= stackUDP
		s.numbers[numSrcPort] = uint32(binary.BigEndian.Uint16(d))
		s.numbers[numDstPort] = uint32(binary.BigEndian.Uint16(d[2:]))
	default:
		stack |= stackICMP
		if s.plain.Proto == 58 {
			stack |= stackICM6
		}
		s.numbers[numICMPType], s.numbers[numICMPCode] = uint32(d[0]), uint32(d[1])
	}
	s.stack = stack
}

// router reads record 1002.
func (s *sampleParts) router(d []byte) (ok bool) {
	if s.nextHop, d, ok = takeAddress(d); !ok || len(d) < 8 {
		return false
	}
	s.numbers[numSrcLen], s.numbers[numDstLen] = binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:])
	return true
}

// takeAddress takes an address off b: a type, and as many bytes as that type
// has.
func takeAddress(b []byte) (addr, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	switch binary.BigEndian.Uint32(b) {
	case 0:
		return nil, b[4:], true
	case 1:
		if len(b) >= 8 {
			return b[4:8:8], b[8:], true
		}
	case 2:
		if len(b) >= 20 {
			return b[4:20:20], b[20:], true
		}
	}
	return nil, nil, false
}

// gateway reads record 1003, as sflow.ParseExtendedGateway does, and takes the
// fields that gatewayRecord takes.
func (s *sampleParts) gateway(d []byte) (ok bool) {
	if s.bgpNextHop, d, ok = takeAddress(d); !ok || len(d) < 16 {
		return false
	}
	own, src := binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:])
	count := binary.BigEndian.Uint32(d[12:])
	d = d[16:]
	path := d
	dst, next := own, uint32(0)
	for ; count > 0; count-- {
		if len(d) < 8 {
			return false
		}
		n := uint64(binary.BigEndian.Uint32(d[4:]))
		if n > uint64(len(d)-8)/4 {
			return false
		}
		if n > 0 {
			if s.pathLen == 0 {
				next = binary.BigEndian.Uint32(d[8:])
			}
			dst = binary.BigEndian.Uint32(d[4+4*n:])
			s.pathLen += int(n)
		}
		d = d[8+4*n:]
	}
	s.segments = path[:len(path)-len(d)]
	if len(d) < 4 {
		return false
	}
	n := uint64(binary.BigEndian.Uint32(d))
	d = d[4:]
	if n > uint64(len(d))/4 || uint64(len(d))-4*n < 4 {
		return false
	}
	s.communities = d[:4*n]
	if src == 0 {
		src = own
	}
	s.numbers[numSrcAS], s.numbers[numDstAS], s.numbers[numNextHopAS] = src, dst, next
	return true
}
