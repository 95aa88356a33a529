package enrich

import (
	"errors"
	"fmt"

	"github.com/weirflow/weir/producer"
)

// ErrObject says that text is no JSON object of a flow.
var ErrObject = errors.New("not a JSON object")

// Output is how messages are written.
type Output uint8

// Outputs.
const (
	OutputJSON Output = iota
	OutputBin
	OutputText
)

// Counts are what became of the messages of a stream.
type Counts struct {
	// Messages were read; those that were Malformed are not written.
	Messages, Malformed uint64
	// Bytes were read.
	Bytes uint64
}

// A Transformer writes enriched messages into batches. It is not for concurrent
// use.
type Transformer struct {
	// Counts are the transformer's own.
	Counts Counts

	rewriter  *Rewriter
	output    Output
	separator []byte
	parser    producer.Parser
	plain     *producer.Program
}

// NewTransformer returns a transformer that writes messages as output says, each
// followed by separator.
func NewTransformer(r *Rewriter, output Output, separator string) *Transformer {
	return &Transformer{rewriter: r, output: output, separator: []byte(separator), plain: producer.PlainProgram()}
}

// Begin is called before each block of messages: new databases count from there.
func (t *Transformer) Begin() { t.rewriter.Begin() }

// Append appends a message of that encoding, without its length or line end, to
// the batch. One that is malformed is counted and left out.
func (t *Transformer) Append(b *producer.Batch, encoding Encoding, msg []byte) {
	t.Counts.Messages++
	before := len(b.Buf)
	out, err := t.append(b.Buf, encoding, msg)
	if err != nil {
		t.Counts.Malformed++
		b.Buf = b.Buf[:before]
		return
	}
	b.Buf = append(out, t.separator...)
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
}

func (t *Transformer) append(dst []byte, encoding Encoding, msg []byte) ([]byte, error) {
	switch {
	case encoding == Bin && t.output == OutputBin:
		return t.rewriter.Append(dst, msg)
	case encoding == JSON && t.output == OutputJSON:
		return t.rewriter.appendJSON(dst, msg)
	}
	var f *producer.Flow
	if encoding == JSON {
		var err error
		if f, err = t.parser.ParseJSON(msg); err != nil {
			return dst, fmt.Errorf("%w: %w", ErrObject, err)
		}
	} else {
		var ok bool
		if f, ok = t.parser.Parse(msg); !ok {
			return dst, ErrMessage
		}
	}
	t.rewriter.enrich(f)
	switch t.output {
	case OutputBin:
		return producer.AppendDelimited(dst, f), nil
	case OutputText:
		return producer.AppendCountriesText(t.plain.AppendText(dst, f), f), nil
	}
	return producer.AppendCountriesJSON(t.plain.AppendJSON(dst, f), f), nil
}

// enrich adds to a flow what is known about its addresses.
func (r *Rewriter) enrich(f *producer.Flow) {
	if r.rate != 0 {
		f.SamplingRate = r.rate
	}
	if r.cache == nil {
		return
	}
	f.Enrich(r.cache)
}
