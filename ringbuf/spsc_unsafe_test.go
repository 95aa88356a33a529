package ringbuf

import (
	"testing"
	"unsafe"
)

func TestSPSCLayout(t *testing.T) {
	var r SPSC[int]
	head, tail := unsafe.Offsetof(r.head), unsafe.Offsetof(r.tail)
	if tail-head < falseSharing || head-unsafe.Offsetof(r.mask) < falseSharing {
		t.Errorf("head at %d, tail at %d, mask at %d: closer than %d",
			head, tail, unsafe.Offsetof(r.mask), falseSharing)
	}
	if d := unsafe.Offsetof(r.seenTail) - head; d >= 64 {
		t.Errorf("the consumer's fields are %d bytes apart", d)
	}
}
