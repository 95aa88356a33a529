package parquet

import (
	"encoding/binary"
	"math/bits"
)

// appendRun appends n times the same value, of the bit width, to a hybrid of runs and
// bit-packed values.
func appendRun(dst []byte, n int, v uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// appendPacked appends values of at most 16 bits, packed, to such a hybrid.
func appendPacked(dst []byte, idx []uint32, width int) []byte {
	groups := (len(idx) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	o := len(dst)
	dst = room(dst, groups*width+16)
	out := dst[:o+groups*width+16]
	for ; len(idx) >= 8; idx = idx[8:] {
		pack8(out[o:], (*[8]uint32)(idx), width)
		o += width
	}
	if len(idx) > 0 {
		var last [8]uint32
		copy(last[:], idx)
		pack8(out[o:], &last, width)
		o += width
	}
	return out[:o]
}

// pack8 packs 8 values of at most 16 bits into width bytes. It writes 16.
func pack8(out []byte, v *[8]uint32, width int) {
	w := uint(width) & 31
	lo := uint64(v[0]) | uint64(v[1])<<w | uint64(v[2])<<(2*w) | uint64(v[3])<<(3*w)
	hi := uint64(v[4]) | uint64(v[5])<<w | uint64(v[6])<<(2*w) | uint64(v[7])<<(3*w)
	_ = out[15]
	binary.LittleEndian.PutUint64(out, lo|hi<<(4*w))
	if w > 8 {
		binary.LittleEndian.PutUint64(out[8:], hi>>(64-4*w))
	}
}

// room returns dst with a capacity for n bytes more.
func room(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = append(make([]byte, 0, 2*cap(dst)+n), dst...)
	}
	return dst
}

// Blocks of DELTA_BINARY_PACKED.
const (
	blockSize = 128
	miniSize  = 32
)

// appendDelta appends numbers in DELTA_BINARY_PACKED. Differences wrap around.
func appendDelta[T uint32 | uint64](dst []byte, values []T) []byte {
	dst = binary.AppendUvarint(dst, blockSize)
	dst = binary.AppendUvarint(dst, blockSize/miniSize)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(values[0]))
	last := uint64(values[0])
	var deltas [blockSize]uint64
	for rest := values[1:]; len(rest) > 0; {
		n := min(len(rest), blockSize)
		least := int64(1<<63 - 1)
		for i, v := range rest[:n] {
			deltas[i] = uint64(v) - last
			last = uint64(v)
			least = min(least, int64(deltas[i]))
		}
		rest = rest[n:]
		dst = binary.AppendVarint(dst, least)
		dst = room(dst, blockSize*8+32)
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for m := 0; m < n; m += miniSize {
			mini := deltas[m:min(m+miniSize, n)]
			all := uint64(0)
			for i := range mini {
				mini[i] -= uint64(least)
				all |= mini[i]
			}
			width := bits.Len64(all)
			dst[widths+m/miniSize] = byte(width)
			dst = appendMini(dst, mini, width)
		}
	}
	return dst
}

// appendMini appends 32 values of width bits; those that are missing are 0.
func appendMini(dst []byte, values []uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	end := len(dst) + miniSize/8*width
	acc, used := uint64(0), 0
	for _, v := range values {
		acc |= v << used
		if used += width; used >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			used -= 64
			acc = v >> (width - used)
		}
	}
	for ; len(dst) < end; acc >>= 8 {
		dst = append(dst, byte(acc))
	}
	return dst[:end]
}
