package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/retain"
)

// rotatedAt returns the name of the file flows.json rotated that long before the clock's
// beginning.
func rotatedAt(before time.Duration, seq int) string {
	n := names{stem: "flows", ext: ".json"}
	return n.at(newClock().now().Add(-before), seq)
}

// keeping rotates flows.json in a folder of its own with these limits.
func keeping(t *testing.T, keep Keep) (string, Config, *logBuffer) {
	path, cfg, _, log := rotating(t)
	cfg.Keep = keep
	return path, cfg, log
}

// gone waits until the names are gone.
func gone(t *testing.T, dir string, names ...string) {
	t.Helper()
	eventually(t, "the deletion of "+strings.Join(names, ", "), func() bool {
		return !slices.ContainsFunc(names, func(name string) bool { return exists(filepath.Join(dir, name)) })
	})
}

func TestKeepCount(t *testing.T) {
	for _, compress := range []string{CompressNone, CompressZstd} {
		t.Run(compress, func(t *testing.T) {
			path, cfg, log := keeping(t, Keep{Limits: retain.Limits{Count: 3}})
			cfg.Compress = compress
			f := mustNew(t, cfg)
			for i := range 10 {
				mustWrite(t, f, fmt.Sprintf("message%d\n", i))
			}
			f.Close()
			if got := string(readRotated(t, path)); got != "message6\nmessage7\nmessage8\nmessage9\n" {
				t.Errorf("kept %q\n%s", got, log)
			}
			k := f.Kept()
			if k.Rotations != 9 || k.Files != 3 || k.Deleted[retain.Count] != 6 || k.Failures != 0 {
				t.Errorf("%+v", k)
			}
			if compress == CompressNone && (k.Bytes != 27 || k.DeletedBytes[retain.Count] != 54) {
				t.Errorf("%+v", k)
			}
			if n := log.count(`rotated files are deleted beyond a limit, oldest first" keep="3 files"`); n != 1 {
				t.Errorf("limits logged %d times:\n%s", n, log)
			}
			if n := log.count("level=ERROR"); n != 0 {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestKeepBytes(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Bytes: 20}})
	f := mustNew(t, cfg)
	for i := range 5 {
		mustWrite(t, f, fmt.Sprintf("message%d\n", i))
	}
	f.Close()
	if got := string(readRotated(t, path)); got != "message2\nmessage3\nmessage4\n" {
		t.Errorf("kept %q", got)
	}
	if k := f.Kept(); k.Bytes != 18 || k.Deleted[retain.Bytes] != 2 {
		t.Errorf("%+v", k)
	}
}

// TestKeepAge: files that earlier runs left are deleted at the start, by the time in
// their names, compressed or not.
func TestKeepAge(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Age: 24 * time.Hour}})
	dir := filepath.Dir(path)
	old := []string{rotatedAt(25*time.Hour, 1), rotatedAt(24*time.Hour, 12345) + zstSuffix, rotatedAt(240*time.Hour, 1)}
	young := []string{rotatedAt(23*time.Hour, 1), rotatedAt(0, 1) + zstSuffix, rotatedAt(-time.Hour, 1)}
	for _, name := range slices.Concat(old, young) {
		write(t, filepath.Join(dir, name), "x\n")
	}
	mustNew(t, cfg).Close()
	want := append(slices.Clone(young), "flows.json")
	slices.Sort(want)
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

// TestKeepSparesOthers: limits that leave no rotated file do not touch what rotation did not
// make, whatever it is called, nor what a link leads to.
func TestKeepSparesOthers(t *testing.T) {
	path, cfg, log := keeping(t, Keep{Limits: retain.Limits{Age: time.Minute}, Free: option.Space{Percent: 99}})
	dir, stamp := filepath.Dir(path), "20461122T093000Z"
	elsewhere := filepath.Join(t.TempDir(), "precious")
	write(t, elsewhere, "precious")
	for _, name := range []string{
		"flows", "flows.json.zst", "flows-old.json", "flows-.json", "flows--0001.json", "flows-" + stamp + ".json",
		"flows-" + stamp + "-1.json", "flows-" + stamp + "-001.json", "flows-" + stamp + "-00001.json", "flows-" + stamp + "-0000.json",
		"flows-" + stamp + "-100000.json", "flows-" + stamp + "-+001.json", "flows-" + stamp + "--001.json", "flows-" + stamp + "-0x01.json",
		"flows-20461122T093000.5Z-0001.json", "flows-20461122T093000.000Z-0001.json", "flows-20461322T093000Z-0001.json",
		"flows-20461122T093000+0000-0001.json", "flows-2046-11-22-0001.json", "flows-" + stamp + "-0001.txt", "flows-" + stamp + "-0001",
		"flows-" + stamp + "-0001.json.gz", "flows-" + stamp + "-0001.json.zst.old", "flows-" + stamp + "-0001.json.zst.zst",
		"flows-" + stamp + "-0001.json~", "flows-" + stamp + "-0001-0002.json", "Flows-" + stamp + "-0001.json", "xflows-" + stamp + "-0001.json",
		"flows-a-" + stamp + "-0001.json", " flows-" + stamp + "-0001.json", "flows-" + stamp + "-0001.json ", ".flows-" + stamp + "-0001.json",
		"flows.json.torn-20461122T093000.000000000Z", "flows.json.unfinished-20461122T093000.000000000Z", ".flows.json.end",
	} {
		write(t, filepath.Join(dir, name), "precious")
	}
	at := func(seq int) string { return filepath.Join(dir, rotatedAt(time.Hour, seq)) }
	for i, err := range []error{
		os.Mkdir(at(101), 0o755), os.Symlink(elsewhere, at(102)), os.Symlink("missing", at(103)), os.Symlink(dir, at(104)),
		os.Symlink(elsewhere, at(105)+zstSuffix), syscall.Mkfifo(at(106), 0o644),
	} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	write(t, path, "now\n")
	if err := os.Link(path, at(107)); err != nil { // the file that is written, under another name
		t.Fatal(err)
	}
	before := listing(t, dir)
	doomed := []string{rotatedAt(time.Hour, 1), rotatedAt(time.Hour, 2) + zstSuffix}
	for _, name := range doomed {
		write(t, filepath.Join(dir, name), "x\n")
	}
	f := mustNew(t, cfg)
	gone(t, dir, doomed...)
	f.Close()
	if got := listing(t, dir); !slices.Equal(got, before) {
		for _, name := range before {
			if !slices.Contains(got, name) {
				t.Errorf("%q was deleted\n%s", name, log)
			}
		}
		t.Errorf("the folder has %q", got)
	}
	if contents(t, elsewhere) != "precious" || contents(t, path) != "now\n" {
		t.Error("what a link leads to, or the output, was changed")
	}
}

// TestKeepLinkedOutput: the output is a link to a file whose name looks like a rotated
// one. It is the file being written all the same.
func TestKeepLinkedOutput(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Count: 1}})
	dir := filepath.Dir(path)
	// Names are those of the file that the link leads to.
	real := filepath.Join(dir, "data-20461101T000000Z-0001-20461101T000000Z-0001.json")
	if err := os.Symlink(real, path); err != nil {
		t.Fatal(err)
	}
	f := mustNew(t, cfg)
	for i := range 4 {
		mustWrite(t, f, fmt.Sprintf("message%d\n", i))
	}
	f.Close()
	if contents(t, real) != "message3\n" {
		t.Errorf("the output holds %q", contents(t, real))
	}
	if got := listing(t, dir); len(got) != 3 {
		t.Errorf("the folder has %q", got)
	}
}

// TestKeepWriting: after a rotation that failed half way, the file that is written has a
// rotated name, and is not deleted.
func TestKeepWriting(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Age: time.Minute}})
	dir := filepath.Dir(path)
	f := mustNew(t, cfg)
	mustWrite(t, f, "1\n")
	old, other := rotatedAt(time.Hour, 1), rotatedAt(time.Hour, 2)
	f.archive.mu.Lock()
	if err := os.Rename(path, filepath.Join(dir, old)); err != nil {
		t.Fatal(err)
	}
	f.archive.writing = old
	f.archive.mu.Unlock()
	write(t, filepath.Join(dir, other), "2\n")
	f.archive.ring()
	gone(t, dir, other)
	mustWrite(t, f, "3\n")
	if got := contents(t, filepath.Join(dir, old)); got != "1\n3\n" {
		t.Errorf("the output holds %q", got)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	gone(t, dir, old)
}

// TestKeepBothForms: a file and its compressed form count as one, and go together.
func TestKeepBothForms(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Count: 1}})
	dir := filepath.Dir(path)
	old, young := rotatedAt(2*time.Hour, 1), rotatedAt(time.Hour, 1)
	for _, name := range []string{old, old + zstSuffix, young, young + zstSuffix} {
		write(t, filepath.Join(dir, name), "12345678\n")
	}
	f := mustNew(t, cfg)
	f.Close()
	if got := listing(t, dir); !slices.Equal(got, []string{young, young + zstSuffix, "flows.json"}) {
		t.Errorf("the folder has %q", got)
	}
	if k := f.Kept(); k.Files != 1 || k.Bytes != 18 || k.Deleted[retain.Count] != 1 || k.DeletedBytes[retain.Count] != 18 {
		t.Errorf("%+v", k)
	}
}

// TestKeepWhileCompressing: a file that is deleted while it is compressed leaves nothing.
func TestKeepWhileCompressing(t *testing.T) {
	path, cfg, log := keeping(t, Keep{})
	dir := filepath.Dir(path)
	f := mustNew(t, cfg)
	name := rotatedAt(time.Hour, 1)
	write(t, filepath.Join(dir, name), "1\n")
	a := f.archive
	a.setCompressing(name)
	a.mu.Lock()
	a.care.Keep.Age = time.Minute
	a.mu.Unlock()
	a.ring()
	gone(t, dir, name)
	write(t, filepath.Join(dir, name+tmpSuffix), "half")
	if err := a.finishCompressed(filepath.Join(dir, name+tmpSuffix), filepath.Join(dir, name+zstSuffix)); err != errDoomed {
		t.Errorf("finished: %v", err)
	}
	if _, err := (abortable{strings.NewReader("x"), &a.doomed}).Read(make([]byte, 1)); err != errDoomed {
		t.Errorf("read on: %v", err)
	}
	a.setCompressing("")
	if a.doomed.Load() {
		t.Error("the next file is doomed too")
	}
	if n := log.count("level=ERROR"); n != 0 {
		t.Errorf("log:\n%s", log)
	}
}

// TestKeepNotDeletable: a file that cannot be deleted is counted and logged once, and the
// bound holds with the others.
func TestKeepNotDeletable(t *testing.T) {
	path, cfg, log := keeping(t, Keep{Limits: retain.Limits{Count: 2}})
	dir := filepath.Dir(path)
	// Another user's file in a folder that all may write to.
	if os.Geteuid() != 0 {
		needRoot(t, errors.New("not root, which may give files to another user"))
	}
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	foreign := rotatedAt(2*time.Hour, 1)
	write(t, filepath.Join(dir, foreign), "x\n")
	if err := os.Chown(filepath.Join(dir, foreign), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	f := mustNew(t, cfg)
	for i := range 8 {
		mustWrite(t, f, fmt.Sprintf("message%d\n", i))
	}
	f.Close()
	if !exists(filepath.Join(dir, foreign)) {
		t.Error("another user's file was deleted")
	}
	if got := listing(t, dir); len(got) != 3 {
		t.Errorf("the folder has %q", got)
	}
	if f.Kept().Failures == 0 || log.count("deleting a rotated file failed") != 1 {
		t.Errorf("%+v\n%s", f.Kept(), log)
	}
}

// TestKeepDirLinks: files in a folder that a link leads to stay.
func TestKeepDirLinks(t *testing.T) {
	path, cfg, _ := keeping(t, Keep{Limits: retain.Limits{Age: time.Minute}})
	other := t.TempDir()
	victim := filepath.Join(other, rotatedAt(time.Hour, 1))
	write(t, victim, "precious")
	if err := os.Symlink(other, filepath.Join(filepath.Dir(path), rotatedAt(time.Hour, 2))); err != nil {
		t.Fatal(err)
	}
	mustNew(t, cfg).Close()
	if !exists(victim) {
		t.Error("a file behind a link was deleted")
	}
}
