package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket/layers"
)

// Bounds of what a file can make a reader keep. Lengths and numbers of blocks come from
// the file, and a few megabytes of gzip hold gigabytes of zeros.
const (
	// maxFrame is the longest frame that is read, in bytes: IP packets have 64 KiB, and
	// segmentation offload makes 512 KiB at most.
	maxFrame = 1 << 20
	// maxInterfaces is how many interfaces of a section are kept, 32 bytes each.
	maxInterfaces = 4096
)

// errOverLimit is a frame beyond these bounds; the next one can be read.
var errOverLimit = errors.New("beyond the limits")

// record is one frame of a capture, valid until the next is read.
type record struct {
	data   []byte
	link   layers.LinkType
	timeNs int64 // since 1970; 0 where the capture has no time
}

// source gives the frames of a file in order: io.EOF at its end, errOverLimit for a frame
// that was skipped, otherwise an error that ends it.
type source interface {
	next() (record, error)
}

// frameBuffer holds one frame.
type frameBuffer struct {
	in  *bufio.Reader
	buf []byte
}

// read reads the next n bytes, n <= maxFrame.
func (b *frameBuffer) read(n int) ([]byte, error) {
	if cap(b.buf) < n {
		b.buf = make([]byte, n, max(n, 4096))
	}
	b.buf = b.buf[:n]
	_, err := io.ReadFull(b.in, b.buf)
	return b.buf, within(err)
}

// skip passes over n bytes.
func (b *frameBuffer) skip(n int64) error {
	_, err := io.CopyN(io.Discard, b.in, n)
	return within(err)
}

// within is the error of a read in the middle of a record.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pcapSource reads pcap (draft-ietf-opsawg-pcap).
type pcapSource struct {
	frameBuffer
	order   binary.ByteOrder
	nanos   int64 // of a unit of the second half of a time
	link    layers.LinkType
	snaplen uint32
}

func newPcapSource(in *bufio.Reader) (*pcapSource, error) {
	s := &pcapSource{frameBuffer: frameBuffer{in: in}, order: binary.LittleEndian, nanos: 1000}
	h, err := s.read(24)
	if err != nil {
		return nil, err
	}
	magic := binary.BigEndian.Uint32(h)
	if magic == magicMicrosBig || magic == magicNanosBig {
		s.order = binary.BigEndian
	}
	if magic == magicNanosBig || magic == magicNanosLittle {
		s.nanos = 1
	}
	if major, minor := s.order.Uint16(h[4:]), s.order.Uint16(h[6:]); major != 2 || minor != 4 {
		return nil, fmt.Errorf("version %d.%d, not 2.4", major, minor)
	}
	s.snaplen, s.link = s.order.Uint32(h[16:]), layers.LinkType(s.order.Uint32(h[20:]))
	return s, nil
}

func (s *pcapSource) next() (record, error) {
	if _, err := s.in.Peek(1); err != nil {
		return record{}, err
	}
	h, err := s.read(16)
	if err != nil {
		return record{}, err
	}
	at := int64(s.order.Uint32(h))*1e9 + int64(s.order.Uint32(h[4:]))*s.nanos
	length, original := s.order.Uint32(h[8:]), s.order.Uint32(h[12:])
	switch {
	case length > max(s.snaplen, maxFrame):
		return record{}, fmt.Errorf("capture length exceeds snap length: %d > %d", length, s.snaplen)
	case length > original:
		return record{}, fmt.Errorf("capture length exceeds original packet length: %d > %d", length, original)
	case length > maxFrame:
		if err := s.skip(int64(length)); err != nil {
			return record{}, err
		}
		return record{}, errOverLimit
	}
	data, err := s.read(int(length))
	return record{data: data, link: s.link, timeNs: at}, err
}
