package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket/layers"
)

// Block types and options (draft-ietf-opsawg-pcapng sections 4 and 3.5).
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
	blockSection   = magicPcapng

	optionEnd        = 0
	optionResolution = 9
	optionOffset     = 14

	byteOrderMagic = 0x1a2b3c4d
	blockHeader    = 8 // type and length; the length stands at the end again
	blockTrailer   = 4
)

// ngInterface is what an interface description block says about its frames.
type ngInterface struct {
	link    layers.LinkType
	snaplen uint32
	units   uint64 // of a time, a second
	offset  uint64 // seconds to add
}

// ngSource reads pcapng (draft-ietf-opsawg-pcapng). Of all that it can hold, only the
// interfaces that frames refer to are kept; other blocks and options are passed over.
type ngSource struct {
	frameBuffer
	order      binary.ByteOrder
	interfaces []ngInterface // of this section, up to maxInterfaces
	described  uint64        // interfaces in this section
	skipping   bool          // the section has another version
	head       [28]byte
	left       int64 // bytes of the block that were not read, its trailer too
	stats      *Stats
}

func newNgSource(in *bufio.Reader, stats *Stats) (*ngSource, error) {
	s := &ngSource{frameBuffer: frameBuffer{in: in}, stats: stats}
	if _, err := s.block(); err != nil { // the section header that the magic told of
		return nil, within(err)
	}
	return s, s.skip(s.left)
}

// bytes reads the next n bytes of the block, n <= 28.
func (s *ngSource) bytes(n int64) ([]byte, error) {
	if n > s.left {
		return nil, errors.New("a block is shorter than what it holds")
	}
	s.left -= n
	_, err := io.ReadFull(s.in, s.head[:n])
	return s.head[:n], within(err)
}

// block reads the beginning of a block, and all of a section header that matters.
func (s *ngSource) block() (kind uint32, err error) {
	h, err := s.in.Peek(blockHeader + 4)
	switch {
	case err == io.EOF && len(h) > 0:
		return 0, io.ErrUnexpectedEOF
	case err != nil:
		return 0, err
	}
	section := binary.BigEndian.Uint32(h) == blockSection
	if section {
		switch uint32(byteOrderMagic) {
		case binary.BigEndian.Uint32(h[8:]):
			s.order = binary.BigEndian
		case binary.LittleEndian.Uint32(h[8:]):
			s.order = binary.LittleEndian
		default:
			return 0, errors.New("wrong byte order mark in a section header")
		}
	}
	kind, s.left = s.order.Uint32(h), int64(s.order.Uint32(h[4:]))
	if s.left < blockHeader+blockTrailer {
		return 0, fmt.Errorf("a block of %d bytes", s.left)
	}
	if _, err := s.bytes(blockHeader); err != nil {
		return 0, err
	}
	if !section {
		return kind, nil
	}
	h, err = s.bytes(16) // byte order, version, length of the section
	if err != nil {
		return 0, err
	}
	s.skipping = s.order.Uint16(h[4:]) != 1 || s.order.Uint16(h[6:]) != 0
	s.interfaces, s.described = s.interfaces[:0], 0
	return kind, nil
}

func (s *ngSource) next() (r record, err error) {
	for {
		kind, err := s.block()
		if err != nil {
			return r, err
		}
		if !s.skipping {
			switch kind {
			case blockInterface:
				if err := s.describe(); err != nil {
					return r, err
				}
			case blockEnhanced, blockPacket, blockSimple:
				r, err := s.frame(kind)
				if err == nil || err == errOverLimit {
					if err := s.skip(s.left); err != nil {
						return r, err
					}
				}
				return r, err
			}
		}
		if err := s.skip(s.left); err != nil {
			return r, err
		}
	}
}

// describe reads an interface description block.
func (s *ngSource) describe() error {
	h, err := s.bytes(8)
	if err != nil {
		return err
	}
	s.described++
	if len(s.interfaces) == maxInterfaces {
		s.stats.InterfacesIgnored++
		return nil
	}
	i := ngInterface{link: layers.LinkType(s.order.Uint16(h)), snaplen: s.order.Uint32(h[4:])}
	resolution := byte(0)
	for s.left > blockTrailer {
		h, err := s.bytes(4)
		if err != nil {
			return err
		}
		code, length := s.order.Uint16(h), int64(s.order.Uint16(h[2:]))
		if code == optionEnd {
			break
		}
		padded := (length + 3) &^ 3
		if padded > s.left-blockTrailer {
			return errors.New("an option is longer than its block")
		}
		if code == optionResolution && length >= 1 || code == optionOffset && length >= 8 {
			n := min(padded, 8)
			h, err := s.bytes(n)
			if err != nil {
				return err
			}
			if code == optionResolution {
				resolution = h[0]
			} else {
				i.offset = s.order.Uint64(h)
			}
			padded -= n
		}
		s.left -= padded
		if err := s.skip(padded); err != nil {
			return err
		}
	}
	if i.units, err = unitsOf(resolution); err != nil {
		return err
	}
	s.interfaces = append(s.interfaces, i)
	return nil
}

// unitsOf returns how many units a second has: if_tsresol, section 4.2.
func unitsOf(resolution byte) (uint64, error) {
	exponent := resolution & 0x7f
	switch {
	case resolution == 0:
		return 1e6, nil
	case resolution&0x80 != 0 && exponent <= 63:
		return 1 << exponent, nil
	case resolution&0x80 == 0 && exponent <= 19:
		units := uint64(1)
		for range exponent {
			units *= 10
		}
		return units, nil
	}
	return 0, fmt.Errorf("an interface with a time resolution of %#x", resolution)
}

// timeNs returns a time in nanoseconds since 1970. What an int64 has no room for wraps.
func (i *ngInterface) timeNs(units uint64) int64 {
	up, down := uint64(1), uint64(1)
	if i.units < 1e9 {
		up = 1e9 / i.units
	} else {
		down = i.units / 1e9
	}
	return time.Unix(int64(units/i.units+i.offset), int64(units%i.units*up/down)).UnixNano()
}

// frame reads a packet block up to its options.
func (s *ngSource) frame(kind uint32) (r record, err error) {
	var id, length uint32
	var units uint64
	if kind == blockSimple {
		h, err := s.bytes(4)
		if err != nil {
			return r, err
		}
		length = s.order.Uint32(h)
	} else {
		h, err := s.bytes(20)
		if err != nil {
			return r, err
		}
		if id = s.order.Uint32(h); kind == blockPacket {
			id = uint32(s.order.Uint16(h))
		}
		units = uint64(s.order.Uint32(h[4:]))<<32 | uint64(s.order.Uint32(h[8:]))
		length = s.order.Uint32(h[12:])
	}
	if uint64(id) >= s.described {
		return r, fmt.Errorf("a frame of interface %d, of which the section has %d", id, s.described)
	}
	if int(id) >= len(s.interfaces) {
		return r, errOverLimit
	}
	from := &s.interfaces[id]
	if kind == blockSimple && from.snaplen != 0 {
		length = min(length, from.snaplen)
	}
	if int64(length) > s.left-blockTrailer {
		return r, fmt.Errorf("a frame of %d bytes in a block of %d more", length, s.left)
	}
	if length > maxFrame {
		return r, errOverLimit
	}
	s.left -= int64(length)
	r.link = from.link
	if kind != blockSimple {
		r.timeNs = from.timeNs(units)
	}
	r.data, err = s.read(int(length))
	return r, err
}
