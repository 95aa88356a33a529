package bpf

import (
	"sync/atomic"
	"unsafe"
)

// countdownSize is the size of struct countdown.
const countdownSize = int(unsafe.Sizeof(countdown{}))

// position returns the word at the beginning of a page of a ring buffer: how far its
// consumer or producer is.
func position(page []byte) *atomic.Uintptr { return (*atomic.Uintptr)(unsafe.Pointer(&page[0])) }

// countdownAt returns the word of a slot that both sides write. It is valid as long as
// the mapping.
func countdownAt(mapping []byte, slot int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&mapping[slot*countdownSize : (slot+1)*countdownSize][0]))
}
