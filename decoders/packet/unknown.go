package packet

import "fmt"

const etherARP = 0x0806

// The classes of Headers.Unknown, in the bits from 16 on. EtherTypes have none.
const (
	unknownStart = (iota + 1) << 16 // header_protocol of sFlow
	unknownLLC                      // DSAP and SSAP
	unknownPPP                      // PPP protocol number
	unknownMPLS                     // first byte after a label stack
	unknownNSH                      // next protocol of NSH
	unknownNLPID                    // ISO/IEC TR 9577, of frame relay
)

// UnknownName returns the text form of a [Headers.Unknown] value: the kind of the
// number, and the number. It returns an empty string for 0.
func UnknownName(u uint32) string {
	n := u & 0xffff
	switch u &^ 0xffff {
	case unknownStart:
		return fmt.Sprintf("header_protocol %d", n)
	case unknownLLC:
		return fmt.Sprintf("llc 0x%04x", n)
	case unknownPPP:
		return fmt.Sprintf("ppp 0x%04x", n)
	case unknownMPLS:
		return fmt.Sprintf("mpls payload 0x%02x", n)
	case unknownNSH:
		return fmt.Sprintf("nsh %d", n)
	case unknownNLPID:
		return fmt.Sprintf("nlpid 0x%02x", n)
	}
	if u == 0 {
		return ""
	}
	return fmt.Sprintf("ethertype 0x%04x", n)
}

// unnamed reports the header that ends the walk of a frame without IP.
func (w *walker) unnamed(what uint32) {
	if !w.inner && w.h.Unknown == 0 {
		w.h.Unknown = what
	}
}

// withoutIP reports whether the protocol of an EtherType carries no IP packet, or
// none that a collector could read.
func withoutIP(et uint16) bool {
	switch et {
	case etherARP, etherPPPoED,
		0x0842, // wake on LAN
		0x2000, // CDP
		0x22ea, // SRP
		0x22f0, // AVTP
		0x22f4, // IS-IS of TRILL
		0x6002, // DEC MOP
		0x8035, // RARP
		0x8042, // DEC LANBridge
		0x809b, // AppleTalk
		0x80f3, // AARP
		0x8137, // IPX
		0x8808, // flow control
		0x8809, // slow protocols: LACP, OAM
		0x887b, // HomePlug
		0x888e, // EAPOL
		0x8892, // PROFINET
		0x88a2, // ATA over Ethernet
		0x88a4, // EtherCAT
		0x88b8, // GOOSE
		0x88ba, // sampled values
		0x88c7, // pre-authentication
		0x88ca, // TIPC
		0x88cc, // LLDP
		0x88e1, // HomePlug AV
		0x88e3, // MRP
		0x88f5, // MVRP
		0x88f6, // MMRP
		0x88f7, // PTP
		0x8902, // CFM
		0x8906, // FCoE
		0x8914, // FCoE initialization
		0x8915, // RoCE
		0x892f, // HSR
		0x8999, // configuration tests of UniFi
		0x9000, // loopback
		0x9003: // loop detection
		return true
	}
	return false
}
