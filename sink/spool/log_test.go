package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

func TestLocked(t *testing.T) {
	dir := fastDir(t)
	l := mustOpen(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	l.Close()
	mustOpen(t, Config{Dir: dir})
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want []string // in the error
	}{
		{Config{}, []string{"directory"}},
		{Config{MaxBytes: -1}, []string{"directory", "too small"}},
		{Config{Dir: "x", MaxBytes: 1000}, []string{"too small"}},
		{Config{Dir: "x", SegmentBytes: 100}, []string{"too small"}},
	} {
		_, err := Open(tc.cfg)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", tc.cfg, err, want)
			}
		}
	}
	if c, err := (Config{Dir: "x"}).check(); err != nil || c.MaxBytes != 8<<30 || c.SegmentBytes != 64<<20 || c.SyncEvery != time.Second {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	dir := fastDir(t)
	_, size, err := space(dir)
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[int64]int64{0: min(512<<20, size/10), -1: 0, 77: 77} {
		if got, err := reserve(Config{Dir: dir, Reserve: given}); got != want || err != nil {
			t.Errorf("reserve %d on %d bytes: %d, want %d: %v", given, size, got, want, err)
		}
	}
	if _, err := Open(Config{Dir: filepath.Join(fastDir(t), "file", "x"), Reserve: -1}); err != nil {
		t.Error("missing directories are made:", err)
	}
}

func TestClosed(t *testing.T) {
	l := mustOpen(t, Config{Dir: fastDir(t)})
	mustAppend(t, l, batch(1, 3, 0))
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.Append(batch(1, 3, 0)); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if l.Unread() {
		t.Error("a closed log has entries to read")
	}
	l.Resolve(1, 3, nil)
	l.Trim()
	if err := l.Commit(); err != nil {
		t.Error(err)
	}
	if l.Waiting() != 3 {
		t.Errorf("%d waiting", l.Waiting())
	}
}

// TestAppendRefuses: batches that are not to be had.
func TestAppendRefuses(t *testing.T) {
	l := mustOpen(t, Config{Dir: fastDir(t), MaxBytes: 16 << 10, SegmentBytes: 4096})
	if _, err := l.Append(new(producer.Batch)); err == nil {
		t.Error("an empty batch is taken")
	}
	if _, err := l.Append(batch(1, 100, 200)); err == nil {
		t.Error("a batch larger than the log is taken")
	}
	mustAppend(t, l, batch(1, 60, 150)) // larger than a segment
	if got := drain(t, l, 150, true); len(got) != 60 {
		t.Errorf("%d records read", len(got))
	}
}

func TestSync(t *testing.T) {
	for _, every := range []time.Duration{-1, time.Millisecond} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			l := mustOpen(t, Config{Dir: t.TempDir(), SegmentBytes: 4096, SyncEvery: every})
			dirty := func() bool {
				l.syncer.mu.Lock()
				defer l.syncer.mu.Unlock()
				return l.syncer.dirty || l.syncer.files || len(l.syncer.retired) > 0
			}
			for id := uint64(1); id < 1000; id += 50 {
				mustAppend(t, l, batch(id, 50, 20))
				if every < 0 && !dirty() {
					t.Error("nothing to sync after an append")
				}
				if err := l.Commit(); err != nil {
					t.Error(err)
				}
			}
			for deadline := time.Now().Add(10 * time.Second); dirty(); time.Sleep(time.Millisecond) {
				if every < 0 || time.Now().After(deadline) {
					t.Fatal("not synced")
				}
			}
			// A failed sync is told, and the segment is given up.
			n := len(l.segs)
			mustAppend(t, l, batch(5000, 1, 20))
			r, w, err := os.Pipe() // cannot be synced
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			l.syncer.began(w)
			if err := l.syncer.sync(); every < 0 && err == nil {
				t.Error("sync of a pipe: no error")
			}
			for deadline := time.Now().Add(10 * time.Second); l.Stats().SyncErrors == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("a failed sync is not counted")
				}
			}
			mustAppend(t, l, batch(6000, 1, 20))
			if len(l.segs) == n {
				t.Error("the segment of a failed sync is still in use")
			}
			if got := drain(t, l, 20, true); len(got) != 1002 {
				t.Errorf("%d records read", len(got))
			}
		})
	}
}

func TestOldest(t *testing.T) {
	cfg := Config{Dir: fastDir(t)}
	l := mustOpen(t, cfg)
	if s := l.Stats(); !s.Oldest.IsZero() {
		t.Errorf("%+v", s)
	}
	before := time.Now()
	mustAppend(t, l, batch(1, 1, 0))
	l.segs[0].times[0].ns -= int64(time.Hour) // the first is older
	second := mustAppend(t, l, batch(2, 1, 0))
	if age := time.Since(l.Stats().Oldest); age < time.Hour || age > 2*time.Hour {
		t.Errorf("age %v", age)
	}
	l.Resolve(second-1, 1, nil)
	if at := l.Stats().Oldest; at.Before(before.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("oldest at %v", at)
	}
	l.Close()
	l = mustOpen(t, cfg)
	if at := l.Stats().Oldest; at.Before(before.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("oldest after a restart at %v", at)
	}
}

// TestManyRestarts: sequence numbers never repeat.
func TestManyRestarts(t *testing.T) {
	cfg := Config{Dir: fastDir(t)}
	last := uint64(0)
	for n := range 20 {
		l := mustOpen(t, cfg)
		seq := mustAppend(t, l, batch(uint64(n)+1, 2, 0))
		if seq <= last {
			t.Fatalf("seq %d after %d", seq, last)
		}
		last = seq
		if n%3 > 0 {
			drain(t, l, 0, true)
		}
		if n%2 > 0 {
			l.Trim()
		}
		if n%5 == 0 {
			crash(t, l)
		} else {
			l.Close()
		}
	}
}

// steady appends, reads and resolves one batch.
func steady(t testing.TB, l *Log, b, into *producer.Batch) {
	if _, err := l.Append(b); err != nil {
		t.Fatal(err)
	}
	e, err := l.Next(into)
	if err != nil {
		t.Fatal(err)
	}
	l.Resolve(e.Seq, into.Records(), nil)
}

func TestAllocs(t *testing.T) {
	l := mustOpen(t, Config{Dir: fastDir(t), SegmentBytes: 1 << 30, MaxBytes: 4 << 30})
	b, into := batch(1, 1000, 100), producer.NewBatch(0, 1<<20)
	if n := testing.AllocsPerRun(200, func() { steady(t, l, b, into) }); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{4 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			l := mustOpen(b, Config{Dir: b.TempDir(), MaxBytes: 4 << 30})
			in := batch(1, size/200, 190)
			b.SetBytes(int64(len(in.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				mustAppend(b, l, in)
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	for _, size := range []int{4 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			l := mustOpen(b, Config{Dir: dir, MaxBytes: 4 << 30})
			in, into := batch(1, size/200, 190), producer.NewBatch(0, 1<<20)
			for range 256 << 20 / size {
				mustAppend(b, l, in)
			}
			b.SetBytes(int64(len(in.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				if !l.Unread() {
					l.Rewind()
				}
				if _, err := l.Next(into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPassage appends, reads and resolves, as mode always does.
func BenchmarkPassage(b *testing.B) {
	l := mustOpen(b, Config{Dir: b.TempDir()})
	in, into := batch(1, 1300, 190), producer.NewBatch(0, 1<<20)
	b.SetBytes(int64(len(in.Buf)))
	b.ReportAllocs()
	for b.Loop() {
		steady(b, l, in, into)
	}
}

// FuzzSegment has a log open and read a directory with any segment and any
// list of acknowledgements.
func FuzzSegment(f *testing.F) {
	dir := fastDir(f)
	l := mustOpen(f, Config{Dir: dir, SyncEvery: -1})
	for id := uint64(1); id < 100; id += 10 {
		mustAppend(f, l, batch(id, 10, 5))
	}
	l.Resolve(2, 10, nil)
	l.Resolve(3, 10, []uint32{1, 5})
	l.Close()
	var seg, acks []byte
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			f.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), segmentSuffix) {
			seg = data
		} else if e.Name() == acksName {
			acks = data
		}
	}
	f.Add(seg, acks, false)
	f.Add(seg, []byte{}, true)
	f.Add(seg[:len(seg)-7], acks[:len(acks)/2], true)
	work := fastDir(f)
	f.Fuzz(func(t *testing.T, seg, acks []byte, mend bool) {
		if mend { // have the checksums agree, so that more is believed
			seg, acks = slices.Clone(seg), slices.Clone(acks)
			mendSegment(seg)
			mendAcks(acks)
		}
		dir, err := os.MkdirTemp(work, "x")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		for name, data := range map[string][]byte{segmentName(1): seg, acksName: acks} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Open(Config{Dir: dir, Reserve: -1, SyncEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		recovered := l.Waiting()
		l.TakeLosses()
		b := producer.NewBatch(0, 0)
		records := uint64(0)
		for l.Unread() {
			e, err := l.Next(b)
			if err != nil {
				break
			}
			for i := range b.Records() {
				_ = b.Message(i)
			}
			records += uint64(b.Records())
			l.Resolve(e.Seq, b.Records(), nil)
		}
		if lost := l.TakeLosses(); l.Waiting() != 0 || records+lost.Corrupt != recovered {
			t.Fatalf("%d recovered, %d delivered, %d lost, %d waiting", recovered, records, lost.Corrupt, l.Waiting())
		}
		if cap(b.Buf) > 2*len(seg)+1<<17 {
			t.Fatalf("a buffer of %d bytes for a segment of %d", cap(b.Buf), len(seg))
		}
	})
}
