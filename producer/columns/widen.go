package columns

import "encoding/binary"

// Numbers of fewer bytes than their column has.

func widen8[T uint16 | uint32 | uint64](dst []T, src []byte, stride int) {
	for i := range dst {
		dst[i] = T(src[i*stride])
	}
}

func widen16[T uint32 | uint64](dst []T, src []byte, stride int) {
	for i := range dst {
		dst[i] = T(binary.BigEndian.Uint16(src[i*stride:]))
	}
}

func widen32(dst []uint64, src []byte, stride int) {
	for i := range dst {
		dst[i] = uint64(binary.BigEndian.Uint32(src[i*stride:]))
	}
}
