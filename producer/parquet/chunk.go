package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/weirflow/weir/producer/columns"
)

// Encodings.
const (
	encPlain       = 0
	encRLE         = 3
	encDelta       = 5
	encDeltaLength = 6
	encDictionary  = 8
)

// pageRows is how many rows a page has: readers that prune by page skip so many.
const pageRows = 1 << 15

// retry is how many row groups a column that had too many values for a dictionary has none.
const retry = 15

// A chunk is a column of a row group, on its way to the file.
type chunk struct {
	encoding     int64
	compressed   bool
	values       int64
	dictAt       int64 // offset in the file, 0 for no dictionary
	dataAt       int64
	size, packed int64 // bytes before compression and as they are
	pages        []page
	stats        bool
	full         bool // an optional column of which all rows have a value
	least, most  []byte
}

type page struct {
	at, size, row int64
	least, most   []byte
}

// numbers encodes a column of numbers of rows that all have a value.
func (w *Writer) numbers(l *leaf, c *columns.Column, rows, at int) {
	ch := &w.chunk
	ch.values, ch.encoding = int64(rows), encDictionary
	w.idx = longer(w.idx, rows)
	d := &w.dict
	switch {
	case c.Form == columns.Runs:
		w.runs(l, c.Runs, rows)
		return
	case c.Width == 1:
		d.values = d.values[:0]
		var seen [256]uint8
		for _, v := range c.U8 {
			seen[v] = 1
		}
		for v, s := range seen {
			if s != 0 {
				seen[v] = uint8(len(d.values))
				d.values = append(d.values, uint64(v))
			}
		}
		for i, v := range c.U8 {
			w.idx[i] = uint32(seen[v])
		}
	case c.Width == 2:
		d.values = d.values[:0]
		if w.table == nil {
			w.table = new([1 << 16]uint32)
		}
		clear(w.table[:])
		for i, v := range c.U16 {
			s := w.table[v]
			if s == 0 {
				d.values = append(d.values, uint64(v))
				s = uint32(len(d.values))
				w.table[v] = s
			}
			w.idx[i] = s - 1
		}
	case c.Width == 4:
		if w.skip[at] > 0 || !number(d, w.idx, c.U32, maxDict/2, true) || !worth(d, l, rows) {
			w.skipped(at)
			w.plain32(l, c.U32)
			return
		}
	default:
		if w.skip[at] > 0 || !number(d, w.idx, c.U64, maxDict, true) || !worth(d, l, rows) {
			w.skipped(at)
			w.plain64(l, c.U64)
			return
		}
	}
	w.dictionary(l)
	width := bits.Len(uint(len(d.values) - 1))
	for row := 0; row < rows; row += pageRows {
		part := w.idx[row:min(row+pageRows, rows)]
		w.page = appendIndexes(w.begin(len(part)), part, width)
		w.dataPage(len(part), row)
	}
}

// begin returns the beginning of a page of n values: nothing, or the levels of an optional
// column that has them all.
func (w *Writer) begin(n int) []byte {
	b := w.page[:0]
	if w.chunk.full {
		b = appendRun(append(b, 0, 0, 0, 0), n, 1, 1)
		binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	}
	return b
}

// appendIndexes appends the numbers of values in a dictionary.
func appendIndexes(b []byte, idx []uint32, width int) []byte {
	b = append(b, byte(width))
	if width == 0 {
		return appendRun(b, len(idx), 0, 0)
	}
	return appendPacked(b, idx, width)
}

// worth tells whether a dictionary makes a column smaller.
func worth(d *dict, l *leaf, rows int) bool {
	size := 4
	if l.phys == physInt64 {
		size = 5 // of a difference
	}
	if l.phys == physByteArray {
		return len(d.values)*8+rows*bits.Len(uint(len(d.values)))/8 < rows*size
	}
	each := 4
	if l.phys == physInt64 {
		each = 8
	}
	return len(d.values)*each+rows*bits.Len(uint(len(d.values)))/8 < rows*size
}

// skipped notes that a column has no dictionary in this row group.
func (w *Writer) skipped(at int) {
	if w.skip[at] == 0 {
		w.skip[at] = retry
	} else {
		w.skip[at]--
	}
}

// runs encodes a column of runs; one without runs is 0.
func (w *Writer) runs(l *leaf, runs []columns.Run, rows int) {
	d := &w.dict
	if len(runs) == 0 {
		runs = append(w.one[:0], columns.Run{Value: 0, End: rows})
	}
	w.runIdx = longer(w.runIdx, len(runs))
	w.runValues = w.runValues[:0]
	for i := range runs {
		w.runValues = append(w.runValues, runs[i].Value)
	}
	if !number(d, w.runIdx, w.runValues, maxDict, false) {
		w.plainRuns(l, runs)
		return
	}
	w.dictionary(l)
	w.runPages(runs, rows)
}

// runPages writes the pages of a column of runs whose numbers are in runIdx.
func (w *Writer) runPages(runs []columns.Run, rows int) {
	width := bits.Len(uint(len(w.dict.values) - 1))
	for row, i := 0, 0; row < rows; row += pageRows {
		end := min(row+pageRows, rows)
		b := append(w.begin(end-row), byte(width))
		for at := row; at < end; {
			for runs[i].End <= at {
				i++
			}
			to := min(runs[i].End, end)
			b = appendRun(b, to-at, w.runIdx[i], width)
			at = to
		}
		w.page = b
		w.dataPage(end-row, row)
	}
}

// plainRuns writes runs of more values than a dictionary takes as numbers.
func (w *Writer) plainRuns(l *leaf, runs []columns.Run) {
	w.wide = w.wide[:0]
	for _, r := range runs {
		for len(w.wide) < r.End {
			w.wide = append(w.wide, r.Value)
		}
	}
	w.plain64(l, w.wide)
}

// dictionary writes the page of the dictionary. It is PLAIN.
func (w *Writer) dictionary(l *leaf) {
	b := w.page[:0]
	for _, v := range w.dict.values {
		switch l.phys {
		case physInt32:
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		case physInt64:
			b = binary.LittleEndian.AppendUint64(b, v)
		default:
			b = binary.LittleEndian.AppendUint32(b, 4)
			b = appendFour(b, uint32(v))
		}
	}
	w.page = b
	w.dictPage(len(w.dict.values))
}

// plain32 writes numbers of 32 bits without a dictionary.
func (w *Writer) plain32(l *leaf, values []uint32) {
	ch := &w.chunk
	ch.encoding, ch.compressed = encPlain, true
	if l.phys == physInt64 {
		ch.encoding, ch.compressed = encDelta, false
	}
	for row := 0; row < len(values); row += pageRows {
		part := values[row:min(row+pageRows, len(values))]
		if l.phys == physInt64 {
			w.page = appendDelta(w.begin(len(part)), part)
		} else {
			b := room(w.begin(len(part)), 4*len(part))
			for _, v := range part {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
			w.page = b
		}
		w.dataPage(len(part), row)
	}
}

// plain64 does the same for those of 64 bits.
func (w *Writer) plain64(l *leaf, values []uint64) {
	ch := &w.chunk
	ch.encoding, ch.compressed = encDelta, false
	if l.phys == physInt32 {
		ch.encoding, ch.compressed = encPlain, true
	}
	for row := 0; row < len(values); row += pageRows {
		part := values[row:min(row+pageRows, len(values))]
		if l.phys == physInt64 {
			w.page = appendDelta(w.begin(len(part)), part)
		} else {
			w.page = w.begin(len(part))
			for _, v := range part {
				w.page = binary.LittleEndian.AppendUint32(w.page, uint32(v))
			}
		}
		w.dataPage(len(part), row)
	}
}

func longer[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
