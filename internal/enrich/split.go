package enrich

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxMessage is the length that a message of a stream may have.
const MaxMessage = 1 << 20

// Encoding is how the messages of a stream are written.
type Encoding uint8

// Encodings.
const (
	Unknown Encoding = iota
	Bin              // protobuf messages, each after its length as a varint
	JSON             // objects, one a line
)

// String returns the encoding's name.
func (e Encoding) String() string { return [...]string{"unknown", "bin", "json"}[e] }

// ErrTorn says that a stream ends in the middle of a message.
var ErrTorn = errors.New("stream ends in the middle of a message")

// ErrLength says that no message can be as long as the stream says: it is no
// stream of messages, or bytes of it are lost. What follows cannot be read, as
// nothing marks where a message begins.
var ErrLength = errors.New("not the length of a message")

// A Splitter cuts a stream into messages. It is not for concurrent use.
type Splitter struct {
	// Encoding is that of the stream; Unknown until its first bytes were
	// seen.
	Encoding Encoding
	// Separated says that a line end follows every protobuf message, as it
	// does from goflow2 and weir unless -transport.file.sep is empty.
	Separated bool

	settled bool // Separated is known
}

// Next returns the first message in data, without its length or line end, and
// how many bytes of data it takes with them. With n = 0 there is no whole
// message: more data is needed, or, if eof says that there is no more, the
// stream is at its end. An empty message with n > 0 is none, and to be passed
// over. The message is a view into data.
func (s *Splitter) Next(data []byte, eof bool) (msg []byte, n int, err error) {
	if len(data) == 0 {
		return nil, 0, nil
	}
	if s.Encoding == Unknown {
		if len(data) == 1 && !eof {
			return nil, 0, nil
		}
		s.Encoding = detect(data)
	}
	if s.Encoding == JSON {
		return s.line(data, eof)
	}
	return s.delimited(data, eof)
}

// detect tells JSON from protobuf. An object's brace would be the length of a
// message of 123 bytes, whose first byte would then be no tag of a FlowMessage.
func detect(data []byte) Encoding {
	text := bytes.TrimLeft(data, " \t\r\n")
	if len(text) > 0 && text[0] == '{' && (len(text) == 1 || bytes.IndexByte([]byte("\" \t\r\n}"), text[1]) >= 0) {
		return JSON
	}
	return Bin
}

func (s *Splitter) line(data []byte, eof bool) (msg []byte, n int, err error) {
	end := bytes.IndexByte(data, '\n')
	switch {
	case end >= 0:
		return bytes.TrimSpace(data[:end]), end + 1, nil
	case eof:
		return bytes.TrimSpace(data), len(data), nil
	case len(data) > MaxMessage:
		return nil, 0, fmt.Errorf("line of more than %d bytes: %w", MaxMessage, ErrLength)
	}
	return nil, 0, nil
}

func (s *Splitter) delimited(data []byte, eof bool) (msg []byte, n int, err error) {
	size, k := binary.Uvarint(data)
	switch {
	case k < 0 || size > MaxMessage || k > 0 && size == 0:
		return nil, 0, fmt.Errorf("%d, at most %d are possible: %w", size, MaxMessage, ErrLength)
	case k == 0 || size > uint64(len(data)-k):
		if eof {
			return nil, 0, fmt.Errorf("%d bytes of it are there: %w", len(data), ErrTorn)
		}
		return nil, 0, nil
	}
	n = k + int(size)
	msg = data[k:n]
	rest := data[n:]
	if !s.settled && !s.settle(rest, eof) {
		return nil, 0, nil
	}
	if !s.Separated {
		return msg, n, nil
	}
	switch {
	case len(rest) == 0 && !eof:
		return nil, 0, nil
	case len(rest) > 0 && rest[0] != '\n':
		return nil, 0, fmt.Errorf("no line end behind it, as there was behind the first one: %w", ErrLength)
	case len(rest) > 0:
		n++
	}
	return msg, n, nil
}

// settle finds out from what is behind the first message whether there are line
// ends; false if more has to be there for that. A line end could be the length
// of a message of ten bytes too. But messages begin with their type: one of ten
// bytes has the tag of the type at once, and not, as after a line end, a length
// first.
func (s *Splitter) settle(rest []byte, eof bool) bool {
	const enough = 4 // line end, length, tag
	switch {
	case len(rest) > 0 && rest[0] != '\n':
	case len(rest) < enough && !eof:
		return false
	default:
		s.Separated = len(rest) == 1 || len(rest) > 1 && startsMessage(rest[1:])
	}
	s.settled = true
	return true
}

// startsMessage says whether data begins with the length of a message, and then
// its type.
func startsMessage(data []byte) bool {
	_, k := binary.Uvarint(data)
	return k > 0 && k < len(data) && data[k] == 1<<3
}
