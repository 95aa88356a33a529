package spool

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const damagePad = 20

// ackedSmall is how many records of makeSmall are acknowledged.
const ackedSmall = 1 + 2 + 6 + (4 - 2) + (5 - 2)

// makeSmall fills a directory with a few segments of which some entries are
// resolved, and returns its files and the ids that are left.
func makeSmall(t *testing.T, cfg Config, clean bool) (map[string][]byte, []uint64) {
	t.Helper()
	l := mustOpen(t, cfg)
	id := uint64(1)
	for n := range 24 {
		mustAppend(t, l, batch(id, 1+n%17, damagePad))
		id += uint64(1 + n%17)
	}
	b := producer.NewBatch(0, 0)
	for i := range 8 {
		e, err := l.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0, 1, 5:
			l.Resolve(e.Seq, b.Records(), nil)
		case 3, 4:
			l.Resolve(e.Seq, b.Records(), []uint32{1, 3})
		}
	}
	l.Rewind()
	left := drain(t, l, damagePad, false)
	if clean {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		crash(t, l)
	}
	return readDir(t, cfg.Dir), left
}

func readDir(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// restore makes dir hold just these files.
func restore(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := files[e.Name()]; !ok {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

// subsequence reports whether the ids of got are in want in this order.
func subsequence(got, want []uint64) bool {
	for _, id := range got {
		at := slices.Index(want, id)
		if at < 0 {
			return false
		}
		want = want[at+1:]
	}
	return true
}

// damageTest opens a directory with damage, reads it and checks that entries
// are whole and in order. known says that the number of lost records is known.
func damageTest(t *testing.T, cfg Config, what string, want []uint64, mostLost int, known, repeats bool) {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer l.Close()
	recovered := l.Waiting()
	lost := l.TakeLosses()
	atOpen := lost.Corrupt
	got := drain(t, l, damagePad, true)
	late := l.TakeLosses()
	lost.Corrupt += late.Corrupt
	if repeats {
		// Acknowledged ones may come again.
		first := slices.Index(got, want[0])
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Fatalf("%s: record %d is lost", what, id)
			}
		}
		if !slices.IsSorted(got) || first < 0 {
			t.Fatalf("%s: got %v", what, got)
		}
	} else {
		if !subsequence(got, want) {
			t.Fatalf("%s: got %v, want %v", what, got, want)
		}
		if len(got)+mostLost < len(want) {
			t.Fatalf("%s: %d of %d records lost", what, len(want)-len(got), len(want))
		}
		// Where acknowledged ones are missing too the count includes them.
		counted, missing := int(lost.Corrupt), len(want)-len(got)
		if known && (counted < missing || (counted > missing && missing+ackedSmall < counted)) {
			t.Fatalf("%s: got %d of %d records, %d counted as lost", what, len(got), len(want), lost.Corrupt)
		}
	}
	if recovered != uint64(len(got))+late.Corrupt {
		t.Fatalf("%s: %d recovered, %d delivered, %d lost at open and %d later", what, recovered, len(got), atOpen, late.Corrupt)
	}
	if l.Waiting() != 0 || len(l.partial)+len(l.done) != 0 {
		t.Fatalf("%s: %d waiting at the end", what, l.Waiting())
	}
	if s := l.Stats(); s.Corrupt != lost.Corrupt || (len(got) < len(want) && s.Damages == 0) {
		t.Fatalf("%s: %+v", what, s)
	}
	// It works on.
	mustAppend(t, l, batch(100_000, 3, damagePad))
	if got := drain(t, l, damagePad, true); !slices.Equal(got, []uint64{100_000, 100_001, 100_002}) {
		t.Fatalf("%s: new entries read as %v", what, got)
	}
}

// TestEveryByte changes each byte of each file, one at a time.
func TestEveryByte(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	files, want := makeSmall(t, cfg, true)
	rng := newRand(5)
	for name, data := range files {
		for at := 0; at < len(data); at += everyByte {
			restore(t, cfg.Dir, files)
			bad := bytes.Clone(data)
			bad[at] ^= byte(1 + rng.IntN(255))
			if err := os.WriteFile(filepath.Join(cfg.Dir, name), bad, 0o640); err != nil {
				t.Fatal(err)
			}
			damageTest(t, cfg, name, want, 17, name != acksName, name == acksName)
		}
	}
}

// TestEveryLength cuts each file at each length.
func TestEveryLength(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	files, want := makeSmall(t, cfg, true)
	for name, data := range files {
		for n := 0; n < len(data); n += everyByte {
			restore(t, cfg.Dir, files)
			if err := os.Truncate(filepath.Join(cfg.Dir, name), int64(n)); err != nil {
				t.Fatal(err)
			}
			damageTest(t, cfg, name, want, len(want), name != acksName, name == acksName)
		}
	}
}

// TestTorn cuts the last segment as a crash does: only the entry that was
// being written is missing, and it is not counted as lost.
func TestTorn(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 64 << 10, Reserve: -1, SyncEvery: -1}
	files, want := makeSmall(t, cfg, false)
	name := segmentName(1)
	var last []uint64
	l := mustOpen(t, cfg)
	all := drain(t, l, damagePad, false)
	l.Close()
	if !slices.Equal(all, want) {
		t.Fatalf("read %v, want %v", all, want)
	}
	last = want[len(want)-1-23%17:] // the records of the last entry
	data := files[name]
	size := entryHeader + 4*len(last)
	for _, id := range last {
		size += 8 + damagePad + int(id)%5
	}
	for n := len(data) - size + 1; n < len(data); n++ {
		restore(t, cfg.Dir, files)
		if err := os.Truncate(filepath.Join(cfg.Dir, name), int64(n)); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, cfg)
		if got := drain(t, l, damagePad, false); !slices.Equal(got, want[:len(want)-len(last)]) {
			t.Fatalf("cut at %d: read %v", n, got)
		}
		if s := l.Stats(); s.Torn != 1 || s.Corrupt != 0 {
			t.Fatalf("cut at %d: %+v", n, s)
		}
		l.Close()
	}
}

// TestDamageWhileOpen damages a segment behind the log's back.
func TestDamageWhileOpen(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, SyncEvery: -1}
	for _, tc := range []struct {
		name   string
		damage func(path string) error
	}{
		{"header", func(path string) error { return overwrite(path, segmentHeader, entryHeader) }},
		{"all", func(path string) error { return overwrite(path, 0, 3000) }},
		{"cut", func(path string) error { return os.Truncate(path, 2000) }},
		{"gone", os.Remove},
	} {
		t.Run(tc.name, func(t *testing.T) {
			restore(t, cfg.Dir, nil)
			var log bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			l := mustOpen(t, cfg)
			total := 0
			for id := uint64(1); len(l.segs) < 5; id += 4 {
				mustAppend(t, l, batch(id, 4, damagePad))
				total += 4
			}
			if err := tc.damage(l.segs[1].path); err != nil {
				t.Fatal(err)
			}
			got := drain(t, l, damagePad, true)
			lost := l.TakeLosses()
			if lost.Corrupt == 0 || lost.Batches*4 != lost.Corrupt || len(got)+int(lost.Corrupt) != total || l.Waiting() != 0 {
				t.Errorf("%d delivered, losses %+v of %d", len(got), lost, total)
			}
			if !slices.IsSorted(got) {
				t.Errorf("got %v", got)
			}
			if bytes.Count(log.Bytes(), []byte("level=ERROR")) != 1 {
				t.Errorf("log:\n%s", log.String())
			}
			l.Close()
		})
	}
}

func overwrite(path string, at int64, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, n), at)
	return err
}

// TestAside: damaged segments are kept, a few of them, and what is not the
// log's is left alone.
func TestAside(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096}
	foreign := map[string]string{
		"notes.txt": "x", "spool-1.wal": "x", "spool-000000000000000g.wal": "x",
		"spool-0000000000000001.wal.orig": "x", "spool-000000000000000A.wal": "x",
	}
	for name, text := range foreign {
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sub := filepath.Join(cfg.Dir, "spool-00000000000000ff.wal")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		l := mustOpen(t, cfg)
		mustAppend(t, l, batch(1, 50, damagePad))
		l.Close()
		segs := files(t, cfg.Dir, segmentSuffix)
		if err := overwrite(segs[len(segs)-1], segmentHeader+entryHeader+100, 1); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, cfg)
		if got := drain(t, l, damagePad, true); len(got) != 0 {
			t.Errorf("read %v of a damaged entry", got)
		}
		if lost := l.TakeLosses(); lost != (sink.SpoolLosses{Corrupt: 50, Batches: 1}) {
			t.Errorf("losses %+v", lost)
		}
		l.Close()
	}
	if n := len(files(t, cfg.Dir, asideSuffix)); n != keepAside {
		t.Errorf("%d damaged segments are kept, want %d", n, keepAside)
	}
	if segs := files(t, cfg.Dir, segmentSuffix); len(segs) != 0 {
		t.Errorf("segments left: %v", segs)
	}
	for name := range foreign {
		if _, err := os.Stat(filepath.Join(cfg.Dir, name)); err != nil {
			t.Error(err)
		}
	}
}
