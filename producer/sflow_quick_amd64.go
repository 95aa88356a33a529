//go:build !weirsafe

package producer

//lint:file-ignore U1000 the assembly uses what seems unused here

import (
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/sflow"
)

// writeSamples writes the messages of the samples of a run up to the first that
// it does not take, and fills in the run's results. It reads nothing outside of the
// body, and of the prefix up to jsonSlack bytes after it, and writes nothing
// outside of the room, ends and facts.
//
//go:noescape
func writeSamples(r *sampleRun)

// prefetch asks for the first 704 bytes of a datagram, whether it is so long or
// not: it was written by another CPU or by a card, and records are read faster than
// they come from there.
//
//go:noescape
func prefetch(datagram *byte)

// What the assembly has to know.
const (
	formatFlow         = sflow.SampleFlow
	formatFlowExpanded = sflow.SampleFlowExpanded
	formatRaw          = sflow.FlowRawHeader
	formatSwitch       = sflow.FlowExtendedSwitch
	formatRouter       = sflow.FlowExtendedRouter
	formatGateway      = sflow.FlowExtendedGateway
	factFlowSample     = sequence.FlowSample
	interfaceInternal  = sflow.InterfaceInternal
)

// quickTables are what the fields of a message have by the size of their value. The
// value of a plain integer has an index by the number of its leading zeros of 32
// bits; a varint that is spread over bytes by those of its 64 bits.
type quickTables struct {
	more1  [33]uint64 // the bits that a varint goes on, after a tag of one byte
	more2  [33]uint64 // after a tag of two bytes
	more   [65]uint64 // of a varint that is spread, without a tag
	size1  [33]uint8  // bytes of the field with its tag of one byte, 0 of a zero
	size2  [33]uint8  // with a tag of two bytes
	size   [65]uint8  // of a varint that is spread, with a tag of two bytes
	stacks [numStacks]stackText
	ports  [256]uint16 // see tunnelPorts
}

var quickTable = newQuickTables()

func newQuickTables() (t quickTables) {
	t.stacks, t.ports = stackTexts, tunnelPorts
	// The uppermost bits of all bytes but the last, of n.
	more := func(n int) uint64 { return 0x8080808080808080 & (1<<(8*(n-1)) - 1) }
	for zeros := range 32 {
		n := (32 - zeros + 6) / 7
		t.more1[zeros], t.more2[zeros] = more(n)<<8, more(n)<<16
		t.size1[zeros], t.size2[zeros] = uint8(n+1), uint8(n+2)
	}
	for zeros := range 64 {
		n := (63-zeros)/8 + 1
		t.more[zeros], t.size[zeros] = more(n), uint8(n+2)
	}
	return t
}
