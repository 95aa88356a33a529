package spool

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/weirflow/weir/producer"
)

// entry is the model's idea of one.
type entry struct {
	seq  uint64
	all  []uint64 // ids of its messages
	left []uint64 // of those to be delivered
}

// TestModel does random things to a log and to a list, and compares.
func TestModel(t *testing.T) {
	for seed := range uint64(15) {
		rng := newRand(seed)
		cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 30, SegmentBytes: 4096 + rng.Int64N(8192)}
		l := mustOpen(t, cfg)
		var model []*entry // not resolved
		at := 0            // of model: what Next gives next
		id := uint64(1)
		b := producer.NewBatch(0, 0)
		rewind := func() { l.Rewind(); at = 0 }
		for range 1500 {
			switch rng.IntN(12) {
			case 0, 1, 2, 3:
				n := 1 + rng.IntN(20)
				e := &entry{seq: mustAppend(t, l, batch(id, n, 10))}
				for range n {
					e.all = append(e.all, id)
					id++
				}
				e.left = e.all
				model = append(model, e)
			case 4, 5, 6, 7:
				e, err := l.Next(b)
				if at == len(model) {
					if !errors.Is(err, io.EOF) {
						t.Fatalf("seed %d: next at the end: %v", seed, err)
					}
					break
				}
				if err != nil {
					t.Fatalf("seed %d: next: %v", seed, err)
				}
				want := model[at]
				if got := ids(t, b, 10); !slices.Equal(got, want.left) || e.Seq != want.seq {
					t.Fatalf("seed %d: entry %d %v, want %d %v", seed, e.Seq, got, want.seq, want.left)
				}
				for i, id := range want.left {
					if orig := uint32(slices.Index(want.all, id)); (e.Left == nil && orig != uint32(i)) || (e.Left != nil && e.Left[i] != orig) {
						t.Fatalf("seed %d: entry %d: left %v", seed, e.Seq, e.Left)
					}
				}
				if b.FirstNs != int64(want.all[0])*3 || b.Worker != int(want.all[0])%7 {
					t.Fatalf("seed %d: first %d, worker %d", seed, b.FirstNs, b.Worker)
				}
				at++
			case 8, 9: // resolve something that was read, whole or in part
				if at == 0 {
					break
				}
				i := rng.IntN(min(at, 5))
				e := model[i]
				var left []uint32
				var leftIDs []uint64
				if rng.IntN(2) == 0 {
					for _, id := range e.left {
						if rng.IntN(3) > 0 {
							left = append(left, uint32(slices.Index(e.all, id)))
							leftIDs = append(leftIDs, id)
						}
					}
				}
				l.Resolve(e.seq, len(e.left), left)
				e.left = leftIDs
				if len(left) == 0 {
					model = slices.Delete(model, i, i+1)
					at--
				}
			case 10:
				switch rng.IntN(4) {
				case 0:
					rewind()
				case 1:
					l.SkipUnread()
					at = len(model)
				case 2:
					l.Trim()
				}
			case 11:
				switch rng.IntN(10) {
				case 0:
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
				case 1:
					crash(t, l)
				default:
					continue
				}
				l = mustOpen(t, cfg)
				at = 0
			}
			want := uint64(0)
			for _, e := range model {
				want += uint64(len(e.left))
			}
			if l.Waiting() != want {
				t.Fatalf("seed %d: %d waiting, want %d", seed, l.Waiting(), want)
			}
			if s := l.Stats(); s.Waiting != want || s.Corrupt != 0 || s.Damages != 0 || s.Evicted != 0 {
				t.Fatalf("seed %d: %+v, want %d waiting", seed, s, want)
			}
			if len(model) > 0 && l.First() > model[0].seq {
				t.Fatalf("seed %d: first %d, want at most %d", seed, l.First(), model[0].seq)
			}
		}
		rewind()
		drain(t, l, 10, true)
		l.Trim()
		if s := l.Stats(); s.Bytes != 0 || s.Segments != 0 || s.Waiting != 0 || !s.Oldest.IsZero() || len(files(t, cfg.Dir, segmentSuffix)) != 0 {
			t.Fatalf("seed %d: at the end %+v", seed, s)
		}
		if len(l.done)+len(l.partial) != 0 {
			t.Fatalf("seed %d: %d and %d entries remembered at the end", seed, len(l.done), len(l.partial))
		}
		l.Close()
	}
}

// TestEvict: the oldest segments make way, and everything is counted.
func TestEvict(t *testing.T) {
	for seed := range uint64(5) {
		rng := newRand(seed)
		cfg := Config{Dir: fastDir(t), MaxBytes: 32 << 10, SegmentBytes: 4096 + rng.Int64N(4096)}
		l := mustOpen(t, cfg)
		left := map[uint64]int{} // records by seq
		var evicted, batches, resolved, appended uint64
		id := uint64(1)
		b := producer.NewBatch(0, 0)
		for range 3000 {
			n := 1 + rng.IntN(30)
			if rng.IntN(200) == 0 {
				n = 500 // larger than a segment
			}
			left[mustAppend(t, l, batch(id, n, 10))] = n
			id += uint64(n)
			appended += uint64(n)
			lost := l.TakeLosses()
			evicted += lost.Evicted
			batches += lost.Batches
			for seq, n := range left {
				if seq < l.First() {
					delete(left, seq)
					lost.Evicted -= uint64(n)
					lost.Batches--
				}
			}
			if lost.Evicted != 0 || lost.Batches != 0 || lost.Corrupt != 0 {
				t.Fatalf("seed %d: losses do not agree with First: %+v", seed, lost)
			}
			if rng.IntN(3) == 0 {
				if e, err := l.Next(b); err == nil {
					if left[e.Seq] != b.Records() {
						t.Fatalf("seed %d: entry %d of %d records, want %d", seed, e.Seq, b.Records(), left[e.Seq])
					}
					l.Resolve(e.Seq, b.Records(), nil)
					resolved += uint64(b.Records())
					delete(left, e.Seq)
				}
			}
			if rng.IntN(300) == 0 {
				crash(t, l)
				l = mustOpen(t, cfg)
			}
			s := l.Stats()
			if s.Bytes > cfg.MaxBytes {
				t.Fatalf("seed %d: %d bytes", seed, s.Bytes)
			}
			if l.Waiting()+evicted+resolved != appended {
				t.Fatalf("seed %d: %d waiting + %d evicted + %d resolved of %d", seed, l.Waiting(), evicted, resolved, appended)
			}
		}
		if evicted == 0 || resolved == 0 {
			t.Errorf("seed %d: %d evicted, %d resolved", seed, evicted, resolved)
		}
		if len(l.done)+len(l.partial) > 0 {
			t.Errorf("seed %d: %d and %d entries remembered", seed, len(l.done), len(l.partial))
		}
		l.Close()
	}
}
