package kafkalive

import (
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirflow/weir/internal/kafkatest"
)

// Numbers of FlowMessage's fields.
const (
	fieldSampler  = 11
	fieldReceived = 110
	fieldStart    = 111
	fieldEnd      = 112
)

// hashSeed makes sums of records comparable within one run.
var hashSeed = maphash.MakeSeed()

// normal appends a record without what depends on when it was received, and
// returns its sampler address.
func normal(dst, flow []byte) (out, sampler []byte, err error) {
	var received uint64
	for rest := flow; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		m := protowire.ConsumeFieldValue(number, kind, rest[n:])
		if m < 0 {
			return nil, nil, protowire.ParseError(m)
		}
		value := rest[n : n+m]
		keep := true
		switch {
		case number == fieldSampler:
			sampler, _ = protowire.ConsumeBytes(value)
		case number >= fieldReceived && number <= fieldEnd && kind == protowire.VarintType:
			// sFlow's times are those of receiving. The time of receiving
			// comes first.
			v, _ := protowire.ConsumeVarint(value)
			if number == fieldReceived {
				received = v
			}
			keep = number != fieldReceived && v != received
		}
		if keep {
			dst = append(dst, rest[:n+m]...)
		}
		rest = rest[n+m:]
	}
	return dst, sampler, nil
}

// records are the sums of records, sorted.
type records []uint64

// fileRecords reads an output file of delimited records.
func fileRecords(t *testing.T, path string) records {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list records
	var scratch []byte
	err = eachFlow(text, func(flow []byte) error {
		out, _, err := normal(scratch[:0], flow)
		list, scratch = append(list, maphash.Bytes(hashSeed, out)), out
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	slices.Sort(list)
	return list
}

// topicRecords reads a topic. keyed says that messages, or with batch the
// records in them, of one sampler address must be in one partition. Numbers of
// flows, where gen has put them there, must rise within a sampler's.
func topicRecords(t *testing.T, k *kafkatest.Cluster, topic string, batch, keyed, numbered bool) records {
	t.Helper()
	var list records
	var scratch []byte
	var fault error
	home, last := map[string]int32{}, map[string]uint64{}
	keys := map[string]string{} // of samplers
	err := k.Read(topic, func(m kafkatest.Message) {
		n := 0
		err := eachFlow(m.Value, func(flow []byte) error {
			n++
			out, sampler, err := normal(scratch[:0], flow)
			if err != nil {
				return err
			}
			list, scratch = append(list, maphash.Bytes(hashSeed, out)), out
			if !keyed {
				return nil
			}
			at := string(sampler)
			if p, ok := home[at]; ok && p != m.Partition {
				return fmt.Errorf("sampler %x is in partitions %d and %d", sampler, p, m.Partition)
			}
			home[at] = m.Partition
			if batch {
				if m.Key != nil {
					return fmt.Errorf("message of a batch has the key %x", m.Key)
				}
			} else if key, ok := keys[at]; len(m.Key) != 4 || ok && key != string(m.Key) {
				return fmt.Errorf("sampler %x has the keys %x and %x", sampler, key, m.Key)
			}
			keys[at] = string(m.Key)
			if !numbered {
				return nil
			}
			id, err := flowID(flow)
			if err == nil && id <= last[at] {
				err = fmt.Errorf("flow %d of sampler %x came after %d", id, sampler, last[at])
			}
			last[at] = id
			return err
		})
		if err == nil && !batch && n != 1 {
			err = fmt.Errorf("%d records", n)
		}
		if err == nil && m.Headers["weir-records"] != strconv.Itoa(n) {
			err = fmt.Errorf("%d records and the headers %v", n, m.Headers)
		}
		if err == nil && !keyed && m.Key != nil {
			err = fmt.Errorf("the key %x", m.Key)
		}
		if err != nil && fault == nil {
			fault = fmt.Errorf("message %d of partition %d: %w", m.Offset, m.Partition, err)
		}
	})
	if err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	if keyed && len(home) < 2 {
		t.Errorf("%d samplers only", len(home))
	}
	slices.Sort(list)
	return list
}

// compare fails the test unless both have the same records, each as often.
func compare(t *testing.T, got, want records) {
	t.Helper()
	missing, extra, i, j := 0, 0, 0, 0
	for i < len(got) && j < len(want) {
		switch {
		case got[i] == want[j]:
			i++
			j++
		case got[i] < want[j]:
			extra++
			i++
		default:
			missing++
			j++
		}
	}
	missing, extra = missing+len(want)-j, extra+len(got)-i
	if missing+extra > 0 || len(want) == 0 {
		t.Errorf("%d records in the topic, %d in the file: %d are missing and %d are there in addition", len(got), len(want), missing, extra)
	}
}
