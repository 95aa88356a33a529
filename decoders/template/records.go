package template

import "encoding/binary"

// Records walks the data records of one set. The zero value is an empty walk.
// Not for concurrent use.
type Records[C comparable] struct {
	rest []byte
	t    *Template[C]

	// Record is the current record, a view into the message.
	Record []byte
	// Fault is FaultRecordTruncated if the walk ended at a record that goes
	// beyond the set.
	Fault Fault
}

// Init starts the walk over body, the body of a data set that t describes.
func (r *Records[C]) Init(body []byte, t *Template[C]) { *r = Records[C]{rest: body, t: t} }

// Next advances to the next record. Bytes at the end that are fewer than the
// shortest record are padding (RFC 7011 section 3.3.1).
func (r *Records[C]) Next() bool {
	if len(r.rest) < r.t.MinLength {
		return false
	}
	n := r.t.Length
	if r.t.Variable {
		n = r.t.recordLength(r.rest)
		if n < 0 {
			r.Fault = FaultRecordTruncated
			r.rest = nil
			return false
		}
	}
	r.Record = r.rest[:n:n]
	r.rest = r.rest[n:]
	return true
}

// Left returns the number of bytes that the walk has not consumed.
func (r *Records[C]) Left() int { return len(r.rest) }

// recordLength returns the length of the record at the beginning of b, or -1
// if it goes beyond b.
func (t *Template[C]) recordLength(b []byte) int {
	pos := 0
	for i := range t.walk {
		off, n := FieldSpan(&t.walk[i], b, pos)
		if n < 0 {
			return -1
		}
		pos = off + n
	}
	return pos
}

// FieldSpan returns the offset and the length of field f's value in record,
// where pos is the offset of the field: behind the length prefix for a
// variable length. The length is negative if the field goes beyond record.
func FieldSpan(f *Field, record []byte, pos int) (off, n int) {
	if f.Length != VariableLength {
		n = int(f.Length)
	} else {
		if pos >= len(record) {
			return pos, -1
		}
		n = int(record[pos])
		pos++
		if n == 255 {
			if len(record)-pos < 2 {
				return pos, -1
			}
			n = int(binary.BigEndian.Uint16(record[pos:]))
			pos += 2
		}
	}
	if n > len(record)-pos {
		return pos, -1
	}
	return pos, n
}
