package places

import (
	"slices"
	"testing"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// nowhere is an output with all reasons.
type nowhere struct{ sink.AsyncSink }

func (nowhere) Name() string  { return "nowhere" }
func (nowhere) OnDone(func()) {}

// TestEveryReason: each reason for which records are dropped is at exactly one place, and
// the reasons that the table lists are reasons of the producer.
func TestEveryReason(t *testing.T) {
	all := collector.NewLedger(nil, sink.NewAsyncHub(nowhere{}, nil, sink.AsyncConfig{}).Counters()).Dropped
	if len(all) < 9 {
		t.Fatalf("%d reasons: %v", len(all), all)
	}
	for _, d := range all {
		r := &Reading{Dropped: []Count{{d.Reason, 1}}}
		n := 0
		for i := range Table {
			if p := &Table[i]; !p.Now && total(p.read(r)) > 0 {
				n++
			}
		}
		if n != 1 {
			t.Errorf("records that are dropped for %s are at %d places", d.Reason, n)
		}
	}
	var names []string
	for r := range producer.EachReason {
		names = append(names, r.String())
	}
	for _, name := range slices.Concat(harmless, missing, contradicted) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no reason", name)
		}
	}
}
