package parquet

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/weirflow/weir/producer/columns"
)

// texts encodes a column of strings of bytes.
func (w *Writer) texts(l *leaf, c *columns.Column, rows, at int) {
	ch := &w.chunk
	ch.values, ch.encoding = int64(rows), encDictionary
	switch c.Form {
	case columns.Fours:
		w.idx = longer(w.idx, rows)
		d := &w.dict
		if w.skip[at] > 0 || !number(d, w.idx, c.U32, maxDict/2, true) || !worth(d, l, rows) {
			w.skipped(at)
			w.fours(c.U32)
			return
		}
		w.dictionary(l)
		width := bits.Len(uint(len(d.values) - 1))
		for row := 0; row < rows; row += pageRows {
			part := w.idx[row:min(row+pageRows, rows)]
			w.page = appendIndexes(w.page[:0], part, width)
			w.dataPage(len(part), row)
		}
	case columns.Texts:
		w.strings(c, rows)
	default:
		w.textRuns(c, rows)
	}
}

// fours writes addresses of 4 bytes in DELTA_LENGTH_BYTE_ARRAY: lengths that do not change
// cost nothing.
func (w *Writer) fours(values []uint32) {
	ch := &w.chunk
	ch.encoding, ch.compressed = encDeltaLength, true
	for row := 0; row < len(values); row += pageRows {
		part := values[row:min(row+pageRows, len(values))]
		w.lengths = longer(w.lengths, len(part))
		for i := range w.lengths {
			w.lengths[i] = 4
		}
		b := appendDelta(w.page[:0], w.lengths)
		b = room(b, 4*len(part))
		for _, v := range part {
			b = appendFour(b, v)
		}
		w.page = b
		w.dataPage(len(part), row)
	}
}

// strings writes strings of any length.
func (w *Writer) strings(c *columns.Column, rows int) {
	ch := &w.chunk
	ch.encoding, ch.compressed = encDeltaLength, true
	from := uint32(0)
	for row := 0; row < rows; row += pageRows {
		ends := c.Ends[row:min(row+pageRows, rows)]
		w.lengths = longer(w.lengths, len(ends))
		last := from
		for i, end := range ends {
			w.lengths[i] = end - last
			last = end
		}
		b := appendDelta(w.page[:0], w.lengths)
		w.page = append(b, c.Data[from:last]...)
		from = last
		w.dataPage(len(ends), row)
	}
}

// textRuns writes strings that are the same for many rows: a dictionary, of which place 0 is
// the empty string.
func (w *Writer) textRuns(c *columns.Column, rows int) {
	if len(c.Ends) >= maxDict {
		w.spreadTexts(c)
		return
	}
	if w.fourRuns(c, rows) {
		return
	}
	b := binary.LittleEndian.AppendUint32(w.page[:0], 0)
	from := uint32(0)
	for _, end := range c.Ends {
		b = binary.LittleEndian.AppendUint32(b, end-from)
		b = append(b, c.Data[from:end]...)
		from = end
	}
	w.page = b
	w.dictPage(len(c.Ends) + 1)
	runs := c.Runs
	if len(runs) == 0 {
		runs = append(w.one[:0], columns.Run{Value: 0, End: rows})
	}
	w.runIdx = longer(w.runIdx, len(runs))
	for i := range runs {
		w.runIdx[i] = uint32(runs[i].Value)
	}
	w.dict.values = longer(w.dict.values, len(c.Ends)+1) // for the width
	w.runPages(runs, rows)
}

// fourRuns writes runs of addresses of 4 bytes, each of which is in the dictionary once; false
// where not all rows have one.
func (w *Writer) fourRuns(c *columns.Column, rows int) bool {
	if len(c.Data) != 4*len(c.Ends) {
		return false
	}
	w.runValues = w.runValues[:0]
	for _, r := range c.Runs {
		v := textOf(c, r.Value)
		if len(v) != 4 {
			return false
		}
		w.runValues = append(w.runValues, uint64(binary.NativeEndian.Uint32(v)))
	}
	w.runIdx = longer(w.runIdx, len(c.Runs))
	if len(c.Runs) == 0 || !number(&w.dict, w.runIdx, w.runValues, maxDict, false) {
		return false
	}
	w.dictionary(&leaf{phys: physByteArray})
	w.runPages(c.Runs, rows)
	return true
}

// spreadTexts writes runs of more strings than a dictionary takes.
func (w *Writer) spreadTexts(c *columns.Column) {
	var all columns.Column
	all.Form = columns.Texts
	row := 0
	for _, r := range c.Runs {
		for ; row < r.End; row++ {
			all.Data = c.AppendBytes(all.Data, row)
			all.Ends = append(all.Ends, uint32(len(all.Data)))
		}
	}
	w.strings(&all, row)
}

// optional encodes a column of which some rows have no value, or all.
func (w *Writer) optional(l *leaf, c *columns.Column, rows, at int) {
	if len(c.Present) == rows && bytes.IndexByte(c.Present, 0) < 0 {
		w.chunk.full = true
		w.numbers(l, c, rows, at)
		return
	}
	if len(c.Present) == 0 {
		w.none(rows, false)
		return
	}
	w.levels = longer(w.levels, rows)
	clear(w.levels)
	w.wide = w.wide[:0]
	for i, p := range c.Present {
		if p != 0 {
			w.levels[i] = 1
			w.wide = append(w.wide, c.Number(i))
		}
	}
	ch := &w.chunk
	ch.values, ch.encoding, ch.compressed = int64(rows), encPlain, len(w.wide) > 0
	w.page = appendLevels(w.page[:0], w.levels)
	if len(w.wide) == 0 {
		w.dataPage(rows, 0)
		return
	}
	w.idx = longer(w.idx, len(w.wide))
	if number(&w.dict, w.idx, w.wide, maxDict, false) {
		ch.encoding, ch.compressed = encDictionary, false
		w.dictionary(l)
		width := bits.Len(uint(len(w.dict.values) - 1))
		w.page = appendIndexes(appendLevels(w.page[:0], w.levels), w.idx, width)
		w.dataPage(rows, 0)
		return
	}
	for _, v := range w.wide {
		if l.phys == physInt64 {
			w.page = binary.LittleEndian.AppendUint64(w.page, v)
		} else {
			w.page = binary.LittleEndian.AppendUint32(w.page, uint32(v))
		}
	}
	w.dataPage(rows, 0)
}

// none encodes a column of which no row has a value.
func (w *Writer) none(rows int, list bool) {
	w.chunk.values, w.chunk.encoding = int64(rows), encPlain
	b := w.page[:0]
	for range 1 + btoi(list) {
		at := len(b)
		b = appendRun(append(b, 0, 0, 0, 0), rows, 0, 1)
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	w.page = b
	w.dataPage(rows, 0)
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

// lists encodes a column of lists. In an empty list there is one level and no value.
func (w *Writer) lists(l *leaf, c *columns.Column, rows int) {
	if len(c.Ends) == 0 {
		w.none(rows, true)
		return
	}
	w.levels, w.repeats = w.levels[:0], w.repeats[:0]
	from := uint32(0)
	for row := range rows {
		end := from
		if row < len(c.Ends) {
			end = c.Ends[row]
		}
		if end == from {
			w.levels, w.repeats = append(w.levels, 0), append(w.repeats, 0)
			continue
		}
		for i := from; i < end; i++ {
			again := uint8(1)
			if i == from {
				again = 0
			}
			w.levels, w.repeats = append(w.levels, 1), append(w.repeats, again)
		}
		from = end
	}
	ch := &w.chunk
	ch.values, ch.encoding, ch.compressed = int64(len(w.levels)), encPlain, from > 0
	b := appendLevels(appendLevels(w.page[:0], w.repeats), w.levels)
	for i := range int(from) {
		if l.phys == physInt32 {
			b = binary.LittleEndian.AppendUint32(b, c.U32[i])
			continue
		}
		begin := uint32(0)
		if i > 0 {
			begin = c.Items[i-1]
		}
		v := c.Data[begin:c.Items[i]]
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	w.page = b
	w.dataPage(len(w.levels), 0)
}

// appendLevels appends levels of 0 and 1 after their length in bytes.
func appendLevels(dst []byte, levels []uint8) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	same := true
	for _, l := range levels {
		same = same && l == levels[0]
	}
	if same && len(levels) > 0 {
		dst = appendRun(dst, len(levels), uint32(levels[0]), 1)
	} else {
		groups := (len(levels) + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		for i := 0; i < len(levels); i += 8 {
			v := byte(0)
			for j, l := range levels[i:min(i+8, len(levels))] {
				v |= l << j
			}
			dst = append(dst, v)
		}
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendFour appends 4 bytes that are in the byte order of memory.
func appendFour(dst []byte, v uint32) []byte { return binary.NativeEndian.AppendUint32(dst, v) }
