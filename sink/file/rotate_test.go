package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 30, 0, 0, time.FixedZone("", 3600))
	for _, tc := range []struct{ file, rotated string }{
		{"flows.json", "flows-20261123T093000Z-0001.json"},
		{"flows", "flows-20261123T093000Z-0001"},
		{"flows.tar.gz", "flows.tar-20261123T093000Z-0001.gz"},
		{".flows", ".flows-20261123T093000Z-0001"},
		{"a-b.json", "a-b-20261123T093000Z-0001.json"},
	} {
		path := filepath.Join(t.TempDir(), tc.file)
		write(t, path, "")
		n, err := namesOf(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.at(at, 1); got != tc.rotated || !n.owns(got) {
			t.Errorf("%s: rotated to %q (owned: %v), want %q", tc.file, got, n.owns(got), tc.rotated)
		}
		if !n.owns(n.at(at, 12345)) {
			t.Errorf("%s: a long sequence number is not owned", tc.file)
		}
		for _, foreign := range []string{
			tc.file, n.at(at, 1) + zstSuffix, n.at(at, 1) + tmpSuffix, "x" + n.at(at, 1),
			n.stem + "-20261123T093000Z" + n.ext, n.stem + "-20261123T093000Z-1" + n.ext,
			n.stem + "-20261123T093000Z-00x1" + n.ext, n.stem + "-20261323T093000Z-0001" + n.ext,
			n.stem + "-20261123T093000-0001" + n.ext, n.stem + "-" + n.ext, n.stem + "--0001" + n.ext,
			n.stem + "-20261123T093000Z-0001-0001" + n.ext,
		} {
			if n.owns(foreign) {
				t.Errorf("%s: %q is taken for a rotated file", tc.file, foreign)
			}
		}
	}
}

// rotating returns a path and the configuration that rotates it at 10 bytes,
// by the test's clock.
func rotating(t *testing.T) (string, Config, *clock, *logBuffer) {
	path := filepath.Join(t.TempDir(), "flows.json")
	c, log := newClock(), new(logBuffer)
	return path, Config{Path: path, RotateSize: 10, Logger: log.logger(), now: c.now}, c, log
}

// expect compares a directory with what is to be in it.
func expect(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	slices.Sort(names)
	if got := listing(t, dir); !slices.Equal(got, names) {
		t.Fatalf("directory holds %q, want %q", got, names)
	}
	for name, text := range want {
		if got := contents(t, filepath.Join(dir, name)); got != text {
			t.Errorf("%s holds %q, want %q", name, got, text)
		}
	}
}

func TestRotateBySize(t *testing.T) {
	path, cfg, c, log := rotating(t)
	write(t, path, "old\n") // counts
	f := mustNew(t, cfg)
	mustWrite(t, f, "1234\n")                   // 9 bytes
	mustWrite(t, f, "5\n")                      // would be 11
	mustWrite(t, f, "12345678\n", "87654321\n") // each fits into a file, not both
	mustWrite(t, f, "x\n", "larger than a file\n", "y\n", "z\n", "12345\n")
	c.add(time.Second)
	mustWrite(t, f, "6\n")
	mustWrite(t, f, "7\n")
	f.Tick() // does not go by size
	expect(t, filepath.Dir(path), map[string]string{
		"flows-20461123T093000Z-0001.json": "old\n1234\n",
		"flows-20461123T093000Z-0002.json": "5\n",
		"flows-20461123T093000Z-0003.json": "12345678\n",
		"flows-20461123T093000Z-0004.json": "87654321\n",
		"flows-20461123T093000Z-0005.json": "x\n",
		"flows-20461123T093000Z-0006.json": "larger than a file\n",
		"flows-20461123T093001Z-0001.json": "y\nz\n12345\n",
		"flows.json":                       "6\n7\n",
	})
	if n := log.count("output rotated"); n != 7 {
		t.Errorf("%d rotations logged", n)
	}
}

// TestRotateSizeHolds: no file passes the size, whatever the batches, the file is as
// full as messages allow, and no message is torn, lost or moved.
func TestRotateSizeHolds(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var all strings.Builder
	next := func(limit int) string {
		m := strings.Repeat("x", rng.IntN(limit)) + fmt.Sprintf("%d\n", rng.IntN(10))
		all.WriteString(m)
		return m
	}
	for _, limit := range []int64{10, 64, 300} {
		cfg.RotateSize = limit
		f := mustNew(t, cfg)
		for range 40 {
			var messages []string
			for range 1 + rng.IntN(30) {
				messages = append(messages, next(int(limit)-1))
			}
			mustWrite(t, f, messages...)
		}
		f.Close()
		var files []string
		for _, name := range listing(t, filepath.Dir(path)) {
			text := contents(t, filepath.Join(filepath.Dir(path), name))
			if int64(len(text)) > limit {
				t.Fatalf("%s has %d bytes, more than %d", name, len(text), limit)
			}
			if name != filepath.Base(path) {
				files = append(files, text)
			}
		}
		files = append(files, contents(t, path))
		if got := strings.Join(files, ""); got != all.String() {
			t.Fatalf("size %d: the files hold %d bytes, not the %d written, or in another order", limit, len(got), all.Len())
		}
		for i := range len(files) - 1 {
			head, _, _ := strings.Cut(files[i+1], "\n")
			if int64(len(files[i])+len(head)+1) <= limit {
				t.Errorf("size %d: file %d of %d bytes has room for the next message of %d", limit, i, len(files[i]), len(head)+1)
			}
		}
		all.Reset()
		for _, name := range listing(t, filepath.Dir(path)) {
			os.Remove(filepath.Join(filepath.Dir(path), name))
		}
	}
}

func TestRotateByTime(t *testing.T) {
	path, cfg, c, _ := rotating(t)
	cfg.RotateSize, cfg.RotateInterval = 0, time.Hour
	f := mustNew(t, cfg)
	c.add(2 * time.Hour)
	f.Tick() // nothing was written
	mustWrite(t, f, "1\n")
	c.add(29 * time.Minute)
	f.Tick()
	mustWrite(t, f, "2\n")
	c.add(time.Minute) // 12:00
	f.Tick()
	f.Tick()
	c.add(10 * time.Hour)
	f.Tick() // still nothing in the new one
	mustWrite(t, f, "3\n")
	c.add(-3 * time.Hour) // the clock was set back
	mustWrite(t, f, "4\n")
	c.add(5 * time.Hour)
	mustWrite(t, f, "5\n") // without a tick before
	expect(t, filepath.Dir(path), map[string]string{
		"flows-20461123T120000Z-0001.json": "1\n2\n",
		"flows-20461124T000000Z-0001.json": "3\n4\n",
		"flows.json":                       "5\n",
	})
}

// TestRotateOldFile: a file from before the start belongs to the period of
// its last change.
func TestRotateOldFile(t *testing.T) {
	for _, tc := range []struct {
		age    time.Duration
		rotate bool
	}{{20 * time.Minute, false}, {40 * time.Minute, true}} {
		path, cfg, c, _ := rotating(t)
		cfg.RotateSize, cfg.RotateInterval = 0, time.Hour
		write(t, path, "old\n")
		mtime := c.now().Add(-tc.age)
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
		f := mustNew(t, cfg)
		mustWrite(t, f, "new\n")
		if rotated := len(listing(t, filepath.Dir(path))) == 2; rotated != tc.rotate {
			t.Errorf("age %v: rotated %v", tc.age, rotated)
		}
	}
}

func TestRotateNeverOverwrites(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	dir := filepath.Dir(path)
	want := map[string]string{
		"flows-20461123T093000Z-0001.json":     "foreign",
		"flows-20461123T093000Z-0002.json.zst": "foreign",
		"flows-20461123T093000Z-0004.json":     "foreign",
	}
	for name, text := range want {
		write(t, filepath.Join(dir, name), text)
	}
	f := mustNew(t, cfg)
	for _, m := range []string{"11111111\n", "22222222\n", "3\n"} {
		mustWrite(t, f, m)
	}
	want["flows-20461123T093000Z-0003.json"] = "11111111\n"
	want["flows-20461123T093000Z-0005.json"] = "22222222\n"
	want["flows.json"] = "3\n"
	expect(t, dir, want)
}

// TestRotateMovedAway: another program has moved the file and put its own
// there; that one is not renamed.
func TestRotateMovedAway(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	write(t, path, "x\n")
	mustWrite(t, f, "2\n")
	expect(t, filepath.Dir(path), map[string]string{
		"flows.json.moved": "11111111\n",
		"flows.json":       "x\n2\n",
	})
}

// TestRotateFails: the file at hand is written on, nothing is lost, and the
// log has one line at the beginning and one at the end.
func TestRotateFails(t *testing.T) {
	path, cfg, c, log := rotating(t)
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	// A name whose rotated form is too long cannot be renamed to.
	named := func(stem string) string {
		f.archive.mu.Lock() // the goroutines of the archive may be looking
		defer f.archive.mu.Unlock()
		old := f.archive.stem
		f.archive.stem = stem
		return old
	}
	good := named(strings.Repeat("x", 250))
	for range 5 {
		mustWrite(t, f, "2\n")
		c.add(retryRotation)
	}
	if n := log.count("rotation fails, still writing to the old file"); n != 1 {
		t.Errorf("failure logged %d times:\n%s", n, log)
	}
	named(good)
	mustWrite(t, f, "3\n")
	if n := log.count("rotation works again"); n != 1 {
		t.Errorf("recovery logged %d times:\n%s", n, log)
	}
	expect(t, filepath.Dir(path), map[string]string{
		"flows-20461123T093050Z-0001.json": "11111111\n2\n2\n2\n2\n2\n",
		"flows.json":                       "3\n",
	})
}

// TestRotateNoNewFile: the file is renamed, but a new one cannot be opened.
func TestRotateNoNewFile(t *testing.T) {
	path, cfg, c, log := rotating(t)
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	f.cfg.Path = filepath.Join(filepath.Dir(path), "missing", "flows.json")
	mustWrite(t, f, "2\n")
	expect(t, filepath.Dir(path), map[string]string{"flows.json": "11111111\n2\n"})
	f.cfg.Path = path
	c.add(retryRotation)
	mustWrite(t, f, "3\n")
	expect(t, filepath.Dir(path), map[string]string{
		"flows-20461123T093010Z-0001.json": "11111111\n2\n",
		"flows.json":                       "3\n",
	})
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors logged:\n%s", n, log)
	}
}

// TestRotateLink: the file that a link leads to is rotated, in its own folder.
func TestRotateLink(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "data.json"), path); err != nil {
		t.Fatal(err)
	}
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	mustWrite(t, f, "22222222\n")
	expect(t, dir, map[string]string{
		"data-20461123T093000Z-0001.json": "11111111\n",
		"data.json":                       "22222222\n",
	})
	// The link is led elsewhere: that counts from Reopen on.
	other := t.TempDir()
	os.Remove(path)
	if err := os.Symlink(filepath.Join(other, "more.json"), path); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "33333333\n")
	mustWrite(t, f, "4\n")
	expect(t, other, map[string]string{
		"more-20461123T093000Z-0001.json": "33333333\n",
		"more.json":                       "4\n",
	})
	if got := listing(t, filepath.Dir(path)); !slices.Equal(got, []string{"flows.json"}) {
		t.Errorf("next to the link there is %q", got)
	}
}

// TestRotateAndReopen: Reopen on the same file between rotations changes
// nothing.
func TestRotateAndReopen(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	f := mustNew(t, cfg)
	for _, m := range []string{"1\n", "2\n", "3\n", "4\n", "5\n", "6\n"} {
		mustWrite(t, f, m)
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, filepath.Dir(path), map[string]string{
		"flows-20461123T093000Z-0001.json": "1\n2\n3\n4\n5\n",
		"flows.json":                       "6\n",
	})
}
