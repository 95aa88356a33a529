package kafkalive

import (
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirflow/weir/internal/kafkatest"
)

// fieldBytes is the number of FlowMessage.bytes, in which gen puts a flow's
// number.
const fieldBytes = 9

// account is what a consumer finds of numbered flows.
type account struct {
	flows    uint64 // different ones
	repeated uint64 // further copies
	missing  uint64
	messages uint64
	runs     []idRun // of missing numbers
}

// idRun is a run of numbers, the last not included.
type idRun struct{ from, to uint64 }

// flowID returns a flow's number.
func flowID(flow []byte) (uint64, error) {
	for len(flow) > 0 {
		number, kind, n := protowire.ConsumeTag(flow)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		flow = flow[n:]
		if number == fieldBytes && kind == protowire.VarintType {
			id, n := protowire.ConsumeVarint(flow)
			if n < 0 {
				return 0, protowire.ParseError(n)
			}
			return id, nil
		}
		if n = protowire.ConsumeFieldValue(number, kind, flow); n < 0 {
			return 0, protowire.ParseError(n)
		}
		flow = flow[n:]
	}
	return 0, fmt.Errorf("a flow without a number")
}

// eachFlow calls f for every delimited flow of a message.
func eachFlow(value []byte, f func(flow []byte) error) error {
	for len(value) > 0 {
		size, n := binary.Uvarint(value)
		if n <= 0 || size > uint64(len(value)-n) {
			return fmt.Errorf("message ends in the middle of a flow")
		}
		if err := f(value[n : n+int(size)]); err != nil {
			return err
		}
		value = value[n+int(size):]
	}
	return nil
}

// count reads a topic and accounts for the flows of the numbers from first up to
// next. A flow of any other number fails the test.
func count(t *testing.T, k *kafkatest.Cluster, topic string, first, next uint64) account {
	t.Helper()
	var a account
	seen := make([]uint8, next-first)
	fault := error(nil)
	err := k.Read(topic, func(m kafkatest.Message) {
		a.messages++
		err := eachFlow(m.Value, func(flow []byte) error {
			id, err := flowID(flow)
			switch {
			case err != nil:
				return err
			case id < first || id >= next:
				return fmt.Errorf("flow %d was not sent", id)
			case seen[id-first] == 0:
				a.flows++
			default:
				a.repeated++
			}
			seen[id-first] = min(seen[id-first]+1, 100)
			return nil
		})
		if err != nil && fault == nil {
			fault = fmt.Errorf("message %d of partition %d: %w", m.Offset, m.Partition, err)
		}
	})
	if err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	a.missing = next - first - a.flows
	for id := first; id < next; id++ {
		if seen[id-first] > 0 {
			continue
		}
		if n := len(a.runs); n > 0 && a.runs[n-1].to == id {
			a.runs[n-1].to++
		} else {
			a.runs = append(a.runs, idRun{id, id + 1})
		}
	}
	return a
}
