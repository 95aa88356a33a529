package spool

import (
	"errors"
	"os"
	"testing"
)

// TestAcksBroken: records whose acknowledgements could not be written, and that were
// delivered before the process was killed, are not counted as lost.
func TestAcksBroken(t *testing.T) {
	for _, backlog := range []bool{false, true} {
		cfg := Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
		l := mustOpen(t, cfg)
		for i := range uint64(6) {
			mustAppend(t, l, batch(i*40, 40, 200))
		}
		if backlog {
			crash(t, l)
			l = mustOpen(t, cfg)
		}
		tmp := l.acks.path + ".new"
		if err := os.Mkdir(tmp, 0o755); err != nil { // the list cannot be written again
			t.Fatal(err)
		}
		l.ackFailed(errors.New("no space"))
		last := uint64(5)
		if backlog {
			last = 6
		}
		for seq := uint64(1); seq <= last; seq++ {
			l.Resolve(seq, 40, nil)
		}
		if err := os.Remove(tmp); err != nil {
			t.Fatal(err)
		}
		crash(t, l)
		l = mustOpen(t, cfg)
		if lost := l.TakeLosses(); lost.Corrupt != 0 || l.Stats().Corrupt != 0 {
			t.Errorf("backlog %v: losses %+v, want none", backlog, lost)
		}
	}
}
