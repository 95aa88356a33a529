package packet_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/weirflow/weir/decoders/packet"
)

// The first bytes of an Ethernet frame with a UDP datagram, as a switch samples them.
func ExampleParse() {
	frame, _ := hex.DecodeString("026677889900021122334455" + "0800" +
		"4500001c00010000401100" + "00c0000201c6336407" + "003504d200080000")
	var h packet.Headers
	packet.Parse(frame, packet.StartEthernet, &h)
	src, _ := netip.AddrFromSlice(h.SrcAddr)
	dst, _ := netip.AddrFromSlice(h.DstAddr)
	fmt.Println(h.Proto, src, h.SrcPort, dst, h.DstPort)
	// Output: 17 192.0.2.1 53 198.51.100.7 1234
}
