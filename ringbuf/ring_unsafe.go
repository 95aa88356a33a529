package ringbuf

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// cell returns the 32-bit word at an offset of a mapping.
func cell(mem []byte, offset uint64) (*atomic.Uint32, error) {
	const size = 4
	if offset > uint64(len(mem)) || uint64(len(mem))-offset < size {
		return nil, fmt.Errorf("offset %d lies outside of the mapping's %d bytes", offset, len(mem))
	}
	p := unsafe.Pointer(&mem[offset])
	if uintptr(p)%size != 0 {
		return nil, fmt.Errorf("offset %d is not aligned to %d bytes", offset, size)
	}
	return (*atomic.Uint32)(p), nil
}

// entries returns the array of n entries at an offset of a mapping. T holds no
// pointers: its bit patterns are all valid.
func entries[T uint64 | Desc](mem []byte, offset uint64, n uint32) ([]T, error) {
	var zero T
	size := uint64(unsafe.Sizeof(zero))
	if offset > uint64(len(mem)) || (uint64(len(mem))-offset)/size < uint64(n) {
		return nil, fmt.Errorf("%d entries of %d bytes at offset %d do not fit the mapping's %d bytes", n, size, offset, len(mem))
	}
	p := unsafe.Pointer(&mem[offset])
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, fmt.Errorf("offset %d is not aligned to %d bytes", offset, unsafe.Alignof(zero))
	}
	return unsafe.Slice((*T)(p), n), nil
}
