package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// delimited returns message i with its length in front and the separator after it.
// Its size is up to some and now and then more than walkLengths reads at a time.
func delimited(i int, separator string) string {
	size := 1 + i*37%300
	if i%50 == 49 {
		size = walkChunk + i
	}
	body := bytes.Repeat([]byte{byte(i)}, size)
	return string(binary.AppendUvarint(nil, uint64(size))) + string(body) + separator
}

// split reads an output of messages to its end, one by one, and fails where it
// cannot.
func split(t testing.TB, data, separator string) (out []string) {
	t.Helper()
	for at := 0; at < len(data); {
		length, n := binary.Uvarint([]byte(data[at:]))
		end := at + n + int(length)
		if n <= 0 || length == 0 || end+len(separator) > len(data) || data[end:end+len(separator)] != separator {
			t.Fatalf("no message at byte %d of %d", at, len(data))
		}
		out = append(out, data[at:end+len(separator)])
		at = end + len(separator)
	}
	return out
}

// asides returns what was set aside of an output.
func asides(t testing.TB, path string) []string {
	t.Helper()
	var found []string
	for _, kind := range []string{".torn-", ".unfinished-"} {
		names, err := filepath.Glob(path + kind + "*")
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	return found
}

// setMark writes the mark of an output as a run leaves it that was killed.
func setMark(t testing.TB, path string, end int64) {
	t.Helper()
	target, err := openPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(target.fd)
	m, err := openMark(path, &target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	m.set(&target, end, 0)
}

// fastDir returns a directory in memory where there is one.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "weir-file-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestTornAtEveryByte cuts an output anywhere, as a kill does, with a mark anywhere
// before that and without: what is appended can be read, whole messages stay, and the
// rest is in another file.
func TestTornAtEveryByte(t *testing.T) {
	dir := fastDir(t)
	for _, separator := range []string{"", "--"} {
		var all []string
		for _, i := range []int{0, 5, 9, 0} { // lengths of one byte and of two
			all = append(all, delimited(i, separator))
		}
		whole := strings.Join(all, "")
		for cut := 0; cut <= len(whole); cut++ {
			kept, ends := 0, []int64{-1, 0} // -1: no mark
			for _, m := range all {
				end := ends[len(ends)-1] + int64(len(m))
				if end > int64(cut) {
					break
				}
				ends, kept = append(ends, end), kept+1
			}
			for _, mark := range []int64{-1, 0, ends[max(len(ends)/2, 1)], ends[len(ends)-1], int64(len(whole)) + 1} {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "flows.bin")
				write(t, path, whole[:cut])
				if mark >= 0 {
					setMark(t, path, mark)
				}
				f, err := New(Config{Path: path, LengthDelimited: true, Separator: separator})
				if err != nil {
					t.Fatalf("cut at %d, mark at %d: %v", cut, mark, err)
				}
				last := delimited(100, separator)
				mustWrite(t, f, last)
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				good := len(strings.Join(all[:kept], ""))
				want := append(slices.Clone(all[:kept]), last)
				if got := split(t, contents(t, path), separator); !slices.Equal(got, want) {
					t.Fatalf("cut at %d, mark at %d: %d messages, want %d", cut, mark, len(got), len(want))
				}
				tail := whole[good:cut]
				names := asides(t, path)
				if tail == "" && len(names) > 0 || tail != "" && (len(names) != 1 || contents(t, names[0]) != tail) {
					t.Fatalf("cut at %d, mark at %d: set aside %v, want the %d bytes of the torn message", cut, mark, names, len(tail))
				}
				if r := f.Repairs(); r.Bytes != uint64(len(tail)) || (r.Files > 0) != (tail != "") {
					t.Fatalf("cut at %d: repairs %+v, want %d bytes", cut, r, len(tail))
				}
			}
		}
	}
}

// TestWalkLengths compares with reading from the start, for messages of all sizes.
func TestWalkLengths(t *testing.T) {
	for _, separator := range []string{"", "\n"} {
		var whole bytes.Buffer
		var ends []int
		for i := range 120 {
			whole.WriteString(delimited(i, separator))
			ends = append(ends, whole.Len())
		}
		path := filepath.Join(t.TempDir(), "flows.bin")
		write(t, path, whole.String())
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		rng := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			from, to := ends[rng.IntN(len(ends))], rng.IntN(whole.Len()+1)
			if rng.IntN(3) == 0 {
				to = ends[rng.IntN(len(ends))]
			}
			want := from
			for _, end := range ends {
				if end <= to && end > want {
					want = end
				}
			}
			got, err := walkLengths(fd, int64(from), int64(max(from, to)), []byte(separator))
			if err != nil || got != int64(want) {
				t.Fatalf("from %d to %d: %d, want %d: %v", from, to, got, want, err)
			}
		}
	}
}

// TestZeros: what a failure of the machine may leave at the end is no message.
func TestZeros(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.bin")
	write(t, path, delimited(1, "")+strings.Repeat("\x00", 5000))
	f := mustNew(t, Config{Path: path, LengthDelimited: true})
	mustWrite(t, f, delimited(2, ""))
	f.Close()
	if got := split(t, contents(t, path), ""); len(got) != 2 {
		t.Errorf("%d messages, want 2", len(got))
	}
}

// TestNotOfThisFormat: a file of something else is kept under another name.
func TestNotOfThisFormat(t *testing.T) {
	for _, text := range []string{"{\"type\":\"NETFLOW_V5\"}\n", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		path := filepath.Join(t.TempDir(), "flows.bin")
		write(t, path, text)
		var log logBuffer
		f := mustNew(t, Config{Path: path, LengthDelimited: true, Logger: log.logger()})
		mustWrite(t, f, delimited(1, ""))
		f.Close()
		names := asides(t, path)
		if len(names) != 1 || contents(t, names[0]) != text || contents(t, path) != delimited(1, "") {
			t.Errorf("%q: set aside %v, the output holds %q", text, names, contents(t, path))
		}
		if log.count("output set aside") != 1 {
			t.Errorf("log:\n%s", log.String())
		}
	}
}

// TestLargeOutput: an output that is too large to be read is read from its mark on,
// and set aside where it has none.
func TestLargeOutput(t *testing.T) {
	for _, marked := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "flows.bin")
		const hole = 100 << 30
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		tail := delimited(1, "") + delimited(2, "")
		if _, err := out.WriteAt([]byte(tail+"\x09torn"), hole); err != nil {
			t.Skipf("no large file here: %v", err)
		}
		out.Close()
		if marked {
			setMark(t, path, hole)
		}
		began := time.Now()
		f := mustNew(t, Config{Path: path, LengthDelimited: true})
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the start took %v", took)
		}
		mustWrite(t, f, delimited(3, ""))
		f.Close()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(len(delimited(3, "")))
		if marked {
			want += hole + int64(len(tail))
		}
		if info.Size() != want || len(asides(t, path)) != 1 {
			t.Errorf("marked %v: the output has %d bytes, want %d; set aside %v", marked, info.Size(), want, asides(t, path))
		}
	}
}

// TestMarkedText: an output of messages that nobody can tell apart is cut at its mark
// after a crash, and left alone after an end in good order.
func TestMarkedText(t *testing.T) {
	for _, clean := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "flows.txt")
		cfg := Config{Path: path, Mark: true}
		f := mustNew(t, cfg)
		mustWrite(t, f, "a;", "b;")
		if clean {
			f.Close()
		}
		appendTo(t, path, "c")
		g := mustNew(t, cfg)
		mustWrite(t, g, "d;")
		g.Close()
		f.Close()
		want := "a;b;d;"
		if clean {
			want = "a;b;cd;" // somebody else's
		}
		if got := contents(t, path); got != want || (len(asides(t, path)) == 1) == clean {
			t.Errorf("closed %v: %q, want %q; set aside %v", clean, got, want, asides(t, path))
		}
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestMarkFollows: the mark is about the file in use and says where its last batch
// ends, through rotation and reopening; a closed output is not read again.
func TestMarkFollows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "flows.bin")
	f := mustNew(t, Config{Path: path, LengthDelimited: true, RotateSize: 1 << 20})
	check := func(what string, want string, wantClosed bool) {
		t.Helper()
		target, err := openPath(path)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(target.fd)
		if end, closed, ok := readMark(path, &target); !ok || end != int64(len(want)) || closed != wantClosed {
			t.Errorf("%s: the mark is at %d, closed %v, of this file %v; want %d", what, end, closed, ok, len(want))
		}
	}
	check("at the start", "", false)
	a, large := delimited(1, ""), delimited(49, "")
	mustWrite(t, f, a, a)
	check("after a batch", a+a, false)
	mustWrite(t, f, large)
	check("after a rotation", large, false)
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, a)
	check("reopened", a, false)
	if err := f.Reopen(); err != nil { // the same file
		t.Fatal(err)
	}
	mustWrite(t, f, a)
	f.Close()
	check("closed", a+a, true)
	if r := f.Repairs(); r != (Repairs{}) {
		t.Errorf("repairs %+v of an output in order", r)
	}
}

// TestTornThenRotated: an output that a crash has left is whole before rotation takes
// it away, compressed or not.
func TestTornThenRotated(t *testing.T) {
	for _, compress := range []string{CompressNone, CompressZstd} {
		path := filepath.Join(t.TempDir(), "flows.bin")
		clock := newClock()
		write(t, path, delimited(1, "\n")+delimited(2, "\n")[:20])
		old := clock.now().Add(-2 * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		f := mustNew(t, Config{Path: path, LengthDelimited: true, Separator: "\n", RotateInterval: time.Hour, Compress: compress, now: clock.now})
		mustWrite(t, f, delimited(3, "\n"))
		f.Close()
		if got := split(t, string(readRotated(t, path)), "\n"); !slices.Equal(got, []string{delimited(1, "\n"), delimited(3, "\n")}) {
			t.Errorf("%s: %d messages, want the two whole ones", compress, len(got))
		}
		if n := len(asides(t, path)); n != 1 {
			t.Errorf("%s: %d files set aside", compress, n)
		}
	}
}

// TestNoRoomAside: if the torn end cannot be copied, the whole file is kept under
// another name.
func TestNoRoomAside(t *testing.T) {
	message := func(i int) string { return delimited(i, "") }
	for _, lengths := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "flows.bin")
		clock := newClock()
		whole := message(1)
		text := whole + message(2)[:9]
		write(t, path, text)
		setMark(t, path, int64(len(whole)))
		torn := path + ".torn-" + clock.now().Format("20060102T150405.000000000Z")
		if err := os.WriteFile(torn, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		f := mustNew(t, Config{Path: path, LengthDelimited: lengths, Mark: true, now: clock.now})
		mustWrite(t, f, message(3))
		f.Close()
		if got := contents(t, path); got != message(3) {
			t.Errorf("lengths %v: the output has %d bytes, want the message written last", lengths, len(got))
		}
		kept := strings.Replace(torn, ".torn-", ".unfinished-", 1)
		if got := contents(t, kept); got != text {
			t.Errorf("lengths %v: %d bytes are kept of %d", lengths, len(got), len(text))
		}
	}
}

func BenchmarkWriteMarked(b *testing.B) {
	for _, mark := range []bool{false, true} {
		b.Run(fmt.Sprint("mark=", mark), func(b *testing.B) {
			f := mustNew(b, Config{Path: filepath.Join(fastDir(b), "flows.bin"), Mark: mark})
			batch := lines(0, 2000)
			b.SetBytes(int64(len(batch.Buf)))
			for n := 0; b.Loop(); n++ {
				if _, err := f.Write(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
				if n%100 == 0 {
					_ = unix.Ftruncate(f.out.fd, 0) // a failure costs memory only
				}
			}
		})
	}
}
