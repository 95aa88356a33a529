package producer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// sameSets tells whether the sets that wait now, but for those that waited before,
// are the same as those that wait alone.
func sameSets(now, before, alone map[*byte]producer.Waiting) bool {
	count := map[string]int{}
	name := func(w producer.Waiting) string { return fmt.Sprintf("%d %x", w.ID, w.Body) }
	for k, w := range now {
		if _, old := before[k]; !old {
			count[name(w)]++
		}
	}
	for _, w := range alone {
		count[name(w)]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// same compares the messages from first on with those of want.
func (a *alone) same(first int, want *producer.Batch) error {
	if n := a.batch.Records() - first; n != want.Records() {
		return fmt.Errorf("%d messages, alone %d", n, want.Records())
	}
	for i := range want.Records() {
		if err := a.message(first+i, want, i); err != nil {
			return err
		}
	}
	return nil
}

// prefix compares the messages from first on with as many of want's, as far as both go.
func (a *alone) prefix(first int, want *producer.Batch) error {
	for i := range min(a.batch.Records()-first, want.Records()) {
		if err := a.message(first+i, want, i); err != nil {
			return err
		}
	}
	return nil
}

// part has each of the messages from first on be one of want's.
func (a *alone) part(first int, want *producer.Batch) error {
	used := make([]bool, want.Records())
	for i := first; i < a.batch.Records(); i++ {
		at := 0
		for at < len(used) && (used[at] || a.message(i, want, at) != nil) {
			at++
		}
		if at == len(used) {
			return fmt.Errorf("message %d is none of those alone: %q", i-first, a.batch.Message(i))
		}
		used[at] = true
	}
	return nil
}

// message compares a message and its key.
func (a *alone) message(i int, want *producer.Batch, j int) error {
	got := a.batch.Message(i)
	if !bytes.Equal(got, want.Message(j)) {
		return fmt.Errorf("message %d:\n got %q\nalone %q", j, got, want.Message(j))
	}
	if len(want.Keys) > 0 && a.batch.Keys[i] != want.Keys[j] {
		return fmt.Errorf("key of message %d: got %#x, alone %#x", j, a.batch.Keys[i], want.Keys[j])
	}
	if len(a.batch.Keys) != 0 && len(a.batch.Keys) != a.batch.Records() {
		return fmt.Errorf("%d keys of %d messages", len(a.batch.Keys), a.batch.Records())
	}
	got = bytes.TrimSuffix(got, a.cfg.Separator)
	switch {
	case a.cfg.Raw || a.cfg.Format == producer.FormatJSON:
		if !json.Valid(got) {
			return fmt.Errorf("message %d is no JSON: %q", j, got)
		}
	case a.cfg.Format == producer.FormatBin:
		if err := protodelim.UnmarshalFrom(bytes.NewReader(got), new(flowpb.FlowMessage)); err != nil {
			return fmt.Errorf("message %d: %w", j, err)
		}
	}
	return nil
}

// sameCounters compares what was added to counters with those of a new producer,
// but for those of data that waits, which says less of one that had room.
func sameCounters(before, after, alone *producer.Counters) error {
	b, a, q := reflect.ValueOf(*before), reflect.ValueOf(*after), reflect.ValueOf(*alone)
	for i := range b.NumField() {
		name := b.Type().Field(i).Name
		if name == "Held" {
			continue
		}
		if !addsUp(b.Field(i), q.Field(i), a.Field(i)) {
			return fmt.Errorf("counters %s: before %v, after %v, alone %v", name, b.Field(i), a.Field(i), q.Field(i))
		}
	}
	return nil
}

// addsUp tells whether two values, of numbers or lists of them, make the third.
func addsUp(x, y, sum reflect.Value) bool {
	if x.Kind() != reflect.Array {
		return x.Uint()+y.Uint() == sum.Uint()
	}
	for i := range x.Len() {
		if !addsUp(x.Index(i), y.Index(i), sum.Index(i)) {
			return false
		}
	}
	return true
}

func sumOf(a, b [producer.NumSamplingSources]uint64) (sum [producer.NumSamplingSources]uint64) {
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}
