package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/weirflow/weir/internal/enrich"
)

// blockSize is how much of a stream is read at once.
const blockSize = 256 << 10

// streamSource reads messages from a stream, the standard input. Reading is done
// by a goroutine of its own, which a stop leaves behind where the stream is
// silent.
type streamSource struct {
	in       io.Reader
	log      *slog.Logger
	splitter enrich.Splitter
	noted    bool

	blocks chan block  // full, from the reading goroutine
	empty  chan []byte // and back
	have   []byte      // what is read and not yet cut into messages
	offset uint64      // of have in the stream
	ended  bool        // there is no more
}

// block is a piece of the stream, or why there are no more.
type block struct {
	data []byte
	err  error
}

func newStreamSource(in io.Reader, format string, log *slog.Logger) *streamSource {
	s := &streamSource{in: in, log: log, splitter: splitterFor(format)}
	const depth = 4
	s.blocks, s.empty = make(chan block, depth), make(chan []byte, depth)
	for range depth {
		s.empty <- make([]byte, blockSize)
	}
	return s
}

func splitterFor(format string) enrich.Splitter {
	switch format {
	case "bin":
		return enrich.Splitter{Encoding: enrich.Bin}
	case "json":
		return enrich.Splitter{Encoding: enrich.JSON}
	}
	return enrich.Splitter{}
}

func (s *streamSource) start(context.Context) {
	go func() {
		for buf := range s.empty {
			n, err := s.in.Read(buf[:cap(buf)])
			if n > 0 || err == nil {
				s.blocks <- block{data: buf[:n]}
			}
			if err != nil {
				s.blocks <- block{err: err}
				return
			}
		}
	}()
}

func (s *streamSource) step(ctx context.Context, f *feed) error {
	wait := time.NewTimer(f.linger)
	defer wait.Stop()
	select {
	case b := <-s.blocks:
		if b.err != nil {
			return s.end(b.err, f)
		}
		s.have = append(s.have, b.data...)
		f.transformer.Counts.Bytes += uint64(len(b.data))
		s.empty <- b.data
		if err := s.cut(f, false); err != nil {
			s.ended = true
			return err
		}
	case <-wait.C:
	case <-f.hub.Closed():
	case <-ctx.Done():
	}
	f.tick()
	return f.closed()
}

// end is called when nothing more can be read.
func (s *streamSource) end(err error, f *feed) error {
	s.ended = true
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read standard input: %w", err)
	}
	if err := s.cut(f, true); err != nil {
		return err
	}
	return io.EOF
}

// cut cuts what there is into messages.
func (s *streamSource) cut(f *feed, eof bool) error {
	data := s.have
	for {
		msg, n, err := s.splitter.Next(data, eof)
		if err != nil {
			return fmt.Errorf("read standard input: message at byte %d: %w", s.offset+uint64(len(s.have)-len(data)), err)
		}
		if n == 0 {
			break
		}
		if !s.noted {
			s.noted = true
			s.log.Info("reading", "format", s.splitter.Encoding.String(), "line_ends_between_messages", s.splitter.Separated)
		}
		if len(msg) > 0 {
			if err := f.add(s.splitter.Encoding, msg); err != nil {
				return err
			}
		}
		data = data[n:]
	}
	s.offset += uint64(len(s.have) - len(data))
	s.have = append(s.have[:0], data...)
	return nil
}

func (s *streamSource) stop(*feed) error {
	if n := len(s.have); n > 0 && !s.ended {
		s.log.Warn("stopped in the middle of a message", "bytes_left", n)
	}
	return nil
}
