package parquet

import (
	"bytes"
	"encoding/binary"

	"github.com/weirflow/weir/producer/columns"
)

// bound finds the least and the greatest value of each page of a column, and of all.
func (w *Writer) bound(l *leaf, c *columns.Column, rows int) {
	ch := &w.chunk
	for row := 0; row < rows; row += pageRows {
		var p page
		p.least, p.most = w.bounded(l, c, row, min(row+pageRows, rows))
		ch.pages = append(ch.pages, p)
	}
	ch.least, ch.most = ch.pages[0].least, ch.pages[0].most
	for _, p := range ch.pages[1:] {
		if before(l, p.least, ch.least) {
			ch.least = p.least
		}
		if before(l, ch.most, p.most) {
			ch.most = p.most
		}
	}
}

// before compares two values as they are written.
func before(l *leaf, a, b []byte) bool {
	switch l.phys {
	case physInt32:
		return binary.LittleEndian.Uint32(a) < binary.LittleEndian.Uint32(b)
	case physInt64:
		a, b := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		if isTime(l.field) {
			return int64(a) < int64(b)
		}
		return a < b
	}
	return bytes.Compare(a, b) < 0
}

// bounded returns the least and the greatest value of some rows, at least one, as they are
// written.
func (w *Writer) bounded(l *leaf, c *columns.Column, from, to int) (least, most []byte) {
	if l.phys == physByteArray {
		return w.boundedTexts(c, from, to)
	}
	var lo, hi uint64
	switch {
	case c.Form == columns.Runs && len(c.Runs) == 0:
	case c.Form == columns.Runs:
		first := true
		for i, r := range c.Runs {
			begin := 0
			if i > 0 {
				begin = c.Runs[i-1].End
			}
			if r.End <= from || begin >= to {
				continue
			}
			if first {
				lo, hi, first = r.Value, r.Value, false
			}
			lo, hi = min(lo, r.Value), max(hi, r.Value)
		}
	case c.Width == 1:
		lo, hi = limits(c.U8[from:to])
	case c.Width == 2:
		lo, hi = limits(c.U16[from:to])
	case c.Width == 4:
		lo, hi = limits(c.U32[from:to])
	default:
		lo, hi = limits(c.U64[from:to])
	}
	return w.number(l, lo), w.number(l, hi)
}

func limits[T uint8 | uint16 | uint32 | uint64](values []T) (lo, hi uint64) {
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	return uint64(least), uint64(most)
}

// number keeps a number as it is written.
func (w *Writer) number(l *leaf, v uint64) []byte {
	if l.phys == physInt64 {
		return binary.LittleEndian.AppendUint64(nil, v)
	}
	return binary.LittleEndian.AppendUint32(nil, uint32(v))
}

// boundedTexts is bounded for strings of bytes.
func (w *Writer) boundedTexts(c *columns.Column, from, to int) (least, most []byte) {
	first := true
	note := func(v []byte) {
		if first || bytes.Compare(v, least) < 0 {
			least = v
		}
		if first || bytes.Compare(v, most) > 0 {
			most = v
		}
		first = false
	}
	switch c.Form {
	case columns.Runs: // all are empty
	case columns.TextRuns:
		begin := 0
		for _, r := range c.Runs {
			if r.End > from && begin < to {
				note(textOf(c, r.Value))
			}
			begin = r.End
		}
	default:
		for row := from; row < to; row++ {
			note(c.AppendBytes(nil, row))
		}
	}
	return least, most
}

// textOf returns the string of a run of TextRuns. It is a view.
func textOf(c *columns.Column, place uint64) []byte {
	if place == 0 {
		return nil
	}
	begin := uint32(0)
	if place > 1 {
		begin = c.Ends[place-2]
	}
	return c.Data[begin:c.Ends[place-1]]
}
