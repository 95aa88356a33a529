//go:build unix

package create

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPlanted puts a trap of each kind under the name that each function is about to
// use, in a folder of ours and in one that all may write to: nothing is written
// through it, and no call waits.
func TestPlanted(t *testing.T) {
	traps := map[string]func(victim, path string) error{
		"symlink":          os.Symlink,
		"dangling symlink": func(victim, path string) error { return os.Symlink(victim+".new", path) },
		"hard link":        os.Link,
		"fifo":             func(_, path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder":           func(_, path string) error { return os.Mkdir(path, 0o755) },
	}
	writes := func(f *os.File, err error) error {
		if err != nil {
			return err
		}
		_, err = f.WriteString("written")
		return errors.Join(err, f.Close())
	}
	calls := map[string]func(path string) error{
		"Exclusive": func(p string) error { return writes(Exclusive(p, 0o600)) },
		"Fresh":     func(p string) error { return writes(Fresh(p, 0o600)) },
		"Own":       func(p string) error { return writes(Own(p, 0o600)) },
		"Read": func(p string) error {
			f, err := Read(p)
			if err == nil {
				f.Close()
			}
			return err
		},
		"WriteFile": func(p string) error { return WriteFile(p, []byte("written"), 0o600) },
	}
	// What may be done nonetheless: true in a folder of ours, where nobody else can
	// have put it; Fresh removes what stands there.
	allowed := func(call, trap string, ours bool) bool {
		switch {
		case call == "Fresh":
			return trap != "folder"
		case trap == "hard link":
			return ours && call != "Exclusive"
		case call == "WriteFile":
			return (trap == "symlink" || trap == "dangling symlink") && ours
		}
		return false
	}
	for trap, plant := range traps {
		for name, call := range calls {
			for _, mode := range []fs.FileMode{0o755, 0o777, 0o777 | fs.ModeSticky} {
				if name == "WriteFile" && trap == "fifo" {
					continue // the operator may name one, and waits for its reader
				}
				dir := t.TempDir()
				if err := os.Chmod(dir, mode); err != nil {
					t.Fatal(err)
				}
				victim, path := filepath.Join(t.TempDir(), "victim"), filepath.Join(dir, "file")
				if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := plant(victim, path); err != nil {
					t.Fatal(err)
				}
				// Somebody else's, where this can be said.
				if os.Geteuid() == 0 && mode.Perm() == 0o777 {
					if err := os.Lchown(path, 12345, 12345); err != nil {
						t.Fatal(err)
					}
				}
				foreign := os.Geteuid() == 0 && mode.Perm() == 0o777
				err := call(path)
				ours := !foreign && mode.Perm() != 0o777
				if !foreign && mode.Perm() == 0o777 && name == "WriteFile" {
					continue // our own link: only a test as root can have another's
				}
				if ok := allowed(name, trap, ours); ok != (err == nil) {
					t.Errorf("%s, %s in a folder of mode %v: %v", name, trap, mode, err)
				}
				text, rerr := os.ReadFile(victim)
				_, nerr := os.Lstat(victim + ".new")
				if rerr != nil || !ours && (string(text) != "precious" || nerr == nil) {
					t.Errorf("%s, %s in a folder of mode %v: the victim has %q, %v", name, trap, mode, text, rerr)
				}
			}
		}
	}
}

// TestWhatIsThere: without traps all works, and what an operator may name is opened.
func TestWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b")
	if err := Folder(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := Folder(path, 0o750); err != nil {
		t.Error(err)
	}
	file := filepath.Join(path, "file")
	for _, want := range []error{nil, fs.ErrExist} {
		f, err := Exclusive(file, 0o600)
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if err == nil {
			f.Close()
		}
	}
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return Own(file, 0o600) },
		func() (*os.File, error) { return Own(file+".new", 0o600) },
		func() (*os.File, error) { return Fresh(file, 0o600) },
		func() (*os.File, error) { return Temp(path, "x*") },
		func() (*os.File, error) { return Read(file) },
		func() (*os.File, error) { return Input(file) },
		func() (*os.File, error) { return Output(file, os.O_WRONLY, 0o600) },
		func() (*os.File, error) { return Output(os.DevNull, os.O_WRONLY, 0o600) },
	} {
		f, err := open()
		if err != nil {
			t.Error(err)
			continue
		}
		f.Close()
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestPlantedMeanwhile: a file that another user made between the check of a free name
// and the open is refused.
func TestPlantedMeanwhile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test needs root, to make files of another user; try again with sudo")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	care, err := CheckOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chown(path, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|care, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := checkOpened(f, path, care); !errors.Is(err, ErrForeign) {
		t.Errorf("the file of another user: %v, want %v", err, ErrForeign)
	}
	if err := CheckOpenedFd(int(f.Fd()), path, care); !errors.Is(err, ErrForeign) {
		t.Errorf("the descriptor of another user's file: %v, want %v", err, ErrForeign)
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := checkOpened(f, path, care); err != nil {
		t.Errorf("our own file: %v", err)
	}
}

// TestDir: what is no regular file is neither listed nor removed, a folder is the one that
// was opened even if another took its name, and names do not lead out of it.
func TestDir(t *testing.T) {
	parent := t.TempDir()
	dir, victim := filepath.Join(parent, "dir"), filepath.Join(parent, "victim")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(victim, []byte("precious"), 0o600),
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.Symlink(victim, filepath.Join(dir, "link")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o755), syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if names, err := d.Regular(); err != nil || len(names) != 1 || names[0] != "file" {
		t.Errorf("regular files: %q, %v", names, err)
	}
	for _, name := range []string{"link", "folder", "fifo"} {
		if err := d.Remove(name); !errors.Is(err, ErrForeign) {
			t.Errorf("remove %s: %v", name, err)
		}
	}
	for _, name := range []string{"../victim", "missing"} {
		if err := d.Remove(name); err == nil {
			t.Errorf("remove %s: no error", name)
		}
	}
	other := filepath.Join(parent, "other")
	if err := errors.Join(os.Rename(dir, other), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove("file"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]bool{victim: true, filepath.Join(dir, "file"): true, filepath.Join(other, "file"): false, filepath.Join(other, "link"): true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
