package file

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
	"github.com/weirflow/weir/sink/sinktest"
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

// TestDiskFull: four workers write more than fits, then room is made. The
// file has whole lines only, as many as were acknowledged.
func TestDiskFull(t *testing.T) {
	for _, tc := range []struct {
		name string
		open func(path string) (*File, error)
	}{
		{"file", func(path string) (*File, error) { return New(Config{Path: path, LineDelimited: true}) }},
		{"stdout", func(path string) (*File, error) {
			out, err := os.Create(path) // without O_APPEND
			if err != nil {
				return nil, err
			}
			defer out.Close()
			return newFile(Config{}, int(out.Fd()))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := smallDisk(t, "size=1m")
			ballast := filepath.Join(dir, "ballast")
			write(t, ballast, string(make([]byte, 512<<10)))
			path := filepath.Join(dir, "flows.json")
			f, err := tc.open(path)
			if err != nil {
				t.Fatal(err)
			}
			var log logBuffer
			lanes := sinktest.Lanes(4, 4)
			hub := sink.NewHub(f, lanes, slog.New(slog.NewTextHandler(&log, nil)))
			go hub.Run(t.Context())
			sent := sinktest.Work(hub, lanes, 30)
			c := hub.Counters()
			eventually(t, "the first load to end", func() bool { return c.Acked()+c.Dropped() == sinktest.Sum(sent) })
			lost := c.DroppedBy(sink.ReasonDiskFull)
			if lost == 0 || c.Acked() == 0 {
				t.Errorf("%d records acknowledged, %d dropped by a full disk", c.Acked(), lost)
			}
			first := sinktest.Sum(sinktest.Read(t, []byte(contents(t, path)), 4, true))
			if first != c.Acked() {
				t.Errorf("%d records in the file, %d acknowledged", first, c.Acked())
			}

			// Room: the output goes on by itself.
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			b, _ := lanes[0].Empty.Pop()
			sent[0] = sinktest.Fill(b, sent[0], 1000)
			lanes[0].Full.Push(b)
			hub.Notify()
			eventually(t, "the batch after", func() bool { return c.Acked()+c.Dropped() == sinktest.Sum(sent) })
			if err := hub.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			sinktest.Balance(t, c, sent)
			data := []byte(contents(t, path))
			if got := sinktest.Sum(sinktest.Read(t, data, 4, true)); got != c.Acked() || got != first+1000 {
				t.Errorf("%d records in the file, %d before, %d acknowledged", got, first, c.Acked())
			}
			if bytes.IndexByte(data, 0) >= 0 {
				t.Error("the file has a hole")
			}
			if n := log.count("output fails"); n != 1 {
				t.Errorf("fault logged %d times:\n%s", n, log.String())
			}
		})
	}
}

// TestDiskFullExact: messages of no particular format are counted to the last
// that fits.
func TestDiskFullExact(t *testing.T) {
	dir := smallDisk(t, "size=64k")
	path := filepath.Join(dir, "flows.bin")
	f := mustNew(t, Config{Path: path})
	message := string(bytes.Repeat([]byte{'x'}, 1000))
	var messages []string
	for range 100 {
		messages = append(messages, message)
	}
	n, err := f.Write(context.Background(), batchOf(messages...))
	if !errors.Is(err, sink.ErrDiskFull) || n != 65 {
		t.Errorf("wrote %d: %v, want 65 of 65536 bytes", n, err)
	}
	if got := len(contents(t, path)); got != n*1000 {
		t.Errorf("file has %d bytes", got)
	}
	// 536 bytes are left.
	if n, err := f.Write(context.Background(), batchOf("a", "b", message)); n != 2 || !errors.Is(err, sink.ErrDiskFull) {
		t.Errorf("wrote %d: %v", n, err)
	}
	if got := len(contents(t, path)); got != 65_002 {
		t.Errorf("file has %d bytes", got)
	}
}

// TestRotateDiskFull: rotation and compression on a disk that is full lose
// nothing that was acknowledged.
func TestRotateDiskFull(t *testing.T) {
	dir := smallDisk(t, "size=1m")
	path := filepath.Join(dir, "flows.json")
	var log logBuffer
	f := mustNew(t, Config{Path: path, LineDelimited: true, RotateSize: 256 << 10,
		Compress: CompressZstd, Logger: log.logger()})
	lanes := sinktest.Lanes(4, 4)
	hub := sink.NewHub(f, lanes, nil)
	go hub.Run(t.Context())
	sent := sinktest.Work(hub, lanes, 100)
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	sinktest.Balance(t, hub.Counters(), sent)
	got := sinktest.Sum(sinktest.Read(t, readRotated(t, path), 4, true))
	if got != hub.Counters().Acked() {
		t.Errorf("%d records in the files, %d acknowledged", got, hub.Counters().Acked())
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "size=64k,ro")
	_, err := New(Config{Path: filepath.Join(dir, "x")})
	if !errors.Is(err, unix.EROFS) {
		t.Errorf("open on a read-only disk: %v", err)
	}
}

// TestPermission opens as another user, on a thread of its own.
func TestPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		needRoot(t, errors.New("not root"))
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secret"), "")
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "secret"} {
		path := filepath.Join(dir, name)
		result := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with it
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				result <- err
				return
			}
			_, err := New(Config{Path: path})
			result <- err
		}()
		err := <-result
		if !errors.Is(err, unix.EACCES) || !strings.HasPrefix(err.Error(), `open output "`+path+`": permission denied: user `) || !strings.Contains(err.Error(), "-transport.file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestTornKept: the beginning of a message cannot be cut off, because others
// have written after it. Its rest goes out first when there is room.
func TestTornKept(t *testing.T) {
	dir := smallDisk(t, "size=64k")
	path := filepath.Join(dir, "flows.bin")
	f := mustNew(t, Config{Path: path})
	mustWrite(t, f, "abc")
	other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.WriteString("-"); err != nil {
		t.Fatal(err)
	}
	if f.mend([]byte("c"), []byte("def")) || string(f.torn) != "def" {
		t.Fatalf("torn %q", f.torn)
	}
	f.Tick()
	if n, err := f.Write(context.Background(), batchOf(string(make([]byte, 70<<10)))); n != 0 || !errors.Is(err, sink.ErrDiskFull) {
		t.Fatalf("wrote %d: %v", n, err)
	}
	mustWrite(t, f, "g")
	if got := contents(t, path); got != "abc-defg" {
		t.Errorf("file holds %q", got)
	}
}

// TestKeepFreeDiskFull: on a small disk four workers write many times what fits. Rotated
// files make way, nothing is lost, and what is there is the newest.
func TestKeepFreeDiskFull(t *testing.T) {
	for _, tc := range []struct {
		name, compress string
		keep           Keep
	}{
		{"free", CompressNone, Keep{Free: option.Space{Percent: 60}}},
		{"free compressed", CompressZstd, Keep{Free: option.Space{Bytes: 4 << 20}}},
		{"bytes", CompressNone, Keep{Limits: retain.Limits{Bytes: 2 << 20}}},
		{"count compressed", CompressZstd, Keep{Limits: retain.Limits{Count: 10}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := smallDisk(t, "size=6m")
			path := filepath.Join(dir, "flows.json")
			var log logBuffer
			f := mustNew(t, Config{Path: path, LineDelimited: true, RotateSize: 128 << 10,
				Compress: tc.compress, Keep: tc.keep, Logger: log.logger()})
			var all []byte
			for i := 0; len(all) < 18<<20; i++ {
				b := lines(i*2000, 2000)
				if n, err := f.Write(context.Background(), b); err != nil || n != len(b.Ends) {
					t.Fatalf("after %d bytes: wrote %d of %d: %v\n%s", len(all), n, len(b.Ends), err, log.String())
				}
				all = append(all, b.Buf...)
			}
			f.Close()
			k := f.Kept()
			free, total, err := output.DiskSpace(dir)
			if err != nil {
				t.Fatal(err)
			}
			if want := tc.keep.Free.Of(total); free < want {
				t.Errorf("%d bytes are free, not %d", free, want)
			}
			deleted := uint64(0)
			for _, n := range k.Deleted {
				deleted += n
			}
			if k.Failures != 0 || k.Rotations < 120 || uint64(k.Files) != k.Rotations-deleted || deleted == 0 {
				t.Errorf("%+v", k)
			}
			if got := readRotated(t, path); !bytes.HasSuffix(all, got) || len(got) < 512<<10 {
				t.Errorf("%d bytes are left, which are not the last that were written", len(got))
			}
		})
	}
}

// TestKeepFreeOthers: others fill the disk. weir deletes all that it may, says once that this
// is not enough, and again when there is room.
func TestKeepFreeOthers(t *testing.T) {
	dir := smallDisk(t, "size=4m")
	path := filepath.Join(dir, "flows.json")
	for i := range 4 {
		write(t, filepath.Join(dir, rotatedAt(time.Hour, i+1)), string(make([]byte, 256<<10)))
	}
	linked := rotatedAt(2*time.Hour, 1)
	write(t, filepath.Join(dir, linked), string(make([]byte, 64<<10)))
	if err := os.Link(filepath.Join(dir, linked), filepath.Join(dir, "archive")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	write(t, ballast, string(make([]byte, 2560<<10)))
	var log logBuffer
	f := mustNew(t, Config{Path: path, RotateSize: 1 << 20, Keep: Keep{Free: option.Space{Bytes: 1 << 20}}, Logger: log.logger()})
	eventually(t, "the deletion of as many as it takes", func() bool { return f.Kept().Deleted[retain.Free] == 3 })
	if !exists(filepath.Join(dir, rotatedAt(time.Hour, 4))) || !exists(filepath.Join(dir, linked)) {
		t.Errorf("more than needed was deleted, or what frees nothing:\n%s", log.String())
	}
	write(t, ballast, string(make([]byte, 3500<<10)))
	eventually(t, "the warning", func() bool { return log.count("no rotated file is left to delete") == 1 })
	f.archive.ring()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of it", func() bool { return log.count("the free space of -transport.file.keep.free again") == 1 })
	if n := log.count("no rotated file is left to delete"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}
