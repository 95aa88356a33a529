package xdp

import (
	"sync/atomic"
	"unsafe"
)

// cell is the index at the beginning of b, as the kernel shares it.
func cell(b []byte) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&b[0])) }
