package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/sink"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string // parts of the error; none for a good configuration
	}{
		{"stdout", Config{}, nil},
		{"file", Config{Path: "x", Compress: CompressNone}, nil},
		{"rotation", Config{Path: "x", RotateSize: 1, RotateInterval: time.Second, Compress: CompressZstd}, nil},
		{"stdout rotates", Config{RotateSize: 1}, []string{"standard output cannot be rotated"}},
		{"negative size", Config{Path: "x", RotateSize: -1}, []string{"rotate size -1 is negative"}},
		{"short interval", Config{Path: "x", RotateInterval: 1}, []string{"rotate interval 1ns is under a second"}},
		{"negative interval", Config{Path: "x", RotateInterval: -time.Hour}, []string{"rotate interval -1h0m0s is under a second"}},
		{"compress alone", Config{Path: "x", Compress: CompressZstd}, []string{"rotation is off"}},
		{"all at once", Config{RotateInterval: 5, RotateSize: -7, Compress: "gzip"},
			[]string{"-7 is negative", "5ns is under", "standard output", `"gzip" is neither "none" nor "zstd"`}},
	} {
		err := tc.cfg.Validate()
		if len(tc.want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: no error", tc.name)
			continue
		}
		for _, w := range tc.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q does not say %q", tc.name, err, w)
			}
		}
		if _, err := New(tc.cfg); err == nil {
			t.Errorf("%s: New has no error", tc.name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "")
	fifoPath := fifo(t)
	for _, tc := range []struct {
		name, want string
		cfg        Config
		is         error
	}{
		{"missing directory", `directory "` + dir + `/no/such": no such file or directory`,
			Config{Path: dir + "/no/such/flows.json"}, fs.ErrNotExist},
		{"is a directory", "is a directory", Config{Path: dir}, unix.EISDIR},
		{"parent is a file", "not a directory", Config{Path: dir + "/plain/x"}, unix.ENOTDIR},
		{"name too long", "file name too long", Config{Path: dir + "/" + strings.Repeat("x", 300)}, unix.ENAMETOOLONG},
		{"device rotates", "only a regular file can be rotated", Config{Path: "/dev/null", RotateSize: 1}, nil},
		{"fifo rotates", "fifo has no reader", Config{Path: fifoPath, RotateSize: 1}, nil},
		{"bad config", "-1 is negative", Config{Path: dir + "/x", RotateSize: -1}, nil},
	} {
		f, err := New(tc.cfg)
		if err == nil {
			f.Close()
			t.Errorf("%s: no error", tc.name)
			continue
		}
		want := `open output "` + tc.cfg.Path + `": `
		if !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%s: error %q, want %q...%q", tc.name, err, want, tc.want)
		}
		if tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: error %q is not %q", tc.name, err, tc.is)
		}
	}
	if _, err := os.Stat(dir + "/x"); err == nil {
		t.Error("a bad configuration has made a file")
	}
}

func TestAppendAndMode(t *testing.T) {
	old := unix.Umask(0o022)
	defer unix.Umask(old)
	path := filepath.Join(t.TempDir(), "flows.json")
	for range 2 {
		f := mustNew(t, Config{Path: path, LineDelimited: true})
		mustWrite(t, f, "{}\n", "{}\n")
		if err := f.Flush(); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	if got := contents(t, path); got != "{}\n{}\n{}\n{}\n" {
		t.Errorf("file holds %q", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestName(t *testing.T) {
	if f := mustNew(t, Config{Path: "/dev/null"}); f.Name() != "file" {
		t.Errorf("name of a file: %q", f.Name())
	}
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	f, err := newFile(Config{}, int(null.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "x")
	if err := f.Reopen(); err != nil {
		t.Error(err)
	}
	if f.Name() != "stdout" {
		t.Errorf("name of standard output: %q", f.Name())
	}
	f.Close()
	if _, err := null.WriteString("x"); err != nil {
		t.Errorf("closing the sink has closed standard output: %v", err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "flows.json")
	f := mustNew(t, Config{Path: path, LineDelimited: true})
	mustWrite(t, f, "1\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "2\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "3\n")
	if a, b := contents(t, path+".1"), contents(t, path); a != "1\n2\n" || b != "3\n" {
		t.Errorf("old file %q, new file %q", a, b)
	}

	// The new open fails: the old file stays in use.
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	err := f.Reopen()
	if err == nil || !errors.Is(err, unix.EISDIR) || !strings.HasPrefix(err.Error(), `reopen output "`+path+`": `) {
		t.Errorf("reopen on a directory: %v", err)
	}
	mustWrite(t, f, "4\n")
	if got := contents(t, path+".2"); got != "3\n4\n" {
		t.Errorf("old file %q", got)
	}
}

// TestCopyTruncate: another program truncates the file in place.
func TestCopyTruncate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.json")
	f := mustNew(t, Config{Path: path})
	mustWrite(t, f, "1\n", "2\n")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "3\n")
	if got := contents(t, path); got != "3\n" {
		t.Errorf("file holds %q", got)
	}
}

func TestRepair(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	huge := strings.Repeat("x", maxLine)
	for _, tc := range []struct {
		name, before, after string
		lines, refused      bool
	}{
		{"empty", "", "", true, false},
		{"whole", "{}\n{}\n", "{}\n{}\n", true, false},
		{"torn", "{}\n{\"a\":", "{}\n", true, false},
		{"torn first line", "{\"a\":", "", true, false},
		{"torn far back", "{}\n" + big, "{}\n", true, false},
		{"newline at the start", "\n" + big, "\n", true, false},
		{"longest", "{}\n" + huge[1:], "{}\n", true, false},
		{"no lines at all", huge + "x", huge + "x", true, true},
		{"other format", "{}\n{\"a\":", "{}\n{\"a\":", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "flows.json")
			write(t, path, tc.before)
			var log logBuffer
			f, err := New(Config{Path: path, LineDelimited: tc.lines, Logger: log.logger()})
			if (err != nil) != tc.refused {
				t.Fatalf("error %v, want one: %v", err, tc.refused)
			}
			if err == nil {
				mustWrite(t, f, "{}\n")
				f.Close()
				tc.after += "{}\n"
			}
			if got := contents(t, path); got != tc.after {
				t.Errorf("file holds %d bytes, want %d", len(got), len(tc.after))
			}
			cut := tc.lines && !tc.refused && len(tc.before)+len("{}\n") != len(tc.after)
			if logged := log.count("unfinished last line cut off") == 1; logged != cut {
				t.Errorf("cut %v, logged %q", cut, log.String())
			}
		})
	}
}

func TestWriteAllocs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, cfg := range []Config{
		{Path: "/dev/null"},
		{Path: filepath.Join(t.TempDir(), "a")},
		{Path: filepath.Join(t.TempDir(), "b"), RotateSize: 1 << 30, RotateInterval: time.Hour},
	} {
		f := mustNew(t, cfg)
		b := lines(0, 100)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := f.Write(ctx, b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a batch", cfg.Path, n)
		}
	}
}

// TestDevFull: a device without space costs every message and nothing else.
func TestDevFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	f := mustNew(t, Config{Path: "/dev/full", LineDelimited: true})
	for range 3 {
		n, err := f.Write(context.Background(), lines(0, 100))
		if n != 0 || !errors.Is(err, sink.ErrDiskFull) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("wrote %d: %v", n, err)
		}
	}
	if err := f.Flush(); err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	f := mustNew(b, Config{Path: filepath.Join(b.TempDir(), "flows.json"), RotateSize: 256 << 20})
	batch := lines(0, 1400)
	b.SetBytes(int64(len(batch.Buf)))
	for b.Loop() {
		if _, err := f.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMessagesIn(t *testing.T) {
	ends := []uint32{3, 5, 9}
	for _, tc := range []struct{ n, want int }{{0, 0}, {2, 0}, {3, 1}, {4, 1}, {5, 2}, {8, 2}, {9, 3}} {
		if got := messagesIn(ends, tc.n); got != tc.want {
			t.Errorf("%d messages in %d bytes, want %d", got, tc.n, tc.want)
		}
	}
}

func TestRenameIfFree(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "a")
	write(t, b, "b")
	for _, rename := range []func(from, to string) error{renameIfFree, renameNoReplace} {
		if err := rename(a, b); !errors.Is(err, unix.EEXIST) || contents(t, b) != "b" {
			t.Errorf("rename to a name that is taken: %v", err)
		}
		if err := rename(a, b+"2"); err != nil || contents(t, b+"2") != "a" {
			t.Errorf("rename to a free name: %v", err)
		}
		os.Rename(b+"2", a)
	}
}

// TestReopenTorn: the rest of a message that is torn in the old output does
// not get into the new one.
func TestReopenTorn(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	path := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	f := mustNew(t, Config{Path: path, Logger: log.logger()})
	f.torn = append(f.torn, "rest"...)
	if err := f.Reopen(); err != nil || string(f.torn) != "rest" {
		t.Errorf("reopen of the same output: %v, torn %q", err, f.torn)
	}
	os.Remove(path)
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "{}\n")
	if got := contents(t, path); got != "{}\n" {
		t.Errorf("new output holds %q", got)
	}
	if log.count("remains unfinished") == 0 {
		t.Error("nothing was logged about the torn message")
	}
}
