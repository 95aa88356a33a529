package state

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/internal/create"
)

// What a file begins with.
const (
	formatName    = "weir-state"
	formatVersion = 1
)

// maxFile is the size of a file that is read. What the limits of the tables
// allow is far below.
const maxFile = 2 << 30

// A Section is a named part of the file.
type Section struct {
	Name string
	// Save writes the section's present content as one JSON value. It is
	// called by one goroutine, while others work with the content.
	Save func(w io.Writer) error
	// Load reads the one JSON value that Save wrote, off dec. What it makes
	// of a value that it did not write is an error.
	Load func(dec *json.Decoder) error
	// Changes returns a number that changes when the content did and is to be
	// saved within a second; nil for content that need not be.
	Changes func() uint64
}

// Errors of a file that is set aside.
var (
	// ErrForeign: the file is none of weir's.
	ErrForeign = errors.New("not a state file of weir")
	// ErrNewer: a newer weir wrote it.
	ErrNewer = errors.New("written by a newer version of weir")
	// ErrDamaged: it is not whole, or not as it was written.
	ErrDamaged = errors.New("damaged")
)

// tailLen is the length of the checksum at the end, and what goes with it.
const tailLen = len(`,"crc32c":"00000000"}` + "\n")

func tail(sum uint32) string { return fmt.Sprintf(",\"crc32c\":\"%08x\"}\n", sum) }

func table() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Write writes the sections to w in the format of the file.
func Write(w io.Writer, sections []Section, now time.Time) error {
	sum := crc32.New(table())
	b := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	fmt.Fprintf(b, "{\"format\":%q,\"version\":%d,\"saved\":%q,\"sections\":{", formatName, formatVersion, now.UTC().Format(time.RFC3339Nano))
	for i, s := range sections {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "\n%q:", s.Name)
		if err := s.Save(b); err != nil {
			return fmt.Errorf("save %s: %w", s.Name, err)
		}
	}
	b.WriteString("\n}")
	if err := b.Flush(); err != nil { // the error of any write above
		return err
	}
	_, err := io.WriteString(w, tail(sum.Sum32()))
	return err
}

// Read loads the sections from a file of size bytes. Sections that are unknown
// are left out. An error is one of ErrForeign, ErrNewer, ErrDamaged, of reading,
// or of a section, which may have loaded a part.
func Read(r io.ReadSeeker, size int64, sections []Section) error {
	dec := json.NewDecoder(bufio.NewReader(r))
	if err := readHead(dec); err != nil {
		return err
	}
	if size > maxFile {
		return fmt.Errorf("%w: %d bytes", ErrDamaged, size)
	}
	if err := checkSum(r, size); err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dec = json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	if err := readHead(dec); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return damaged(err)
		}
		if key == "sections" {
			if err := readSections(dec, sections); err != nil {
				return err
			}
			continue
		}
		var other json.RawMessage
		if err := dec.Decode(&other); err != nil {
			return damaged(err)
		}
	}
	return nil
}

func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// readHead reads the format and the version, which stand first.
func readHead(dec *json.Decoder) error {
	var got [5]json.Token
	for i := range got {
		t, err := dec.Token()
		if err != nil {
			if i > 2 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
				return damaged(err)
			}
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
		got[i] = t
		if i == 2 && (got[0] != json.Delim('{') || got[1] != "format" || got[2] != formatName) {
			return ErrForeign
		}
	}
	version, ok := got[4].(float64)
	switch {
	case got[3] != "version" || !ok:
		return ErrForeign
	case version > formatVersion:
		return fmt.Errorf("%w: version %v", ErrNewer, version)
	case version != formatVersion:
		return ErrForeign
	}
	return nil
}

// checkSum compares the checksum at the end with what is before it.
func checkSum(r io.ReadSeeker, size int64) error {
	if size < int64(tailLen) {
		return fmt.Errorf("%w: cut short", ErrDamaged)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := crc32.New(table())
	if _, err := io.CopyN(sum, r, size-int64(tailLen)); err != nil {
		return err
	}
	end, err := io.ReadAll(io.LimitReader(r, int64(tailLen)+1))
	if err != nil {
		return err
	}
	if string(end) != tail(sum.Sum32()) {
		return fmt.Errorf("%w: cut short, or the checksum is another", ErrDamaged)
	}
	return nil
}

// readSections reads the object of sections.
func readSections(dec *json.Decoder, sections []Section) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: no sections", ErrDamaged)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return damaged(err)
		}
		load := skip
		for i := range sections {
			if sections[i].Name == name {
				load = sections[i].Load
			}
		}
		if err := load(dec); err != nil {
			return fmt.Errorf("load %v: %w", name, err)
		}
	}
	_, err := dec.Token()
	return err
}

// skip reads a section that is not known.
func skip(dec *json.Decoder) error {
	var v json.RawMessage
	return dec.Decode(&v)
}

// write replaces the file by what the sections hold now: whole, or not at all. With
// durable it is on the disk afterwards.
func write(path string, sections []Section, now time.Time, durable bool) (size int64, err error) {
	dir, base := filepath.Split(path)
	f, err := create.Temp(filepath.Clean(dir), "."+base+tempPattern)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			// The first error counts.
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := Write(f, sections, now); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return 0, err
	}
	if !durable {
		return size, nil
	}
	return size, syncDir(filepath.Clean(dir))
}

const tempPattern = ".*.tmp"

// syncDir has the folder's entries on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// setAside renames a file that cannot be used, and returns its new name.
func setAside(path string, why error, now time.Time) (string, error) {
	kind := "damaged"
	switch {
	case errors.Is(why, ErrForeign):
		kind = "foreign"
	case errors.Is(why, ErrNewer):
		kind = "newer"
	}
	name := path + "." + kind + "-" + now.UTC().Format("20060102T150405Z")
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name, os.Rename(path, name)
		}
		name = fmt.Sprintf("%s.%s-%s-%d", path, kind, now.UTC().Format("20060102T150405Z"), i)
	}
}
