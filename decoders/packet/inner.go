package packet

import "encoding/binary"

// Tunnel is a kind of tunnel, or of header with a frame in it.
type Tunnel uint8

// Kinds of tunnels. In parentheses: what Headers.TunnelID holds, if anything.
//
// Of those from TunnelPseudowire on, addresses and ports are those of the base
// stack, since no IP header is in front of them: Headers.Inner stays empty.
const (
	TunnelNone     Tunnel = iota
	TunnelIP              // IP in IP: RFC 2003, RFC 2473, RFC 4213
	TunnelGRE             // RFC 2784, RFC 2890 (key)
	TunnelNVGRE           // RFC 7637 (virtual subnet id, 24 bits)
	TunnelERSPAN1         // GRE without a header of its own
	TunnelERSPAN2         // (session id, 10 bits)
	TunnelERSPAN3         // (session id, 10 bits)
	TunnelPPTP            // RFC 2637 (call id)
	TunnelVXLAN           // RFC 7348 (network id, 24 bits)
	TunnelVXLANGPE        // (network id, 24 bits)
	TunnelGeneve          // RFC 8926 (network id, 24 bits)
	TunnelGTPU            // 3GPP TS 29.281 (endpoint id)
	TunnelL2TP            // RFC 2661 (tunnel id in the high 16 bits, session id)
	TunnelL2TPv3          // RFC 3931 (session id)
	TunnelMPLSUDP         // RFC 7510 (label at the bottom of the stack)
	TunnelMPLSGRE         // RFC 4023 (label at the bottom of the stack)
	TunnelMPLSIP          // RFC 4023 (label at the bottom of the stack)
	TunnelTeredo          // RFC 4380
	TunnelEtherIP         // RFC 3378
	TunnelSRv6            // RFC 8754, RFC 8986
	TunnelLISP            // RFC 9300 (instance id, 24 bits)
	TunnelGUE             // generic UDP encapsulation
	TunnelCAPWAP          // RFC 5415, data in clear
	TunnelPort            // any protocol that a mapping configures for a port

	TunnelPseudowire // RFC 4448 (label at the bottom of the stack)
	TunnelPBB        // IEEE 802.1ah (service id, 24 bits)
	TunnelPPPoE      // RFC 2516 (session id)
	TunnelMACsec     // IEEE 802.1AE without encryption
	TunnelFabricPath // Cisco
	TunnelTRILL      // RFC 6325

	numTunnels
)

var tunnelNames = [numTunnels]string{
	"", "ip", "gre", "nvgre", "erspan1", "erspan2", "erspan3", "pptp", "vxlan", "vxlan-gpe", "geneve", "gtp-u",
	"l2tp", "l2tpv3", "mpls-udp", "mpls-gre", "mpls-ip", "teredo", "etherip", "srv6", "lisp", "gue", "capwap", "port",
	"pseudowire", "pbb", "pppoe", "macsec", "fabricpath", "trill",
}

// String returns the name of a kind; it is empty for TunnelNone and numbers
// that have no kind.
func (t Tunnel) String() string {
	if t >= numTunnels {
		return ""
	}
	return tunnelNames[t]
}

// overIP reports whether an IP header is in front of the tunnel's.
func (t Tunnel) overIP() bool { return t != TunnelNone && t < TunnelPseudowire }

// Inner is the packet that the first tunnel after an IP header of the base stack
// carries. It has nothing from a tunnel inside that tunnel. A field whose bytes
// are missing is zero.
type Inner struct {
	addrs            []byte // both addresses: a view of 8 or 32 bytes
	EtherType        uint16 // 0x0800 and 0x86dd for IP, however it is announced
	SrcPort, DstPort uint16
	Proto            uint8 // as Headers.Proto
}

// SrcAddr returns a view of 4 or 16 bytes of the input, nil if there is no
// address.
func (in *Inner) SrcAddr() []byte {
	n := len(in.addrs) / 2
	if n == 0 {
		return nil
	}
	return in.addrs[:n:n]
}

// DstAddr is SrcAddr for the destination.
func (in *Inner) DstAddr() []byte {
	n := len(in.addrs) / 2
	if n == 0 {
		return nil
	}
	return in.addrs[n:]
}

// UDP ports of tunnels (IANA; 8472 is Linux's for VXLAN).
const (
	portL2TP     = 1701
	portGTPU     = 2152
	portTeredo   = 3544
	portLISP     = 4341
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portCAPWAP   = 5247
	portGUE      = 6080
	portGeneve   = 6081
	portMPLS     = 6635
	portVXLANOld = 8472
)

// TunnelOfPorts returns the kind of tunnel that Parse expects after a UDP header
// with these ports; TunnelNone for most ports. Parse then checks the bytes and can
// still find no tunnel.
func TunnelOfPorts(src, dst uint16) Tunnel {
	switch dst {
	case portVXLAN, portVXLANOld:
		return TunnelVXLAN
	case portVXLANGPE:
		return TunnelVXLANGPE
	case portGeneve:
		return TunnelGeneve
	case portGTPU:
		return TunnelGTPU
	case portMPLS:
		return TunnelMPLSUDP
	case portLISP:
		return TunnelLISP
	case portGUE:
		return TunnelGUE
	case portTeredo:
		return TunnelTeredo
	case portL2TP:
		return TunnelL2TP
	case portCAPWAP:
		return TunnelCAPWAP
	}
	switch src { // those that answer from the port
	case portTeredo:
		return TunnelTeredo
	case portL2TP:
		return TunnelL2TP
	case portCAPWAP:
		return TunnelCAPWAP
	}
	return TunnelNone
}

// tunnel ends the base stack and stores the kind of its first tunnel. A tunnel
// inside a tunnel only adds layers.
func (w *walker) tunnel(kind Tunnel) {
	switch {
	case !w.inner:
		w.inner, w.fill = true, true
		w.h.BaseLayers = w.h.Layers
		w.h.Tunnel = kind
		w.dropID()
	case w.fill && !w.h.Tunnel.overIP():
		w.h.Tunnel = kind
		w.dropID()
	default:
		w.fill = false
	}
}

// ipInIP begins a tunnel where IP follows IP directly.
func (w *walker) ipInIP() {
	if w.h.RoutingAddrs != nil {
		w.tunnel(TunnelSRv6)
		return
	}
	w.tunnel(TunnelIP)
}

// setID stores the id of the first tunnel.
func (w *walker) setID(id uint32) {
	if w.fill {
		w.h.HasTunnelID, w.h.TunnelID = true, id
	}
}

func (w *walker) dropID() { w.h.HasTunnelID, w.h.TunnelID = false, 0 }

// carriedFrame stores a header in front of IP that carries complete packets. A
// tunnel after the IP header replaces it.
func (w *walker) carriedFrame(kind Tunnel, hasID bool, id uint32) {
	if !w.inner {
		w.h.Tunnel, w.h.HasTunnelID, w.h.TunnelID = kind, hasID, id
	}
}

// labelFacts stores the label at the bottom of a stack inside a tunnel as its id.
//
//go:noinline
func (w *walker) labelFacts(label uint32) {
	switch w.h.Tunnel {
	case TunnelGRE:
		w.h.Tunnel = TunnelMPLSGRE
	case TunnelMPLSIP, TunnelMPLSUDP:
		if w.h.HasTunnelID { // labels in a pseudowire
			return
		}
	default:
		return
	}
	w.setID(label)
}

// innerIPv4 stores the fields of the first IPv4 header in a tunnel. It is not
// inlined, to keep the walk of other packets small.
//
//go:noinline
func (w *walker) innerIPv4(d []byte) {
	in := &w.h.Inner
	in.EtherType = etherIPv4
	if len(d) >= 10 {
		in.Proto = d[9]
	}
	if len(d) >= ipv4Size {
		in.addrs = d[12:20:20]
	}
}

//go:noinline
func (w *walker) innerIPv6(d []byte) {
	in := &w.h.Inner
	in.EtherType = etherIPv6
	if len(d) >= 7 {
		in.Proto = d[6]
	}
	if len(d) >= ipv6Size {
		in.addrs = d[8:40:40]
	}
}

// innerPorts stores the ports of the first transport header in a tunnel.
func (w *walker) innerPorts(d []byte) {
	w.h.Inner.SrcPort = binary.BigEndian.Uint16(d)
	w.h.Inner.DstPort = binary.BigEndian.Uint16(d[2:])
}

// peek reads the tunnel w.later, which begins at the walker's offset. It sets the
// tunnel fields of Headers and restores all others, including the layers.
func (w *walker) peek() {
	h := w.h
	layers, base, icmp := h.Layers, h.BaseLayers, h.HasICMP
	icmpType, icmpCode := h.ICMPType, h.ICMPCode
	truncated, malformed, exceeded := h.Truncated, h.Malformed, h.LayersExceeded
	payloadType, inner := h.PayloadType, w.inner

	w.inner, w.fill, w.number = true, true, 0
	w.run(w.tunnelHeader(w.later))

	w.inner = inner
	h.Truncated, h.Malformed, h.LayersExceeded = truncated, malformed, exceeded
	h.PayloadType = payloadType
	h.HasICMP, h.ICMPType, h.ICMPCode = icmp, icmpType, icmpCode
	for i := layers; i < h.Layers; i++ {
		h.LayerStack[i], h.LayerSize[i], h.LayerType[i] = 0, 0, 0
	}
	h.Layers, h.BaseLayers = layers, base
}

// found stores the kind of a tunnel and skips its header of size bytes. It
// returns n, or stop if the header is truncated.
func (w *walker) found(kind Tunnel, size int, n next) next {
	h := w.h
	if kind != h.Tunnel {
		h.Tunnel, h.HasTunnelID, h.TunnelID = kind, false, 0
		h.Inner = Inner{}
	}
	if !w.advance(size) {
		return stop
	}
	return n
}

// foundID is found for a tunnel with an id.
func (w *walker) foundID(kind Tunnel, id uint32, size int, n next) next {
	n = w.found(kind, size, n)
	w.setID(id)
	return n
}

// tunnelHeader reads the header of a tunnel. It leaves Headers alone if the bytes
// do not match the kind.
func (w *walker) tunnelHeader(kind Tunnel) next {
	d := w.b[w.off:]
	switch kind {
	case TunnelIP, TunnelTeredo:
		return w.peekIP(kind, d)
	case TunnelMPLSUDP:
		if len(d) < labelSize {
			return stop
		}
		return w.found(kind, 0, etherMPLS)
	case TunnelSRv6:
		return w.found(kind, 0, nextEthernet)
	case TunnelERSPAN1, TunnelERSPAN2, TunnelERSPAN3:
		return w.erspan(kind, d)
	case TunnelPPTP:
		id := w.h.TunnelID & 0xffff // call id, in the low half of the key
		at, size, ok := pppHeader(d)
		n := w.foundID(kind, id, size, nextPPP)
		if !ok || n == stop {
			return stop
		}
		return w.ppp(d[at:size])
	case TunnelL2TPv3:
		if len(d) < 4 || binary.BigEndian.Uint32(d) == 0 { // control
			return stop
		}
		return w.l2tpv3(d, 4)
	}
	if len(d) < 8 { // all others have this much
		return stop
	}
	switch kind {
	case TunnelVXLAN, TunnelVXLANGPE:
		return w.peekVXLAN(kind, d)
	case TunnelGeneve:
		if d[0]>>6 != 0 {
			return stop
		}
		n := next(binary.BigEndian.Uint16(d[2:]))
		switch {
		case n == etherTEB:
			n = nextEthernet
		case n < minEtherType:
			n = stop
		}
		return w.foundID(kind, binary.BigEndian.Uint32(d[4:])>>8, geneveSize+int(d[0]&0x3f)*4, n)
	case TunnelGTPU:
		return w.gtpu(d)
	case TunnelLISP:
		n := ipVersion(d[8:])
		if n == stop {
			return stop
		}
		if d[0]&0x08 != 0 { // I: an instance id is there
			return w.foundID(kind, binary.BigEndian.Uint32(d[4:])>>8, 8, n)
		}
		return w.found(kind, 8, n)
	case TunnelGUE:
		return w.gue(d)
	case TunnelL2TP:
		return w.l2tp(d)
	case TunnelCAPWAP:
		return w.capwap(d)
	}
	return stop
}

// ipVersion returns the EtherType of the IP header that d begins with, by the
// version in its first byte; stop for other versions.
func ipVersion(d []byte) next {
	if len(d) > 0 {
		switch d[0] >> 4 {
		case 4:
			return etherIPv4
		case 6:
			return etherIPv6
		}
	}
	return stop
}
