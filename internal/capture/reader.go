package capture

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader gives the UDP datagrams of one capture in file order. One goroutine at
// a time may use it.
type Reader struct {
	name    string
	source  source
	closers []io.Closer
	// position is where in the file it is, nil without a file.
	position *position

	stats     Stats
	fragments fragmentTable
	err       error // what Next returns from now on
}

// Open opens a capture: pcap with micro- or nanoseconds in either byte order, or
// pcapng, each plain or gzip'ed. A path of "-" reads standard input.
//
// The error wraps [ErrNotCapture] where the file is something else, and is a
// [*DamagedError] where it ends within its own header.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return NewReader("standard input", os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	at := &position{in: f}
	r, err := NewReader(path, at)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.position = at
	r.closers = append(r.closers, f)
	return r, nil
}

// First four bytes of the formats, as they stand in the file.
// pcap: draft-ietf-opsawg-pcap section 4; pcapng: draft-ietf-opsawg-pcapng section 4.1.
const (
	magicMicrosBig    = 0xa1b2c3d4
	magicMicrosLittle = 0xd4c3b2a1
	magicNanosBig     = 0xa1b23c4d
	magicNanosLittle  = 0x4d3cb2a1
	magicPcapng       = 0x0a0d0d0a
	magicGzip         = 0x1f8b
)

// NewReader reads a capture from in; name stands in its errors. It buffers, so
// it may read beyond the capture's end. It does not close in.
func NewReader(name string, in io.Reader) (*Reader, error) {
	r := &Reader{name: name}
	r.fragments.stats = &r.stats
	buffered := bufio.NewReaderSize(in, 1<<16)
	head, err := r.peek(buffered)
	if err != nil {
		return nil, err
	}
	if head>>16 == magicGzip {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, r.headerError(err)
		}
		r.closers = append(r.closers, z)
		buffered = bufio.NewReaderSize(z, 1<<16)
		if head, err = r.peek(buffered); err != nil {
			return nil, err
		}
	}
	switch head {
	case magicMicrosBig, magicMicrosLittle, magicNanosBig, magicNanosLittle:
		if r.source, err = newPcapSource(buffered); err != nil {
			return nil, r.headerError(err)
		}
	case magicPcapng:
		if r.source, err = newNgSource(buffered, &r.stats); err != nil {
			return nil, r.headerError(err)
		}
	default:
		return nil, fmt.Errorf("read capture %q: %w", name, ErrNotCapture)
	}
	return r, nil
}

// peek returns the first four bytes as a big-endian number.
func (r *Reader) peek(in *bufio.Reader) (uint32, error) {
	head, err := in.Peek(4)
	switch {
	case err == nil:
		return binary.BigEndian.Uint32(head), nil
	case err == io.EOF && len(head) == 0:
		return 0, fmt.Errorf("read capture %q: empty: %w", r.name, ErrNotCapture)
	case err == io.EOF:
		return 0, fmt.Errorf("read capture %q: %w", r.name, ErrNotCapture)
	default:
		return 0, r.headerError(err)
	}
}

// headerError is for a file that began well and then did not make a header.
func (r *Reader) headerError(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return r.readError(err)
}

// readError tells a damaged capture from one that the system cannot read.
func (r *Reader) readError(err error) error {
	var system *os.PathError
	if errors.As(err, &system) {
		return fmt.Errorf("read capture %q: %w", r.name, err)
	}
	return &DamagedError{Name: r.name, Frames: r.stats.Frames, Err: err}
}

// Next returns the next UDP datagram. Its Payload is valid until the next call
// of Next. At the end of the capture the error is io.EOF; a capture that cannot
// be read on gives a [*DamagedError]. After an error Next returns it again.
func (r *Reader) Next() (Datagram, error) {
	for r.err == nil {
		frame, err := r.source.next()
		if err == errOverLimit {
			r.stats.Frames++
			r.stats.OverLimit++
			continue
		}
		if err != nil {
			r.finish(err)
			break
		}
		r.stats.Frames++
		d, counter := r.parseLink(frame.link, frame.data, frame.timeNs)
		if counter != nil {
			*counter++
			continue
		}
		d.TimeNs = frame.timeNs
		r.stats.Datagrams++
		if d.Cut {
			r.stats.Cut++
		}
		return d, nil
	}
	return Datagram{}, r.err
}

// finish turns the source's error into the one that Next returns from now on.
func (r *Reader) finish(err error) {
	r.fragments.giveUp()
	if err != io.EOF {
		err = r.readError(err)
	}
	r.err = err
}

// Stats returns the counters so far. At the end of the capture the fragments
// that still waited have become incomplete ones.
func (r *Reader) Stats() Stats { return r.stats }

// Close closes the file. Payloads of [Reader.Next] stay readable until it is
// called again.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = os.ErrClosed
	}
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c.Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}
