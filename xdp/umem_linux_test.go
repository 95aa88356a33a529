package xdp

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const hugePages = "/sys/kernel/mm/hugepages/hugepages-2048kB/"

// readNumber returns the number that a file of the kernel has.
func readNumber(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHugePages: packet memory is on huge pages where enough are set aside, given
// back at the end, and on ordinary ones where there are too few.
func TestHugePages(t *testing.T) {
	l := newLab(t, 2, 0)
	if c := l.open(Config{Workers: 1}); c.HugePages() != (readNumber(t, hugePages+"nr_hugepages") > 0) {
		t.Errorf("on huge pages: %v, with %d", c.HugePages(), readNumber(t, hugePages+"nr_hugepages"))
	} else if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	before := readNumber(t, hugePages+"nr_hugepages")
	set := func(n int) error { return os.WriteFile(hugePages+"nr_hugepages", []byte(strconv.Itoa(n)), 0) }
	const wanted = 64
	if err := set(before + wanted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set(before); err != nil {
			t.Error(err)
		}
	})
	free := readNumber(t, hugePages+"free_hugepages")
	if free < wanted/2 {
		t.Logf("the kernel found %d huge pages of %d", free, wanted)
		return
	}
	c := l.open(Config{Workers: 1})
	if !c.HugePages() {
		t.Errorf("not on huge pages, with %d free", free)
	}
	const frames = 100
	for i := range frames {
		l.send(l.from(0, i, 100))
	}
	gather(t, c.Worker(0), frames, func(f Frame) {
		if _, _, err := identify(l, f); err != nil {
			t.Error(err)
		}
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// The kernel lets go of the memory a moment after the last socket.
	now := 0
	for deadline := time.Now().Add(patience); now != free; time.Sleep(10 * time.Millisecond) {
		if now = readNumber(t, hugePages+"free_hugepages"); time.Now().After(deadline) {
			t.Fatalf("%d huge pages are free after the end, %d before", now, free)
		}
	}
}
