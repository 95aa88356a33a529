package sinktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// Lanes returns n lanes of depth batches of 64 KiB.
func Lanes(n, depth int) []*sink.Lane {
	lanes := make([]*sink.Lane, n)
	for i := range lanes {
		lanes[i] = sink.NewLane(i, depth, 64<<10)
	}
	return lanes
}

// Fill appends the worker's next records to an empty batch and returns the
// number of the one after. A record is a line of JSON whose length depends on
// its number.
func Fill(b *producer.Batch, seq, records int) int {
	const pad = "................................................................"
	for range records {
		b.Buf = append(b.Buf, `{"lane":`...)
		b.Buf = strconv.AppendInt(b.Buf, int64(b.Worker), 10)
		b.Buf = append(b.Buf, `,"seq":`...)
		b.Buf = strconv.AppendInt(b.Buf, int64(seq), 10)
		b.Buf = append(b.Buf, `,"pad":"`...)
		for i := range seq % 5 {
			b.Buf = append(b.Buf, pad[i:]...)
		}
		b.Buf = append(b.Buf, '"', '}', '\n')
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
		if b.Worker%2 == 1 {
			b.Keys = append(b.Keys, Key(b.Message(b.Records()-1)))
		}
		seq++
	}
	return seq
}

// Key is the key of a message of Fill. Those of every other worker have one.
func Key(message []byte) uint32 { return crc32.ChecksumIEEE(message) }

// checkKeys panics if messages of Fill have lost their keys.
func checkKeys(b *producer.Batch) {
	for i := range b.Records() {
		m := b.Message(i)
		lane, ok := bytes.CutPrefix(m, []byte(`{"lane":`))
		want := ok && (lane[0]-'0')%2 == 1 && lane[1] == ','
		if want && (len(b.Keys) != b.Records() || b.Keys[i] != Key(m)) {
			panic(fmt.Sprintf("message %q has another's key, or none", m))
		}
	}
}

// A Bell is a hub that is told about batches.
type Bell interface{ Notify() }

// Work runs a worker for every lane, each of which sends that many batches of
// varying size, and returns the number of records that each has sent. A
// worker whose batches are all under way waits.
func Work(hub Bell, lanes []*sink.Lane, batches int) []int {
	sent := make([]int, len(lanes))
	var wg sync.WaitGroup
	for i, lane := range lanes {
		wg.Go(func() {
			for n := 0; n < batches; {
				b, ok := lane.Empty.Pop()
				if !ok {
					runtime.Gosched()
					continue
				}
				if len(b.Buf) != 0 || len(b.Ends) != 0 || b.Worker != i {
					panic(fmt.Sprintf("lane %d got a batch of worker %d with %d bytes back", i, b.Worker, len(b.Buf)))
				}
				sent[i] = Fill(b, sent[i], 1+(n*37)%300)
				if !lane.Full.Push(b) {
					panic("a lane's own batch does not fit")
				}
				hub.Notify()
				n++
			}
		})
	}
	wg.Wait()
	return sent
}

// Sum returns the sum of what all lanes have sent.
func Sum(sent []int) uint64 {
	var n uint64
	for _, s := range sent {
		n += uint64(s)
	}
	return n
}

// Read parses an output of whole lines and returns how many records of each
// lane are in it. Within a lane the numbers must rise, and without a gap
// unless gaps is set.
func Read(t testing.TB, data []byte, lanes int, gaps bool) []int {
	t.Helper()
	if len(data) > 0 && data[len(data)-1] != '\n' {
		t.Fatalf("output ends in the middle of a record: %q", data[max(0, len(data)-80):])
	}
	counts, next := make([]int, lanes), make([]int, lanes)
	for line := range bytes.Lines(data) {
		var rec struct {
			Lane, Seq int
			Pad       string
		}
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if rec.Lane < 0 || rec.Lane >= lanes {
			t.Fatalf("line %q: no such lane", line)
		}
		want := next[rec.Lane]
		if rec.Seq < want || (!gaps && rec.Seq > want) {
			t.Fatalf("lane %d: record %d where %d was due", rec.Lane, rec.Seq, want)
		}
		next[rec.Lane] = rec.Seq + 1
		counts[rec.Lane]++
	}
	return counts
}

// Balance fails the test if the counters do not add up to what was sent.
func Balance(t testing.TB, c *sink.Counters, sent []int) {
	t.Helper()
	if got, want := c.Acked()+c.Dropped(), Sum(sent); got != want {
		t.Errorf("%d acknowledged + %d dropped = %d records, but %d were sent",
			c.Acked(), c.Dropped(), got, want)
	}
}
