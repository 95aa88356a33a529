//go:build !(amd64 || arm64) || weirsafe

package columns

import "encoding/binary"

func gather8(dst []uint8, src []byte, stride int) {
	for i := range dst {
		dst[i] = src[i*stride]
	}
}

func gather16(dst []uint16, src []byte, stride int) {
	for i := range dst {
		dst[i] = binary.BigEndian.Uint16(src[i*stride:])
	}
}

func gather32(dst []uint32, src []byte, stride int) {
	for i := range dst {
		dst[i] = binary.BigEndian.Uint32(src[i*stride:])
	}
}

func gather64(dst []uint64, src []byte, stride int) {
	for i := range dst {
		dst[i] = binary.BigEndian.Uint64(src[i*stride:])
	}
}

// gather4 keeps the byte order.
func gather4(dst []uint32, src []byte, stride int) {
	for i := range dst {
		dst[i] = binary.NativeEndian.Uint32(src[i*stride:])
	}
}

func four(v uint32) (b [4]byte) {
	binary.NativeEndian.PutUint32(b[:], v)
	return b
}

func fourOf(v []byte) uint32 { return binary.NativeEndian.Uint32(v) }
