//go:build !(amd64 || arm64) || weirsafe

package producer

import "encoding/binary"

// keyLoad16 and keyLoad32 read big-endian numbers in the records of a set.
func keyLoad16(records []byte, at int) uint32 {
	return uint32(binary.BigEndian.Uint16(records[at:]))
}

func keyLoad32(records []byte, at int) uint32 {
	return binary.BigEndian.Uint32(records[at:])
}
