package sinktest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// ReadParts parses the messages of an output with partitions and returns how
// many records of each lane are in it. Within a lane and partition the numbers
// must rise, no record may be there twice, and none may be missing unless gaps
// is set.
func ReadParts(t testing.TB, parts [][][]byte, lanes int, gaps bool) []int {
	t.Helper()
	counts, top := make([]int, lanes), make([]int, lanes)
	seen := make([]map[int]bool, lanes)
	for i := range seen {
		seen[i] = map[int]bool{}
	}
	for p, messages := range parts {
		next := make([]int, lanes)
		for _, m := range messages {
			var rec struct {
				Lane, Seq int
				Pad       string
			}
			if err := json.Unmarshal(m, &rec); err != nil {
				t.Fatalf("message %q: %v", m, err)
			}
			if rec.Lane < 0 || rec.Lane >= lanes {
				t.Fatalf("message %q: no such lane", m)
			}
			if seen[rec.Lane][rec.Seq] {
				t.Fatalf("partition %d, lane %d: record %d is there twice", p, rec.Lane, rec.Seq)
			}
			if rec.Seq < next[rec.Lane] {
				t.Fatalf("partition %d, lane %d: record %d after %d", p, rec.Lane, rec.Seq, next[rec.Lane]-1)
			}
			seen[rec.Lane][rec.Seq] = true
			next[rec.Lane] = rec.Seq + 1
			top[rec.Lane] = max(top[rec.Lane], rec.Seq+1)
			counts[rec.Lane]++
		}
	}
	for i := range counts {
		if !gaps && counts[i] != top[i] {
			t.Fatalf("lane %d: %d records up to number %d", i, counts[i], top[i]-1)
		}
	}
	return counts
}

// BalanceAsync fails the test unless what was sent and recovered is
// acknowledged, spooled or dropped, with nothing in flight.
func BalanceAsync(t testing.TB, c *sink.Counters, sent []int) {
	t.Helper()
	l := c.Ledger()
	if n := l.InFlight(Sum(sent)); n != 0 {
		t.Errorf("%d sent: %d of them are nowhere: %+v", Sum(sent), int64(n), l)
	}
}

// RunAsync tests an asynchronous sink whose output works. newSink makes one
// with an output of its own, and a function that returns the messages that are
// in the output, by partition and in order; it is called once, after the sink
// was closed.
func RunAsync(t *testing.T, newSink func(t *testing.T) (s sink.AsyncSink, read func() [][][]byte)) {
	t.Run("WholeOnceInOrder", func(t *testing.T) {
		ctx := testContext(t)
		s, read := newSink(t)
		ls := Lanes(lanes, depth)
		hub := sink.NewAsyncHub(s, ls, sink.AsyncConfig{})
		ran := make(chan error, 1)
		go func() { ran <- hub.Run(ctx) }()
		sent := Work(hub, ls, batches)
		if err := hub.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
		if got := ReadParts(t, read(), lanes, false); !slices.Equal(got, sent) {
			t.Errorf("records read %v, sent %v", got, sent)
		}
		BalanceAsync(t, hub.Counters(), sent)
		if c := hub.Counters(); c.Acked() != Sum(sent) || c.Batches() != lanes*batches {
			t.Errorf("%d records in %d batches acknowledged, %d in %d sent", c.Acked(), c.Batches(), Sum(sent), lanes*batches)
		}
		for i, l := range ls {
			if l.Empty.Len() != depth || l.Full.Len() != 0 {
				t.Errorf("lane %d: %d batches empty, %d full at the end", i, l.Empty.Len(), l.Full.Len())
			}
		}
	})
	t.Run("EachBatchOnce", func(t *testing.T) { testEachOnce(t, newSink) })
	t.Run("Close", func(t *testing.T) { testAsyncClose(t, newSink) })
}

type asyncMaker = func(t *testing.T) (sink.AsyncSink, func() [][][]byte)

// testEachOnce submits more than the sink takes and counts what comes back.
func testEachOnce(t *testing.T, newSink asyncMaker) {
	ctx := testContext(t)
	s, read := newSink(t)
	out := map[*producer.Batch]bool{}
	seq, records := 0, 0
	take := func(d sink.Done) {
		if !out[d.Batch] {
			t.Fatal("a batch comes back that was not submitted, or came before")
		}
		delete(out, d.Batch)
		if d.Err != nil || d.Failed != nil {
			t.Errorf("batch failed: %v", d.Err)
		}
	}
	for range 500 {
		b := producer.NewBatch(0, 1024)
		seq = Fill(b, seq, 10)
		for out[b] = true; !s.Submit(b); {
			select {
			case d := <-s.Done():
				take(d)
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				t.Fatal("the sink takes nothing")
			}
		}
		records += 10
	}
	if err := s.Flush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
	for len(out) > 0 {
		select {
		case d := <-s.Done():
			take(d)
		default:
			t.Fatalf("%d batches have not come back after flush", len(out))
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if got := ReadParts(t, read(), 1, false); got[0] != records {
		t.Errorf("%d records read, %d sent", got[0], records)
	}
}

func testAsyncClose(t *testing.T, newSink asyncMaker) {
	s, _ := newSink(t)
	b := producer.NewBatch(0, 1024)
	Fill(b, 0, 3)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if s.Submit(b) {
		t.Error("a closed sink takes a batch")
	}
	ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
	defer cancel()
	if err := s.Flush(ctx); ctx.Err() != nil {
		t.Errorf("flush after close does not return: %v", err)
	}
}
