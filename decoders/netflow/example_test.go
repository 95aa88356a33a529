package netflow_test

import (
	"encoding/hex"
	"fmt"

	"github.com/weirflow/weir/decoders/netflow"
)

// A v8 datagram of one record by source and destination AS.
func ExampleParseFixed() {
	datagram, _ := hex.DecodeString("0008000100000bb8655f0b80000000000000000000010102000000000000000300000064000186a0000003e8000007d0fbf0fbf100010002")
	h, body, err := netflow.ParseFixed(datagram)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("version", h.Version, h.Layout.Name)
	for range h.Records(body) {
		for _, c := range h.Layout.Columns {
			n := 0
			for _, b := range body[c.Offset : c.Offset+c.Len] {
				n = n<<8 | int(b)
			}
			fmt.Println(c.Name, n)
		}
		body = body[h.Layout.Len:]
	}
	// Output:
	// version 8 AS
	// dflows 3
	// dpkts 100
	// doctets 100000
	// first 1000
	// last 2000
	// src-as 64496
	// dst-as 64497
	// input 1
	// output 2
}
