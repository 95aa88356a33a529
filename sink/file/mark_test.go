package file

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStaleMark: another program wrote the same file again after weir stopped or was
// killed. Its messages stay, whether the mark lies in the middle of one or not.
func TestStaleMark(t *testing.T) {
	message := func(n int, c byte) string { return string(append([]byte{byte(n)}, bytes.Repeat([]byte{c}, n)...)) }
	for _, killed := range []bool{false, true} {
		for _, delimited := range []bool{false, true} {
			for _, theirs := range []string{
				strings.Repeat(message(36, 0xff), 30), // the mark is in the middle of a message
				strings.Repeat(message(10, 'b'), 30),  // between two
				strings.Repeat(message(10, 'a'), 5),   // after the end
				message(120, 'a'),                     // the last bytes before the mark are the same
			} {
				if killed && !delimited && len(theirs) == 121 {
					continue // nothing tells it from what a crash leaves
				}
				path := filepath.Join(t.TempDir(), "flows.bin")
				cfg := Config{Path: path, Mark: true, LengthDelimited: delimited}
				f := mustNew(t, cfg)
				mustWrite(t, f, message(109, 'a'))
				if !killed {
					f.Close()
				}
				if err := os.WriteFile(path, []byte(theirs), 0o644); err != nil {
					t.Fatal(err)
				}
				g := mustNew(t, cfg)
				if got := contents(t, path); got != theirs || len(asides(t, path)) > 0 {
					t.Errorf("killed %v, lengths %v: %d of %d bytes left, set aside %v", killed, delimited, len(got), len(theirs), asides(t, path))
				}
				g.Close()
				f.Close()
			}
		}
	}
}

// TestMarkIdle: a run that writes nothing closes the mark at the end of the output, and
// what another program appends after it stays.
func TestMarkIdle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.json")
	cfg := Config{Path: path, Mark: true}
	f := mustNew(t, cfg)
	mustWrite(t, f, `{"a":1}`)
	f.Close()
	mustNew(t, cfg).Close()
	out, err := openPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out.fd)
	if end, closed, ok := readMark(path, &out); !ok || !closed || end != 7 {
		t.Errorf("the mark is at %d, closed %v, valid %v; want 7", end, closed, ok)
	}
	appendTo(t, path, `{"other":1}`)
	mustNew(t, cfg).Close()
	if got, want := contents(t, path), `{"a":1}{"other":1}`; got != want {
		t.Errorf("the output is %q, want %q", got, want)
	}
}

// TestMarkOtherDevice: the mark holds when the device of the output has another number,
// as it may have after a reboot.
func TestMarkOtherDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.txt")
	write(t, path, "a;b;c")
	out, err := openPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out.fd)
	m, err := openMark(path, &out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	before := out
	before.dev++
	m.set(&before, 4, 0)
	if end, _, ok := readMark(path, &out); !ok || end != 4 {
		t.Errorf("the mark is at %d, valid %v; want 4", end, ok)
	}
}

// TestTornReopened: the rest of a message is not written after its beginning was cut off.
func TestTornReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.txt")
	f := mustNew(t, Config{Path: path, Mark: true, Separator: ";"})
	mustWrite(t, f, "a;")
	appendTo(t, path, "be") // as a write that the disk had no room for
	f.torn = []byte("gun;")
	again, err := f.openTarget()
	if err != nil {
		t.Fatal(err)
	}
	f.adopt(again)
	mustWrite(t, f, "c;")
	f.Close()
	if got := contents(t, path); got != "a;c;" {
		t.Errorf("the output is %q, want %q", got, "a;c;")
	}
}
