package kafka

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec numbers of record sets (KIP-98, KIP-110).
const (
	codecNone   = 0
	codecGzip   = 1
	codecSnappy = 2
	codecLz4    = 3
	codecZstd   = 4
)

// A codec is a way of compression and its level.
type codec struct {
	id    int16
	level int // 0: default
}

func newCodec(name string, level int) (codec, error) {
	ids := map[string]int16{"none": codecNone, "": codecNone, "gzip": codecGzip, "snappy": codecSnappy, "lz4": codecLz4, "zstd": codecZstd}
	id, ok := ids[name]
	if !ok {
		return codec{}, fmt.Errorf("compression %q: want none, gzip, snappy, lz4 or zstd", name)
	}
	highest := 9
	if id == codecZstd {
		highest = 22
	}
	if level < 0 || level > highest {
		return codec{}, fmt.Errorf("compression level %d: want 1 to %d for %s, or 0 for its default", level, highest, name)
	}
	return codec{id, level}, nil
}

// A packer compresses. It is for one goroutine at a time; its memory, up to
// some megabytes for zstd, is kept.
type packer struct {
	codec codec
	out   bytes.Buffer
	gzip  *gzip.Writer
	lz4   *lz4.Writer
	zstd  *zstd.Encoder
}

func newPacker(c codec) (*packer, error) {
	p := &packer{codec: c}
	var err error
	switch c.id {
	case codecGzip:
		level := gzip.DefaultCompression
		if c.level > 0 {
			level = c.level
		}
		p.gzip, err = gzip.NewWriterLevel(&p.out, level)
	case codecLz4:
		p.lz4 = lz4.NewWriter(&p.out)
		level := lz4.Fast
		if c.level > 0 {
			level = lz4.Level1 << (c.level - 1)
		}
		err = p.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.CompressionLevelOption(level))
	case codecZstd:
		level := zstd.SpeedFastest
		if c.level > 0 {
			level = zstd.EncoderLevelFromZstd(c.level)
		}
		p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	}
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	return p, nil
}

// pack appends src, compressed, to dst.
func (p *packer) pack(dst, src []byte) ([]byte, error) {
	p.out.Reset()
	switch p.codec.id {
	case codecGzip:
		p.gzip.Reset(&p.out)
		if _, err := p.gzip.Write(src); err != nil {
			return dst, err
		}
		if err := p.gzip.Close(); err != nil {
			return dst, err
		}
		return append(dst, p.out.Bytes()...), nil
	case codecSnappy:
		// Blocks framed as Java's clients do.
		if p.codec.level > 1 {
			return append(dst, xerial.EncodeBetter(nil, src)...), nil
		}
		return append(dst, xerial.Encode(nil, src)...), nil
	case codecLz4:
		p.lz4.Reset(&p.out)
		if _, err := p.lz4.Write(src); err != nil {
			return dst, err
		}
		if err := p.lz4.Close(); err != nil {
			return dst, err
		}
		return append(dst, p.out.Bytes()...), nil
	case codecZstd:
		return p.zstd.EncodeAll(src, dst), nil
	}
	return append(dst, src...), nil
}
