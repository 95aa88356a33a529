//go:build unix

package producer_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// guardedRoom returns n bytes after which no memory may be touched. They last
// as long as the test.
func guardedRoom(tb testing.TB, n int) []byte {
	page := unix.Getpagesize()
	whole := (n + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, whole+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.Mprotect(b[whole:], unix.PROT_NONE); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Munmap(b) })
	return b[whole-n : whole : whole]
}
