package sflow_test

import (
	"encoding/hex"
	"fmt"

	"github.com/weirflow/weir/decoders/sflow"
)

// An sFlow datagram of one flow sample, which has no records.
func ExampleSamples() {
	datagram, _ := hex.DecodeString("00000005" + "00000001c0000201" + "00000000" + "00000007" + "00001388" + "00000001" +
		"00000001" + "00000020" + "00000003" + "00000001" + "00000400" + "00001000" + "00000000" + "00000001" + "00000002" + "00000000")
	h, body, err := sflow.ParseHeader(datagram)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("datagram", h.Sequence)
	var samples sflow.Samples
	for samples.Init(body, h.SampleCount); samples.Next(); {
		s := &samples.Sample
		fmt.Println("sample", s.Sequence, "rate", s.SamplingRate, "in", s.Input, "out", s.Output)
	}
	// Output:
	// datagram 7
	// sample 3 rate 1024 in 1 out 2
}
