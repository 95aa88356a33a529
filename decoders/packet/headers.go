package packet

// MaxLayers is the number of layers after which a walk stops.
const MaxLayers = 32

// Layers as numbered by the LayerStack enumeration of FlowMessage.
const (
	LayerEthernet     uint8 = 0
	LayerIPv4         uint8 = 1
	LayerIPv6         uint8 = 2
	LayerTCP          uint8 = 3
	LayerUDP          uint8 = 4
	LayerMPLS         uint8 = 5 // one layer for a whole label stack
	LayerDot1Q        uint8 = 6 // one layer a tag, whatever its EtherType
	LayerICMP         uint8 = 7
	LayerICMPv6       uint8 = 8
	LayerGRE          uint8 = 9
	LayerIPv6Routing  uint8 = 10
	LayerIPv6Fragment uint8 = 11
	LayerGeneve       uint8 = 12
	LayerTeredo       uint8 = 13
	LayerCustom       uint8 = 99 // whatever the enumeration has no name for
)

// Start says which header the bytes begin with. Values below 100 are those of
// header_protocol in the sFlow version 5 specification.
type Start uint8

// The headers that a walk can begin with.
const (
	StartEthernet   Start = 1
	StartFrameRelay Start = 5 // RFC 2427
	StartPPP        Start = 7 // with or without address and control, RFC 1662
	StartIPv4       Start = 11
	StartIPv6       Start = 12
	StartMPLS       Start = 13
	StartPOS        Start = 14 // PPP in HDLC (RFC 2615) or Cisco HDLC
	StartWiFi       Start = 15 // an IEEE 802.11 MAC header
	StartAMSDU      Start = 17 // an IEEE 802.11 A-MSDU subframe

	// The payload of a UDP datagram whose port is configured to carry a
	// tunnel; for [Continue].
	StartGeneve Start = 100 // RFC 8926
	StartTeredo Start = 101 // RFC 4380: IPv6 after optional indications
	StartVXLAN  Start = 102 // RFC 7348

	// Other headers that configuration may say a port carries.
	StartVLAN         Start = 103
	StartGRE          Start = 104
	StartTCP          Start = 105
	StartUDP          Start = 106
	StartICMP         Start = 107
	StartICMPv6       Start = 108
	StartIPv6Routing  Start = 109
	StartIPv6Fragment Start = 110
)

// Headers is what [Parse] found. Numbers are in host order; a field whose bytes
// are not there, or whose header is not, is zero.
//
// The slices are views into the bytes given to Parse: they are valid as long
// as those bytes are and until the next Parse into the same Headers. A Headers
// belongs to one goroutine at a time and is meant to be reused.
type Headers struct {
	SrcMAC, DstMAC uint64 // low 48 bits

	// EtherType of the base stack after VLAN tags, LLC/SNAP, PPPoE, MPLS and
	// all other headers in front of IP. An IEEE 802.3 frame without SNAP leaves
	// its length (below 0x600) here.
	EtherType uint32
	VLANID    uint32 // innermost tag of the base stack that is not 0, 12 bits

	SrcAddr, DstAddr []byte // views of 4 or 16 bytes, nil where absent

	// Proto is the upper-layer protocol: after IPv6 extension headers and
	// AH as far as the bytes show them.
	Proto uint32

	SrcPort, DstPort   uint32 // TCP, UDP, UDP-Lite, SCTP, DCCP
	TOS                uint32 // IPv4 TOS, IPv6 traffic class: DSCP and ECN
	TTL                uint32 // IPv4 TTL, IPv6 hop limit
	TCPFlags           uint32 // 8 bits, CWR to FIN
	ICMPType, ICMPCode uint32 // of the first ICMP or ICMPv6 met, inner or not
	FlowLabel          uint32 // 20 bits, IPv6
	FragmentID         uint32 // IPv4 16 bits, IPv6 fragment header 32 bits
	FragmentOffset     uint32 // 13 bits, units of 8 bytes
	IPFlags            uint32 // 3 bits: IPv4 reserved, DF, MF; IPv6 reserved (2), M

	// MPLS is a view of the base stack's first label stack, 4 bytes an entry in
	// network order: label 20 bits, traffic class 3, bottom 1, TTL 8 (RFC 3032).
	MPLS []byte

	// RoutingAddrs is a view of the segment list of an SRv6 header (routing
	// type 4, RFC 8754): a multiple of 16 bytes, at most Last Entry + 1
	// addresses and no more than header and data hold.
	RoutingAddrs   []byte
	RoutingSegLeft uint32
	HasRouting     bool // an IPv6 routing header of any type is in the base stack
	HasICMP        bool // ICMPType and ICMPCode were there

	// Layers entries of the arrays are set; those above it are zero.
	Layers     int
	BaseLayers int // how many of them, from the first, are of the base stack

	LayerStack [MaxLayers]uint8  // Layer constants
	LayerSize  [MaxLayers]uint32 // bytes, as the layer's own header says

	// LayerType holds what announced each layer: an EtherType (0x600 and
	// above) or an IP protocol number (below 256). 0 for a header the walk
	// began with unless it is IP or MPLS, for LLC/SNAP and for UDP tunnels.
	LayerType [MaxLayers]uint16

	// Payload is the offset in the input of the first byte after the last
	// layer, at most its length. PayloadType is what was announced there
	// (as LayerType) if no layer could be made of it.
	Payload     int
	PayloadType uint16

	// Unknown is the type of the header that ended the walk of a frame without
	// IP. It is 0 if IP was found, if the protocol is known to have no IP
	// addresses (ARP, LLDP, spanning tree...), and for truncated frames. See
	// [UnknownName].
	Unknown uint32

	// Tunnel is the kind of the first tunnel, and Inner the packet in it.
	// TunnelID is valid if HasTunnelID is set: see the constants of [Tunnel].
	// All are zero without a tunnel.
	Tunnel      Tunnel
	HasTunnelID bool
	TunnelID    uint32
	Inner       Inner

	Truncated      bool // the bytes ended inside a layer or before an announced one
	Malformed      bool // a header contradicts itself: IP version, header length
	LayersExceeded bool // there was more after MaxLayers layers
}

// Offset returns the offset in the input at which layer i begins: layers lie
// after each other without gaps. i must be below h.Layers.
func (h *Headers) Offset(i int) int {
	var off int
	for _, size := range h.LayerSize[:i] {
		off += int(size)
	}
	return off
}

// Parse reads b, which begins with the header that start names, into h. What h
// held before is forgotten. An unknown start leaves h empty.
//
// Parse never fails: a header that is cut short gives what is there (addresses
// need the fixed IP header whole, ports 4 bytes, TCP flags 14) and a flag.
func Parse(b []byte, start Start, h *Headers) {
	*h = Headers{}
	w := walker{b: b, h: h}
	switch start {
	case StartIPv4:
		h.EtherType = etherIPv4
	case StartIPv6:
		h.EtherType = etherIPv6
	case StartMPLS:
		h.EtherType = etherMPLS
	}
	w.walk(start)
	if !w.inner {
		h.BaseLayers = h.Layers
	}
}

// Continue reads on after the last layer of h as a tunnel's content that
// begins with start, and adds its layers. b and h are those of an earlier Parse
// or Continue; nothing happens if that one was cut short. It is for tunnels
// that only configuration can tell, such as those on UDP ports.
func Continue(b []byte, start Start, h *Headers) {
	if h.Truncated || h.Malformed || h.LayersExceeded || h.Payload > len(b) {
		return
	}
	h.PayloadType = 0
	w := walker{b: b, off: h.Payload, h: h, inner: true, fill: !h.Tunnel.overIP()}
	w.walk(start)
	if !h.Tunnel.overIP() && h.Inner.EtherType != 0 {
		h.Tunnel, h.HasTunnelID, h.TunnelID = TunnelPort, false, 0
	}
}

// next names the header at the walker's offset: an EtherType as it is, an IP
// protocol with protoBit, or one of the others.
type next uint32

const (
	stop     next = 0
	protoBit next = 1 << 16

	nextEthernet next = 1<<17 + iota
	nextLLC
	nextGeneve
	nextTeredo
	nextVXLAN
	nextPPP
	nextPOS
	nextFrameRelay
	nextWiFi
	nextAMSDU
)

// walker is the state of one walk. 0 <= off <= len(b) whenever a header is
// about to be read.
type walker struct {
	b      []byte
	off    int
	h      *Headers
	number uint16 // what announced the header at off, as in Headers.LayerType
	inner  bool   // after a tunnel header: standard fields are left alone
	fill   bool   // inner, and in the first tunnel: headers set Inner
	v6     bool   // the last IP header was IPv6: extension headers may follow
	later  Tunnel // a tunnel that begins at off and adds no layers, for peek
}

// walk runs from header to header. Each step adds a layer or stops, except LLC
// that may pass on once, so that steps are bounded by MaxLayers.
func (w *walker) walk(start Start) {
	var n next
	switch start {
	case StartEthernet:
		n = nextEthernet
	case StartIPv4:
		n = etherIPv4
	case StartIPv6:
		n = etherIPv6
	case StartMPLS:
		n = etherMPLS
	case StartGeneve:
		n = nextGeneve
	case StartTeredo:
		n = nextTeredo
	case StartVXLAN:
		n = nextVXLAN
	default:
		n = w.startOther(start)
	}
	w.run(n)
	w.h.Payload = w.off
	if w.later != TunnelNone {
		w.peek()
	}
}

// run reads headers until the walk ends.
func (w *walker) run(n next) {
	for n != stop {
		if n&protoBit != 0 {
			w.number = uint16(n &^ protoBit)
			n = w.protocol(uint8(w.number))
			continue
		}
		w.number = 0
		if n < nextEthernet {
			w.number = uint16(n)
		}
		n = w.link(n)
	}
}

// startOther is the part of walk for headers that a packet rarely begins with.
func (w *walker) startOther(start Start) next {
	switch start {
	case StartVLAN:
		return etherVLAN
	case StartGRE:
		return protoBit | protoGRE
	case StartTCP:
		return protoBit | protoTCP
	case StartUDP:
		return protoBit | protoUDP
	case StartICMP:
		return protoBit | protoICMP
	case StartICMPv6:
		return protoBit | protoICMPv6
	case StartIPv6Routing:
		w.v6 = true
		return protoBit | protoRouting
	case StartIPv6Fragment:
		w.v6 = true
		return protoBit | protoFragment
	case StartPPP:
		return nextPPP
	case StartPOS:
		return nextPOS
	case StartFrameRelay:
		return nextFrameRelay
	case StartWiFi:
		return nextWiFi
	case StartAMSDU:
		return nextAMSDU
	}
	w.h.Unknown = unknownStart | uint32(start)
	return stop
}

// unknown ends the walk before something this package has no parser for.
func (w *walker) unknown() next {
	w.h.PayloadType = w.number
	if w.number >= minEtherType && !withoutIP(w.number) {
		w.unnamed(uint32(w.number))
	}
	return stop
}

// missing ends the walk before an announced header of which no byte is there.
func (w *walker) missing() next {
	w.h.Truncated = true
	w.h.PayloadType = w.number
	return stop
}

// malformed ends the walk before a header that contradicts what announced it.
func (w *walker) malformed() next {
	w.h.Malformed = true
	w.h.PayloadType = w.number
	return stop
}

// layer adds the layer at off; false if there is no room, which ends the walk.
func (w *walker) layer(kind uint8, size int) bool {
	h := w.h
	i := h.Layers
	if uint(i) >= MaxLayers {
		h.LayersExceeded = true
		h.PayloadType = w.number
		return false
	}
	h.LayerStack[i] = kind
	h.LayerSize[i] = uint32(size)
	h.LayerType[i] = w.number
	h.Layers = i + 1
	return true
}

// advance moves after a layer of size bytes; false if it is not whole, which
// ends the walk.
func (w *walker) advance(size int) bool {
	if size > len(w.b)-w.off {
		w.h.Truncated = true
		w.off = len(w.b)
		return false
	}
	w.off += size
	return true
}
