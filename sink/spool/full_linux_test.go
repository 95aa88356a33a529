package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// needRoot skips a test that only root can run, or fails it where CI=true.
func needRoot(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs root (CAP_SYS_ADMIN) to mount a tmpfs, and CI must not skip it: %v", err)
	}
	t.Skipf("this test needs root (CAP_SYS_ADMIN) to mount a tmpfs; try again with sudo: %v", err)
}

// smallDisk mounts a tmpfs.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		needRoot(t, errors.New("not root"))
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			needRoot(t, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDeadSpace: entries that are resolved never keep others out, however small
// the disk, with one entry waiting or none.
func TestDeadSpace(t *testing.T) {
	for _, waiting := range []int{0, 1, 3} {
		dir := smallDisk(t, "size=16m")
		l := mustOpen(t, Config{Dir: filepath.Join(dir, "spool")})
		b := producer.NewBatch(0, 0)
		id := uint64(1)
		for n := range 400 { // 100 kB each
			if _, err := l.Append(batch(id, 1000, 90)); err != nil {
				t.Fatalf("%d waiting, entry %d: %v", waiting, n, err)
			}
			id += 1000
			if n < waiting {
				continue
			}
			e, err := l.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			l.Resolve(e.Seq, b.Records(), nil)
		}
		if l.Stats().Bytes > 6<<20 {
			t.Errorf("%d waiting: %d bytes", waiting, l.Stats().Bytes)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDiskFull: on a disk that fills up and gets room again, with crashes, all
// that was taken is delivered once, in order, whole.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "size=512k")
	var log bytes.Buffer
	cfg := Config{Dir: filepath.Join(dir, "spool"), MaxBytes: 1 << 30, SegmentBytes: 64 << 10, SyncEvery: -1,
		Logger: slog.New(slog.NewTextHandler(&log, nil))}
	ballast := filepath.Join(dir, "ballast")
	l := mustOpen(t, cfg)
	rng := newRand(3)
	var want, got []uint64
	id, refused := uint64(1), 0
	b := producer.NewBatch(0, 0)
	for step := range 4000 {
		switch rng.IntN(8) {
		case 0, 1, 2:
			n := 1 + rng.IntN(100)
			_, err := l.Append(batch(id, n, damagePad))
			if err != nil {
				if !errors.Is(err, sink.ErrDiskFull) {
					t.Fatal(err)
				}
				refused++
			} else {
				for i := range n {
					want = append(want, id+uint64(i))
				}
			}
			id += uint64(n)
		case 3, 4:
			if e, err := l.Next(b); err == nil {
				got = append(got, ids(t, b, damagePad)...)
				l.Resolve(e.Seq, b.Records(), nil)
			}
		case 5:
			switch rng.IntN(30) {
			case 0:
				size := rng.IntN(500 << 10)
				if err := os.WriteFile(ballast, make([]byte, size), 0o600); err != nil && !errors.Is(err, unix.ENOSPC) {
					t.Fatal(err)
				}
			case 1:
				if err := os.RemoveAll(ballast); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := l.Commit(); err != nil {
					t.Fatal(err)
				}
			case 3:
				// What could not be noted would come again.
				if l.acks.broken {
					break
				}
				crash(t, l)
				l = mustOpen(t, cfg)
			}
		}
		if s := l.Stats(); s.Corrupt != 0 || s.Damages != s.Torn {
			t.Fatalf("step %d: %+v", step, s)
		}
	}
	if err := os.RemoveAll(ballast); err != nil {
		t.Fatal(err)
	}
	l.Rewind()
	got = append(got, drain(t, l, damagePad, true)...)
	if !slices.Equal(got, want) {
		t.Errorf("%d records delivered, %d taken", len(got), len(want))
	}
	if refused == 0 || len(want) < 1000 {
		t.Errorf("%d appends refused, %d records taken", refused, len(want))
	}
	began, ended := bytes.Count(log.Bytes(), []byte("spool takes nothing")), bytes.Count(log.Bytes(), []byte("spool takes records again"))
	if began == 0 || began-ended < 0 || began > refused {
		t.Errorf("%d refused, %d begins and %d ends logged", refused, began, ended)
	}
	if s := l.Stats(); s.AppendErrors == 0 {
		t.Errorf("%+v", s)
	}
}

// TestAcksOnFullDisk: acknowledgements that find no room are noted later.
func TestAcksOnFullDisk(t *testing.T) {
	dir := smallDisk(t, "size=256k")
	cfg := Config{Dir: dir, MaxBytes: 1 << 30, SegmentBytes: 1 << 20, SyncEvery: -1}
	l := mustOpen(t, cfg)
	total := 0
	for {
		if _, err := l.Append(batch(uint64(total)+1, 1, 0)); err != nil {
			break
		}
		total++
	}
	if got := drain(t, l, 0, true); len(got) != total {
		t.Fatalf("%d read, %d appended", len(got), total)
	}
	if l.Waiting() != 0 || l.Stats().AckErrors == 0 {
		t.Errorf("%d waiting, %+v", l.Waiting(), l.Stats())
	}
	l.Trim() // makes room
	if l.acks.broken {
		t.Error("acknowledgements are not noted though there is room")
	}
	crash(t, l)
	l = mustOpen(t, cfg)
	if l.Waiting() != 0 {
		t.Errorf("%d records come again", l.Waiting())
	}
}

// TestReserve: what the file system has left belongs to others.
func TestReserve(t *testing.T) {
	dir := smallDisk(t, "size=1m")
	l := mustOpen(t, Config{Dir: dir, MaxBytes: 1 << 30, SegmentBytes: 64 << 10, Reserve: 512 << 10})
	var err error
	for id := uint64(1); err == nil; id += 10 {
		_, err = l.Append(batch(id, 10, damagePad))
	}
	if !errors.Is(err, sink.ErrDiskFull) {
		t.Fatal(err)
	}
	free, _, err := space(dir)
	if err != nil {
		t.Fatal(err)
	}
	if free < 512<<10 || free > 513<<10 {
		t.Errorf("%d bytes are free, want 512 KiB", free)
	}
	drain(t, l, damagePad, true)
	mustAppend(t, l, batch(1_000_000, 10, damagePad))
}

func TestReadOnly(t *testing.T) {
	dir := smallDisk(t, "size=64k,ro")
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, unix.EROFS) {
		t.Errorf("open on a read-only disk: %v", err)
	}
}
