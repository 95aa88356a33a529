package producer_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// A producer decodes an IPFIX message with a template and a record, and appends the
// flow to a batch: each message of the batch follows its length.
func ExampleProducer_Datagram() {
	store := producer.NewStore(template.DefaultLimits()) // one for all producers
	p := producer.New(producer.Config{Format: producer.FormatBin}, store)
	batch := producer.NewBatch(0, producer.DefaultBatchSize)

	datagram, _ := hex.DecodeString(strings.ReplaceAll(
		"000a003c 655f0b80 00000000 00000007"+ // version, length, export time, sequence, domain
			" 00020018 01000004 00080004 000c0004 00010004 00020004"+ // template 256 of four fields
			" 01000014 c0000201 c6336407 000005dc 00000003", " ", ""))
	meta := producer.Meta{Source: netip.MustParseAddrPort("192.0.2.1:4739"), ReceivedNs: 1_700_000_000_000_000_000}
	res := p.Datagram(batch, meta, datagram)
	fmt.Println(res.Protocol, res.Records, res.Reason)

	message, _ := protowire.ConsumeBytes(batch.Buf)
	var flow flowpb.FlowMessage
	if err := proto.Unmarshal(message, &flow); err != nil {
		fmt.Println(err)
	}
	src, _ := netip.AddrFromSlice(flow.SrcAddr)
	dst, _ := netip.AddrFromSlice(flow.DstAddr)
	fmt.Println(flow.Type, src, dst, flow.Bytes, flow.Packets)
	batch.Reset() // for the next datagrams
	// Output:
	// ipfix 1 none
	// IPFIX 192.0.2.1 198.51.100.7 1500 3
}
