package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirflow/weir/producer"
)

// fastDir returns a directory in memory where there is one: many tests write
// thousands of small logs.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "spool")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	if cfg.Reserve == 0 {
		cfg.Reserve = -1
	}
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// crash ends a log as the end of its process would.
func crash(t testing.TB, l *Log) {
	t.Helper()
	l.closed = true
	if l.cfg.SyncEvery > 0 {
		close(l.syncer.quit)
		<-l.syncer.ended
	}
	l.reader.leave()
	if l.active != nil {
		l.active.Close()
	}
	for _, f := range l.syncer.retired {
		f.Close()
	}
	if err := errors.Join(l.acks.close(), l.lock.Close()); err != nil {
		t.Fatal(err)
	}
}

// testKey is the key of a message.
func testKey(id uint64) uint32 { return uint32(id) * 2654435761 }

// keyed says whether the messages of a batch from first on have keys.
func keyed(first uint64) bool { return first%2 == 1 }

// batch returns a batch of messages that begin with the ids from first on.
func batch(first uint64, records, pad int) *producer.Batch {
	b := producer.NewBatch(int(first)%7, 0)
	fill(b, first, records, pad)
	return b
}

func fill(b *producer.Batch, first uint64, records, pad int) {
	for id := first; id < first+uint64(records); id++ {
		b.Buf = binary.BigEndian.AppendUint64(b.Buf, id)
		for i := range pad + int(id)%5 {
			b.Buf = append(b.Buf, byte(int(id)+i))
		}
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
		if keyed(first) {
			b.Keys = append(b.Keys, testKey(id))
		}
	}
	b.FirstNs = int64(first) * 3
}

// ids returns the ids of a batch's messages after checking the messages.
func ids(t testing.TB, b *producer.Batch, pad int) []uint64 {
	t.Helper()
	var out []uint64
	if want := keyed(uint64(b.FirstNs) / 3); len(b.Keys) != 0 != want || want && len(b.Keys) != len(b.Ends) {
		t.Fatalf("%d keys of %d messages, of a batch with keys: %v", len(b.Keys), len(b.Ends), want)
	}
	for i := range b.Records() {
		m := b.Message(i)
		if len(m) < 8 {
			t.Fatalf("message of %d bytes", len(m))
		}
		id := binary.BigEndian.Uint64(m)
		if len(m) != 8+pad+int(id)%5 {
			t.Fatalf("message %d has %d bytes", id, len(m))
		}
		for i, c := range m[8:] {
			if c != byte(int(id)+i) {
				t.Fatalf("message %d is not what was written", id)
			}
		}
		if len(b.Keys) > 0 && b.Keys[i] != testKey(id) {
			t.Fatalf("message %d has the key %x", id, b.Keys[i])
		}
		out = append(out, id)
	}
	return out
}

// drain reads all there is to read and returns the ids. If resolve is set the
// entries are resolved.
func drain(t testing.TB, l *Log, pad int, resolve bool) []uint64 {
	t.Helper()
	var out []uint64
	b := producer.NewBatch(0, 0)
	for {
		e, err := l.Next(b)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ids(t, b, pad)...)
		if resolve {
			l.Resolve(e.Seq, b.Records(), nil)
		}
	}
}

func mustAppend(t testing.TB, l *Log, b *producer.Batch) uint64 {
	t.Helper()
	seq, err := l.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func files(t testing.TB, dir, suffix string) []string {
	t.Helper()
	names, err := list(dir, suffix)
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Join(dir, names[i])
	}
	return names
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

// mendSegment makes the checksums of a segment's header and first entries
// agree.
func mendSegment(p []byte) {
	if len(p) < segmentHeader {
		return
	}
	copy(p, magic)
	le.PutUint32(p[36:], crc32.Checksum(p[:36], castagnoli))
	for p = p[segmentHeader:]; len(p) >= entryHeader; {
		e := head{records: le.Uint32(p[44:]), bytes: le.Uint32(p[48:]), flags: le.Uint32(p[52:])}
		if e.size() <= int64(len(p)) {
			le.PutUint32(p[56:], crc32.Checksum(p[entryHeader:e.size()], castagnoli))
		}
		le.PutUint32(p[60:], crc32.Checksum(p[:60], castagnoli))
		p = p[min(e.size(), int64(len(p))):]
	}
}

// mendAcks makes the checksums of a list of acknowledgements agree.
func mendAcks(p []byte) {
	for len(p) >= ackHeader {
		n := uint64(le.Uint32(p[4:])) + ackHeader
		if n > uint64(len(p)) {
			return
		}
		le.PutUint32(p, crc32.Checksum(p[4:n], castagnoli))
		p = p[n:]
	}
}
