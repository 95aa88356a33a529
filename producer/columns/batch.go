package columns

import "github.com/weirflow/weir/producer/schema"

// A Batch holds the columns of all fields of the schema, by their place in schema.Fields. It
// is for one goroutine at a time.
type Batch struct {
	rows int
	cols []Column
	used []uint8 // fields that rows have a value of, in the order in which they were met
	seen [256]bool
}

// New returns an empty batch. It grows as it is filled.
func New() *Batch { return &Batch{cols: make([]Column, len(schema.Fields))} }

// Rows returns the number of flows in the batch.
func (b *Batch) Rows() int { return b.rows }

// Column returns the column of a field. Rows that it does not reach have no value: see
// [Batch.Finish].
func (b *Batch) Column(field int) *Column { return &b.cols[field] }

// Memory returns how many bytes the batch has allocated.
func (b *Batch) Memory() int {
	n := 0
	for _, f := range b.used {
		n += b.cols[f].memory()
	}
	return n
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	for _, f := range b.used {
		b.cols[f].reset()
	}
	b.rows = 0
}

// Commit ends n rows.
func (b *Batch) Commit(n int) { b.rows += n }

// Finish has all columns that any row has a value of reach up to the last row. Columns
// without a value have no runs.
func (b *Batch) Finish() {
	for _, f := range b.used {
		if c := &b.cols[f]; c.rows > 0 {
			c.pad(b.rows)
		}
	}
}

// use returns the column of a field, to be set.
func (b *Batch) use(field uint8) *Column {
	if !b.seen[field] {
		b.seen[field] = true
		b.used = append(b.used, field)
	}
	return &b.cols[field]
}

// SetNumber sets n rows after the last Commit to a number.
func (b *Batch) SetNumber(field uint8, n int, v uint64) {
	if v == 0 {
		return
	}
	c := b.use(field)
	if c.Form == Runs && c.rows == b.rows {
		if last := len(c.Runs) - 1; last >= 0 && c.Runs[last].Value == v {
			c.rows += n
			c.Runs[last].End = c.rows
			return
		}
	}
	c.set(b.rows, n, v)
}

// SetAt sets the number of a row, counted from the last Commit. Rows of one field are set in
// ascending order.
func (b *Batch) SetAt(field uint8, row int, v uint64) {
	if v != 0 {
		b.use(field).set(b.rows+row, 1, v)
	}
}

// SetOptional is SetNumber for a field whose values are optional: 0 is one.
func (b *Batch) SetOptional(field uint8, n int, v uint64) {
	c := b.use(field)
	c.set(b.rows, n, v)
	c.present(b.rows, n)
}

// SetBytes sets n rows after the last Commit to a string of bytes.
func (b *Batch) SetBytes(field uint8, n int, v []byte) {
	if len(v) != 0 {
		b.use(field).setText(b.rows, n, v)
	}
}

// SetTextAt sets the string of bytes of a row, as SetAt does a number.
func (b *Batch) SetTextAt(field uint8, row int, v []byte) {
	if len(v) != 0 {
		b.use(field).setText(b.rows+row, 1, v)
	}
}

// SetList sets the row after the last Commit to a list of numbers.
func (b *Batch) SetList(field uint8, list []uint32) {
	if len(list) == 0 {
		return
	}
	c := b.use(field)
	c.Form = Lists
	c.pad(b.rows)
	c.U32 = append(c.U32, list...)
	c.Ends = append(c.Ends, uint32(len(c.U32)))
	c.rows++
}

// SetTexts sets the row after the last Commit to a list of strings of bytes.
func (b *Batch) SetTexts(field uint8, list [][]byte) {
	if len(list) == 0 {
		return
	}
	c := b.use(field)
	c.Form = Lists
	c.pad(b.rows)
	for _, v := range list {
		c.Data = append(c.Data, v...)
		c.Items = append(c.Items, uint32(len(c.Data)))
	}
	c.Ends = append(c.Ends, uint32(len(c.Items)))
	c.rows++
}

// SetSplit sets the row after the last Commit to a list of strings of size bytes, which data
// has one after the other.
func (b *Batch) SetSplit(field uint8, data []byte, size int) {
	if len(data) < size {
		return
	}
	c := b.use(field)
	c.Form = Lists
	c.pad(b.rows)
	for ; len(data) >= size; data = data[size:] {
		c.Data = append(c.Data, data[:size]...)
		c.Items = append(c.Items, uint32(len(c.Data)))
	}
	c.Ends = append(c.Ends, uint32(len(c.Items)))
	c.rows++
}

// Numbers returns room for the numbers of 64 bits of n rows after the last Commit, all of
// which the caller sets.
func (b *Batch) Numbers(field uint8, n int) []uint64 {
	c := b.use(field)
	if c.Form != Dense || c.Width != 8 || c.rows != b.rows {
		c.dense(b.rows, 8)
	}
	c.U64 = longer(c.U64, b.rows+n)
	c.rows = b.rows + n
	return c.U64[b.rows:]
}

// Cut takes back what Numbers returned room for, but for the first n rows.
func (b *Batch) Cut(field uint8, n int) {
	c := &b.cols[field]
	c.rows = b.rows + n
	c.U64 = c.U64[:c.rows]
}
