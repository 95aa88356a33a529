package ringbuf

import (
	"sync/atomic"
	"testing"
	"unsafe"
)

// testLayout is that of the kernel: each index on cache lines of its own.
var testLayout = Layout{Producer: 0, Consumer: 128, Flags: 256, Desc: 384}

// kernelSide is a ring in ordinary memory, seen from the other end.
type kernelSide[T uint64 | Desc] struct {
	mem                       []byte
	producer, consumer, flags *atomic.Uint32
	slots                     []T
}

func newKernelSide[T uint64 | Desc](t testing.TB, size uint32) *kernelSide[T] {
	t.Helper()
	var zero T
	words := make([]uint64, (testLayout.Desc+uint64(size)*uint64(unsafe.Sizeof(zero)))/8)
	k := &kernelSide[T]{mem: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)}
	for _, part := range []struct {
		to *(*atomic.Uint32)
		at uint64
	}{{&k.producer, testLayout.Producer}, {&k.consumer, testLayout.Consumer}, {&k.flags, testLayout.Flags}} {
		*part.to = (*atomic.Uint32)(unsafe.Pointer(&k.mem[part.at]))
	}
	k.slots = unsafe.Slice((*T)(unsafe.Pointer(&k.mem[testLayout.Desc])), size)
	return k
}

// startAt puts both indices of the empty ring somewhere.
func (k *kernelSide[T]) startAt(index uint32) {
	k.producer.Store(index)
	k.consumer.Store(index)
}

// take consumes as the kernel does, one entry.
func (k *kernelSide[T]) take() (v T, ok bool) {
	consumer := k.consumer.Load()
	if k.producer.Load() == consumer {
		return v, false
	}
	v = k.slots[consumer&uint32(len(k.slots)-1)]
	k.consumer.Store(consumer + 1)
	return v, true
}

// give produces as the kernel does, one entry.
func (k *kernelSide[T]) give(v T) bool {
	producer := k.producer.Load()
	if producer-k.consumer.Load() == uint32(len(k.slots)) {
		return false
	}
	k.slots[producer&uint32(len(k.slots)-1)] = v
	k.producer.Store(producer + 1)
	return true
}

func TestDescLayout(t *testing.T) {
	var d Desc
	if unsafe.Sizeof(d) != 16 || unsafe.Offsetof(d.Len) != 8 || unsafe.Offsetof(d.Options) != 12 {
		t.Errorf("Desc is not struct xdp_desc: %d bytes, len at %d, options at %d",
			unsafe.Sizeof(d), unsafe.Offsetof(d.Len), unsafe.Offsetof(d.Options))
	}
}

func TestMappingTooSmall(t *testing.T) {
	whole := newKernelSide[Desc](t, 8)
	const huge = ^uint64(0)
	tests := []struct {
		name string
		mem  []byte
		at   Layout
		size uint32
		ok   bool
	}{
		{"fits", whole.mem, testLayout, 8, true},
		{"smaller", whole.mem, testLayout, 4, true},
		{"size zero", whole.mem, testLayout, 0, false},
		{"size three", whole.mem, testLayout, 3, false},
		{"descriptors beyond the end", whole.mem, testLayout, 16, false},
		{"one byte short", whole.mem[:len(whole.mem)-1], testLayout, 8, false},
		{"nothing", nil, testLayout, 8, false},
		{"producer beyond", whole.mem, Layout{huge, 128, 256, 384}, 8, false},
		{"consumer beyond", whole.mem, Layout{0, uint64(len(whole.mem)), 256, 384}, 8, false},
		{"flags beyond", whole.mem, Layout{0, 128, uint64(len(whole.mem) - 3), 384}, 8, false},
		{"descriptors far beyond", whole.mem, Layout{0, 128, 256, huge}, 8, false},
		{"producer not aligned", whole.mem, Layout{2, 128, 256, 384}, 8, false},
		{"descriptors not aligned", whole.mem, Layout{0, 128, 256, 380}, 8, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := NewRX(test.mem, test.at, test.size); (err == nil) != test.ok {
				t.Errorf("NewRX: %v", err)
			}
			if _, err := NewTX(test.mem, test.at, test.size); (err == nil) != test.ok {
				t.Errorf("NewTX: %v", err)
			}
		})
	}
	small := newKernelSide[uint64](t, 8)
	for _, size := range []uint32{8, 16} {
		if _, err := NewFill(small.mem, testLayout, size); (err == nil) != (size == 8) {
			t.Errorf("NewFill of %d entries: %v", size, err)
		}
		if _, err := NewCompletion(small.mem, testLayout, size); (err == nil) != (size == 8) {
			t.Errorf("NewCompletion of %d entries: %v", size, err)
		}
	}
}
