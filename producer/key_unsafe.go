//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"unsafe"
)

// keyLoad16 and keyLoad32 read big-endian numbers in the records of a set. The
// caller guarantees that they lie in them.
func keyLoad16(records []byte, at int) uint32 {
	return uint32(bits.ReverseBytes16(*(*uint16)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(records)), at))))
}

func keyLoad32(records []byte, at int) uint32 {
	return bits.ReverseBytes32(*(*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(records)), at)))
}
