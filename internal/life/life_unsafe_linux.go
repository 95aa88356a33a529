package life

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/create"
)

const pageBytes = int(unsafe.Sizeof(page{}))

// Open returns what the last process left in a file, and the page of this one, whose file
// takes that one's place. If only the new file cannot be made, Previous is valid all the
// same.
func Open(path string) (Previous, *Page, error) {
	boot := bootID()
	previous, err := read(path, boot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Previous{}, nil, fmt.Errorf("read %s: %w", path, err)
	}
	p, err := replace(path)
	if err != nil {
		return previous, nil, fmt.Errorf("make %s: %w", path, err)
	}
	p.page.version.Store(version)
	p.page.boot[0].Store(boot[0])
	p.page.boot[1].Store(boot[1])
	p.page.magic.Store(magic)
	return previous, p, nil
}

// read reads the file. One of another size or version says nothing.
func read(path string, boot [2]uint64) (Previous, error) {
	f, err := create.Input(path)
	if err != nil {
		return Previous{}, err
	}
	defer f.Close()
	old := new(page)
	b, err := io.ReadAll(io.LimitReader(f, int64(pageBytes)+1))
	if err != nil || len(b) != pageBytes {
		return Previous{}, err
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(old)), pageBytes), b)
	return old.previous(boot), nil
}

// replace makes a new file and maps it.
func replace(path string) (_ *Page, err error) {
	dir, base := filepath.Split(path)
	f, err := create.Temp(filepath.Clean(dir), "."+base+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	// Blocks of its own: a store into a page without room on the disk would be a SIGBUS.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(pageBytes)); err != nil {
		return nil, fmt.Errorf("allocate %d bytes: %w", pageBytes, err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, pageBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", pageBytes, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		_ = unix.Munmap(mem)
		return nil, err
	}
	return &Page{page: (*page)(unsafe.Pointer(&mem[0])), end: func() { _ = unix.Munmap(mem) }}, nil
}

// bootID returns a number of this boot, zero if the kernel does not say.
func bootID() (id [2]uint64) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(b) != 16 {
		return id
	}
	for i, c := range b {
		id[i/8] = id[i/8]<<8 | uint64(c)
	}
	return id
}
