//go:build (amd64 || arm64) && !weirsafe

package columns

import (
	"math/bits"
	"unsafe"
)

// What these read stands at the same place in records that begin stride bytes apart, as many
// as dst has room for; src begins at the first one's. Fill has checked that src has them.
// Loads need no alignment on the machines that this file is built for, which are
// little-endian.

func gather8(dst []uint8, src []byte, stride int) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	for i, at := 0, 0; i < len(dst); i, at = i+1, at+stride {
		dst[i] = *(*uint8)(unsafe.Add(p, at))
	}
}

func gather16(dst []uint16, src []byte, stride int) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	for i, at := 0, 0; i < len(dst); i, at = i+1, at+stride {
		dst[i] = bits.ReverseBytes16(*(*uint16)(unsafe.Add(p, at)))
	}
}

func gather32(dst []uint32, src []byte, stride int) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	for i, at := 0, 0; i < len(dst); i, at = i+1, at+stride {
		dst[i] = bits.ReverseBytes32(*(*uint32)(unsafe.Add(p, at)))
	}
}

func gather64(dst []uint64, src []byte, stride int) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	for i, at := 0, 0; i < len(dst); i, at = i+1, at+stride {
		dst[i] = bits.ReverseBytes64(*(*uint64)(unsafe.Add(p, at)))
	}
}

// gather4 keeps the byte order.
func gather4(dst []uint32, src []byte, stride int) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	for i, at := 0, 0; i < len(dst); i, at = i+1, at+stride {
		dst[i] = *(*uint32)(unsafe.Add(p, at))
	}
}

func four(v uint32) [4]byte { return *(*[4]byte)(unsafe.Pointer(&v)) }

func fourOf(v []byte) uint32 { return *(*uint32)(unsafe.Pointer(unsafe.SliceData(v[:4]))) }
