//go:build !weirsafe

package producer

import "github.com/weirflow/weir/decoders/sflow"

// A flow sample of the usual kind with a plain frame is read and written by one
// function in assembly, sampleMessage, where the CPU has fastBits. It takes the
// records as sampleParts.gather does, and leaves what is rare to it: lists so long
// that their lengths may take two bytes, and frames that are not plain.

// usualLen bounds the length of what sampleMessage writes behind the prefix, in
// bytes: a frame, numbers, and two lists of up to 127.
const usualLen = 640

// sampleMessage writes the message of a sample, of which records are the size
// bytes behind its counts and interfaces, count records as its header says; the
// message is what c has for all samples of the datagram, then the sample's own
// fields. It returns the message's length, 0 if the sample is of another kind; some
// bytes have been written then all the same.
//
// The caller guarantees that w has room for the prefix, usualLen and storeSlack,
// and that jsonSlack bytes may be read behind the prefix. Nothing is read outside of
// records.
//
//go:noescape
func sampleMessage(w, records *byte, size int, c *fusedContext, count, rate, in, out uint32) int

// Formats of records, for the assembly.
const (
	formatRaw      = sflow.FlowRawHeader
	formatEthernet = sflow.FlowEthernet // FlowIPv4 and FlowIPv6 come behind it
	formatSwitch   = sflow.FlowExtendedSwitch
	formatRouter   = sflow.FlowExtendedRouter
	formatGateway  = sflow.FlowExtendedGateway
)

// fieldTables are what the fields of a message have by the size of their value. The
// value of a plain integer has an index by the number of its leading zeros of 32
// bits; a varint that is spread over bytes by those of its 64 bits.
type fieldTables struct {
	more1  [33]uint64 // the bits that a varint goes on, behind a tag of one byte
	more2  [33]uint64 // behind a tag of two bytes
	more   [65]uint64 // of a varint that is spread, without a tag
	size1  [33]uint8  // bytes of the field with its tag of one byte, 0 of a zero
	size2  [33]uint8  // with a tag of two bytes
	size   [65]uint8  // of a varint that is spread, with a tag of two bytes
	stacks [numStacks]stackText
}

var sampleTables = newFieldTables()

func newFieldTables() (t fieldTables) {
	t.stacks = stackTexts
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
