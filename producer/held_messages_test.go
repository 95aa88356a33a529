package producer_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// TestHeldMessages: data of several messages in a datagram waits, each with what its own
// message says.
func TestHeldMessages(t *testing.T) {
	type from struct {
		domain uint32
		set    uint16
	}
	for _, order := range [][]from{{{7, 256}, {8, 256}}, {{8, 256}, {7, 257}, {7, 256}}, {{7, 256}, {8, 257}}} {
		room := producer.NewHeld(roomy)
		prod := producer.New(producer.Config{Format: producer.FormatBin, Held: room}, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 64<<10)
		var data []byte
		for i, f := range order {
			data = append(data, ipfixDomain(f.domain, set(f.set, flowRecord(i)))...)
		}
		give := func(d []byte) []string {
			batch.Reset()
			prod.Datagram(batch, arrivals(d)[0].meta, d)
			for prod.Release(batch, 1<<30, nil) {
			}
			if err := sums(&prod.Counters); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range batch.Records() {
				m := new(flowpb.FlowMessage)
				if err := protodelim.UnmarshalFrom(bytes.NewReader(batch.Message(i)), m); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(m.ObservationDomainId, m.SrcAddr[3]))
			}
			return got
		}
		if got := give(data); len(got) > 0 {
			t.Fatalf("%v before the template", got)
		}
		for i, f := range order {
			// Those of one domain come by its templates alone.
			want := []string{fmt.Sprint(f.domain, i)}
			if got := give(ipfixDomain(f.domain, set(2, tpl(f.set, flowFields...)))); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v: template %d of domain %d gives %v, want %v", order, f.set, f.domain, got, want)
			}
		}
	}
}
