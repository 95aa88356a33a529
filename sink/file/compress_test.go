package file

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	first  = "flows-20461123T093000Z-0001.json"
	second = "flows-20461123T093000Z-0002.json"
	third  = "flows-20461123T093000Z-0003.json"
)

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestCompress(t *testing.T) {
	path, cfg, _, log := rotating(t)
	cfg.Compress = CompressZstd
	dir := filepath.Dir(path)
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	mode := os.FileMode(0o640)
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	mtime := time.Date(2046, 11, 23, 9, 29, 59, 0, time.UTC)
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "22222222\n")
	eventually(t, "compression in the background", func() bool {
		return exists(filepath.Join(dir, first+".zst")) && !exists(filepath.Join(dir, first))
	})
	mustWrite(t, f, "3\n")
	f.Close()
	if got := string(readRotated(t, path)); got != "11111111\n22222222\n3\n" {
		t.Errorf("output is %q", got)
	}
	if got := listing(t, dir); len(got) != 3 || got[0] != first+".zst" || got[1] != second+".zst" {
		t.Errorf("directory holds %q", got)
	}
	info, err := os.Stat(filepath.Join(dir, first+".zst"))
	if err != nil || info.Mode().Perm() != mode || !info.ModTime().Equal(mtime) {
		t.Errorf("mode %v, time %v, %v", info.Mode(), info.ModTime(), err)
	}
	if n := log.count("level=ERROR"); n != 0 {
		t.Errorf("log:\n%s", log)
	}
}

// TestCompressLeftovers starts where a crash has left off.
func TestCompressLeftovers(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	cfg.Compress = CompressZstd
	dir := filepath.Dir(path)
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at(first), "1\n")             // never begun
	write(t, at(first+".zst.tmp"), "half") // begun
	write(t, at(second), "2\n")            // all but the removal was done
	write(t, at(second+".zst"), "of an earlier run")
	write(t, at(third+".zst.tmp"), "half") // its original is gone
	foreign := map[string]string{
		"flows-2046.json":                          "foreign",
		"flows-old.json.zst.tmp":                   "foreign",
		"other-20461123T093000Z-0001.json":         "foreign",
		"other-20461123T093000Z-0001.json.zst.tmp": "foreign",
		"flows-20461123T093000Z-0001.txt":          "foreign",
	}
	for name, text := range foreign {
		write(t, at(name), text)
	}
	if err := os.Mkdir(at("flows-20461123T093000Z-0009.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, "3\n")
	f := mustNew(t, cfg)
	f.Close()

	for name, text := range foreign {
		if got := contents(t, at(name)); got != text {
			t.Errorf("%s holds %q", name, got)
		}
	}
	for name, text := range map[string]string{first: "1\n", second: "2\n"} {
		if exists(at(name)) {
			t.Errorf("%s is still there", name)
		}
		if got := string(unzstd(t, []byte(contents(t, at(name+".zst"))))); got != text {
			t.Errorf("%s.zst holds %q", name, got)
		}
	}
	for _, name := range []string{first + ".zst.tmp", third + ".zst.tmp"} {
		if exists(at(name)) {
			t.Errorf("%s is still there", name)
		}
	}
	if got := contents(t, path); got != "3\n" {
		t.Errorf("the output holds %q", got)
	}
}

// TestCompressFails: a file that cannot be compressed stays, is logged once,
// and is tried again with the next.
func TestCompressFails(t *testing.T) {
	path, cfg, _, log := rotating(t)
	cfg.Compress = CompressZstd
	dir := filepath.Dir(path)
	obstacle := filepath.Join(dir, first+".zst.tmp")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	mustWrite(t, f, "22222222\n")
	eventually(t, "the failure", func() bool { return log.count("compressing a rotated file failed") == 1 })
	mustWrite(t, f, "33333333\n")
	eventually(t, "compression of the second", func() bool { return exists(filepath.Join(dir, second+".zst")) })
	if !exists(filepath.Join(dir, first)) {
		t.Fatal("the first is gone")
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got := string(readRotated(t, path)); got != "11111111\n22222222\n33333333\n" || exists(filepath.Join(dir, first)) {
		t.Errorf("output is %q", got)
	}
	if n := log.count("compressing a rotated file failed"); n != 1 {
		t.Errorf("failure logged %d times", n)
	}
}

// TestCompressSparesOutput: a file that is still written under its rotated
// name is left alone.
func TestCompressSparesOutput(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	cfg.Compress = CompressZstd
	dir := filepath.Dir(path)
	f := mustNew(t, cfg)
	mustWrite(t, f, "1\n")
	f.archive.mu.Lock()
	if err := os.Rename(path, filepath.Join(dir, first)); err != nil {
		t.Fatal(err)
	}
	f.archive.writing = first
	f.archive.mu.Unlock()
	write(t, filepath.Join(dir, second), "2\n")
	f.archive.ring()
	eventually(t, "compression of the other", func() bool { return exists(filepath.Join(dir, second+".zst")) })
	mustWrite(t, f, "3\n")
	if got := contents(t, filepath.Join(dir, first)); got != "1\n3\n" {
		t.Errorf("the output holds %q", got)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "compression after the reopen", func() bool { return exists(filepath.Join(dir, first+".zst")) })
}

// TestCompressDoesNotFollow: a link under the name of the unfinished file is removed,
// and what it leads to stays as it is.
func TestCompressDoesNotFollow(t *testing.T) {
	path, cfg, _, _ := rotating(t)
	cfg.Compress = CompressZstd
	dir := filepath.Dir(path)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, first+tmpSuffix)); err != nil {
		t.Fatal(err)
	}
	f := mustNew(t, cfg)
	mustWrite(t, f, "11111111\n")
	mustWrite(t, f, "22222222\n")
	eventually(t, "compression in the background", func() bool {
		return exists(filepath.Join(dir, first+".zst")) && !exists(filepath.Join(dir, first))
	})
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the victim has %q, %v", text, err)
	}
	if exists(filepath.Join(dir, first+tmpSuffix)) {
		t.Error("the link is still there")
	}
}
