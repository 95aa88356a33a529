package bpf

import "strconv"

// Verdict says what became of a frame. The numbers are those of enum verdict in
// headers/maps.h.
type Verdict uint32

const (
	// Redirect: to the socket of a worker, which is there; a full ring after that
	// is in the socket's own statistics.
	Redirect Verdict = iota
	// PassNotIP: neither IPv4 nor IPv6.
	PassNotIP
	// PassFragment: any fragment of an IP datagram, whatever its protocol and port.
	PassFragment
	// PassNotUDP: another protocol than UDP.
	PassNotUDP
	// PassOtherPort: UDP, but to no address and port of the collector.
	PassOtherPort
	// PassMalformed: cut short, or lengths or versions in the headers that contradict each other.
	PassMalformed
	// PassExtHeaders: more or other IPv6 extension headers than the program skips.
	PassExtHeaders
	// PassVLANDepth: more than two VLAN tags.
	PassVLANDepth
	// PassNoSocket: for the collector, but the worker has no socket on this
	// receive queue; the ordinary UDP socket gets it.
	PassNoSocket
	// PassTooLong: for the collector, but longer than Config.MaxFrame; the ordinary
	// UDP socket gets it.
	PassTooLong
	// PassOtherMAC: for a port of the collector, but the frame is to another hardware
	// address than Config.Host has: another host's, or multicast or broadcast.
	PassOtherMAC
	// PassMartian: for a port of the collector, but of or to an address that the stack
	// refuses, or takes in some cases only; see [Host]. IPv4-mapped IPv6 sources too.
	PassMartian
	// DropDenied: for the collector, from an exporter that may not send.
	DropDenied
	// DropRate: for the collector, from an exporter over its rate.
	DropRate

	// NumVerdicts is how many verdicts there are.
	NumVerdicts = 14
)

var labels = [NumVerdicts]string{
	Redirect:       "redirect",
	PassNotIP:      "pass_not_ip",
	PassFragment:   "pass_fragment",
	PassNotUDP:     "pass_not_udp",
	PassOtherPort:  "pass_other_port",
	PassMalformed:  "pass_malformed",
	PassExtHeaders: "pass_ext_headers",
	PassVLANDepth:  "pass_vlan_depth",
	PassNoSocket:   "pass_no_socket",
	PassTooLong:    "pass_too_long",
	PassOtherMAC:   "pass_other_mac",
	PassMartian:    "pass_martian",
	DropDenied:     "drop_denied",
	DropRate:       "drop_rate",
}

// String returns the verdict's label in metrics, which does not change between
// releases.
func (v Verdict) String() string {
	if v >= NumVerdicts {
		return "verdict_" + strconv.FormatUint(uint64(v), 10)
	}
	return labels[v]
}

// Verdicts counts frames by [Verdict] since the program was loaded.
type Verdicts [NumVerdicts]uint64

// Total returns how many frames the program saw.
func (v *Verdicts) Total() uint64 {
	var sum uint64
	for _, n := range v {
		sum += n
	}
	return sum
}
