package main

import (
	"encoding/binary"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protodelim"

	"bytes"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// makeBatches returns batches of length-delimited FlowMessages as a worker
// seals them, with addresses, ports and counters drawn anew for every flow.
// size is the least number of bytes of a flow.
func makeBatches(n, size int, seed uint64) []*producer.Batch {
	rnd := rand.New(rand.NewPCG(seed, 1))
	batches := make([]*producer.Batch, n)
	var out bytes.Buffer
	for i := range batches {
		b := producer.NewBatch(0, producer.DefaultBatchSize)
		for len(b.Buf) < producer.DefaultBatchSize {
			out.Reset()
			if _, err := protodelim.MarshalTo(&out, randomFlow(rnd, size)); err != nil {
				panic(err)
			}
			b.Buf = append(b.Buf, out.Bytes()...)
			b.Ends = append(b.Ends, uint32(len(b.Buf)))
		}
		batches[i] = b
	}
	return batches
}

func randomFlow(rnd *rand.Rand, size int) *flowpb.FlowMessage {
	now := uint64(1_795_409_943_115_228_287) + rnd.Uint64N(1_000_000_000)
	flow := &flowpb.FlowMessage{
		Type:            flowpb.FlowMessage_NETFLOW_V9,
		TimeReceivedNs:  now,
		SequenceNum:     rnd.Uint32N(1 << 20),
		SamplingRate:    1000,
		SamplerAddress:  []byte{192, 0, 2, byte(rnd.UintN(64))},
		TimeFlowStartNs: now - rnd.Uint64N(60_000_000_000),
		TimeFlowEndNs:   now,
		Bytes:           rnd.Uint64N(1 << 20),
		Packets:         rnd.Uint64N(1 << 10),
		SrcAddr:         address(rnd),
		DstAddr:         address(rnd),
		Etype:           0x800,
		Proto:           []uint32{6, 6, 6, 17}[rnd.UintN(4)],
		SrcPort:         []uint32{443, 80, 53, rnd.Uint32N(65536)}[rnd.UintN(4)],
		DstPort:         1024 + rnd.Uint32N(64000),
		InIf:            rnd.Uint32N(64),
		OutIf:           rnd.Uint32N(64),
		SrcAs:           64512 + rnd.Uint32N(500),
		DstAs:           64512 + rnd.Uint32N(500),
		NextHop:         []byte{198, 51, 100, byte(rnd.UintN(16))},
		SrcNet:          24,
		DstNet:          24,
		IpTos:           rnd.Uint32N(8) << 5,
		TcpFlags:        rnd.Uint32N(64),
		SrcVlan:         100 + rnd.Uint32N(10),
	}
	for len(flow.AsPath) < 8 && size > 150 {
		flow.AsPath = append(flow.AsPath, 64512+rnd.Uint32N(500))
	}
	for size > 180 && len(flow.BgpCommunities) < 6 {
		flow.BgpCommunities = append(flow.BgpCommunities, 64512<<16+rnd.Uint32N(100))
	}
	return flow
}

// address returns one of some thousand addresses, the first ones more often.
func address(rnd *rand.Rand) []byte {
	n := rnd.Uint32N(1 + rnd.Uint32N(4096))
	return binary.BigEndian.AppendUint32(nil, 10<<24|n*7919&0xffffff)
}
