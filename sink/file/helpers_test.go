package file

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink/sinktest"
)

// logBuffer takes the log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBuffer) count(s string) int { return strings.Count(l.String(), s) }

// clock is a time that the test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2046, 11, 23, 9, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func mustNew(t testing.TB, cfg Config) *File {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// batchOf returns a batch of these messages.
func batchOf(messages ...string) *producer.Batch {
	b := producer.NewBatch(0, 1024)
	for _, m := range messages {
		b.Buf = append(b.Buf, m...)
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
	}
	return b
}

// mustWrite writes these messages, all of which must get in.
func mustWrite(t testing.TB, f *File, messages ...string) {
	t.Helper()
	if n, err := f.Write(context.Background(), batchOf(messages...)); n != len(messages) || err != nil {
		t.Fatalf("wrote %d of %d messages: %v", n, len(messages), err)
	}
}

// lines returns a batch of sinktest's records.
func lines(seq, records int) *producer.Batch {
	b := producer.NewBatch(0, 256<<10)
	sinktest.Fill(b, seq, records)
	return b
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func contents(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// listing returns the names in a directory, sorted.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// readRotated returns all that an output has written: its rotated files,
// compressed or not, in the order of their names, and the file itself.
func readRotated(t testing.TB, path string) []byte {
	t.Helper()
	ext := filepath.Ext(path)
	files, err := filepath.Glob(strings.TrimSuffix(path, ext) + "-*")
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	var all []byte
	for _, name := range append(files, path) {
		data := []byte(contents(t, name))
		if strings.HasSuffix(name, zstSuffix) {
			data = unzstd(t, data)
		}
		all = append(all, data...)
	}
	return all
}

func unzstd(t testing.TB, data []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	plain, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
