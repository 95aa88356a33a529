//go:build weirpoison

package ringbuf

import (
	"strings"
	"testing"
)

func TestLedger(t *testing.T) {
	mem := make([]byte, 4*2048)
	for i := range mem {
		mem[i] = 1
	}
	l := NewLedger(mem, 2048)
	if l.Out() != 4 {
		t.Fatalf("Out = %d of 4 new frames", l.Out())
	}
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			if text, _ := recover().(string); !strings.Contains(text, what) {
				t.Errorf("panic %q, want one that says %q", text, what)
			}
		}()
		f()
	}
	l.Return(2048 + 256) // any address in the frame
	for i, b := range mem {
		if want := map[bool]byte{true: 0xdb, false: 1}[i/2048 == 1]; b != want {
			t.Fatalf("byte %d is %#x, want %#x", i, b, want)
		}
	}
	panics("frame 1 returned twice", func() { l.Return(2048) })
	panics("frame 1 came from the kernel", func() { l.Take(2048) }) // nobody's
	panics("frame 2 given to the kernel", func() { l.Submit(2 * 2048) })
	l.Submit(2049)
	panics("frame 1 given to the kernel", func() { l.Submit(2048) })
	panics("frame 1 returned twice", func() { l.Return(2048) })
	panics("frame 0 came from the kernel", func() { l.Take(100) })
	l.Take(4095)
	panics("frame 1 came from the kernel", func() { l.Take(2048) })
	if l.Out() != 4 {
		t.Errorf("Out = %d", l.Out())
	}
}
