package columns

import "slices"

// Form is how a column holds its values.
type Form uint8

// Forms.
const (
	// Runs: [Column.Runs] of numbers. A column without runs is zero, or empty, in all rows.
	Runs Form = iota
	// Dense: a number for each row, in the slice of the column's width.
	Dense
	// Texts: a string of bytes for each row, in Data up to its end in Ends.
	Texts
	// TextRuns: strings of bytes in Data up to their ends in Ends, each for the rows of the
	// run that has its place as value.
	TextRuns
	// Fours: strings of 4 bytes, in U32 in the byte order of memory: the lowest address has
	// the first byte.
	Fours
	// Lists: for each row a list, whose elements end in Ends. They are in U32, or are strings
	// of bytes in Data up to their ends in Items.
	Lists
)

// A Run is a value of the rows from the end of the run before up to End.
type Run struct {
	Value uint64
	End   int
}

// A Column holds the values of one field. It is read only to all but its [Batch], and valid
// until that is filled or reset.
type Column struct {
	Form  Form
	Width uint8 // bytes of a Dense number: 1, 2, 4 or 8
	rows  int   // that have a value; those that follow are zero or empty
	want  uint8 // the width of the batch before
	was   Form  // of the batch before

	Runs []Run
	U8   []uint8
	U16  []uint16
	U32  []uint32
	U64  []uint64
	Ends []uint32
	Data []byte
	// Items are the ends in Data of the strings of Lists.
	Items []uint32
	// Present says for each row of a field with optional values whether it has one: 1 or 0.
	// It may be shorter than the column: the rest have none.
	Present []uint8
}

// reset empties the column, and keeps its memory and its width.
func (c *Column) reset() {
	if c.Form == Dense {
		c.want = c.Width
	}
	c.was = c.Form
	c.Form, c.rows = Runs, 0
	c.Runs, c.Ends, c.Data, c.Items, c.Present = c.Runs[:0], c.Ends[:0], c.Data[:0], c.Items[:0], c.Present[:0]
	c.U8, c.U16, c.U32, c.U64 = c.U8[:0], c.U16[:0], c.U32[:0], c.U64[:0]
}

// memory returns how many bytes the column has allocated.
func (c *Column) memory() int {
	return 16*cap(c.Runs) + cap(c.U8) + 2*cap(c.U16) + 4*cap(c.U32) + 8*cap(c.U64) +
		4*cap(c.Ends) + cap(c.Data) + 4*cap(c.Items) + cap(c.Present)
}

// Number returns the number of a row, 0 for one that has none.
func (c *Column) Number(row int) uint64 {
	if row >= c.rows {
		return 0
	}
	if c.Form == Runs {
		return c.Runs[findRun(c.Runs, row)].Value
	}
	switch c.Width {
	case 1:
		return uint64(c.U8[row])
	case 2:
		return uint64(c.U16[row])
	case 4:
		return uint64(c.U32[row])
	}
	return c.U64[row]
}

// findRun returns the place of the run of a row.
func findRun(runs []Run, row int) int {
	i, _ := slices.BinarySearchFunc(runs, row+1, func(r Run, end int) int { return r.End - end })
	return i
}

// text returns string i of Data.
func (c *Column) text(i int) []byte { return c.Data[start(c.Ends, i):c.Ends[i]] }

// start returns where the part i begins.
func start(ends []uint32, i int) uint32 {
	if i == 0 {
		return 0
	}
	return ends[i-1]
}

// AppendBytes appends the string of bytes of a row to dst.
func (c *Column) AppendBytes(dst []byte, row int) []byte {
	if row >= c.rows {
		return dst
	}
	switch c.Form {
	case Texts:
		return append(dst, c.text(row)...)
	case TextRuns:
		if i := c.Runs[findRun(c.Runs, row)].Value; i > 0 {
			return append(dst, c.text(int(i)-1)...)
		}
	case Fours:
		b := four(c.U32[row])
		return append(dst, b[:]...)
	}
	return dst
}

// AppendList appends the numbers of a row's list to dst.
func (c *Column) AppendList(dst []uint32, row int) []uint32 {
	if c.Form != Lists || row >= c.rows {
		return dst
	}
	return append(dst, c.U32[start(c.Ends, row):c.Ends[row]]...)
}

// AppendTexts appends the strings of a row's list to dst. They are views.
func (c *Column) AppendTexts(dst [][]byte, row int) [][]byte {
	if c.Form != Lists || row >= c.rows {
		return dst
	}
	for i := int(start(c.Ends, row)); i < int(c.Ends[row]); i++ {
		dst = append(dst, c.Data[start(c.Items, i):c.Items[i]])
	}
	return dst
}

// Has reports whether a row has an optional value.
func (c *Column) Has(row int) bool { return row < len(c.Present) && c.Present[row] != 0 }

// pad has the column reach up to a row with zeros, or empty strings and lists.
func (c *Column) pad(row int) {
	n := row - c.rows
	if n <= 0 {
		return
	}
	switch c.Form {
	case Runs, TextRuns:
		c.run(n, 0)
		return
	case Dense:
		c.extend(n)
		switch c.Width {
		case 1:
			clear(c.U8[c.rows:])
		case 2:
			clear(c.U16[c.rows:])
		case 4:
			clear(c.U32[c.rows:])
		default:
			clear(c.U64[c.rows:])
		}
	case Fours:
		c.toTexts()
		fallthrough
	default:
		end := uint32(0)
		if c.Form == Texts {
			end = uint32(len(c.Data))
		} else if len(c.Ends) > 0 {
			end = c.Ends[len(c.Ends)-1]
		}
		for range n {
			c.Ends = append(c.Ends, end)
		}
	}
	c.rows = row
}

// extend makes the dense slice n rows longer than the column. What is in them is left over.
func (c *Column) extend(n int) {
	to := c.rows + n
	switch c.Width {
	case 1:
		c.U8 = longer(c.U8, to)
	case 2:
		c.U16 = longer(c.U16, to)
	case 4:
		c.U32 = longer(c.U32, to)
	default:
		c.U64 = longer(c.U64, to)
	}
}

// longer returns s with a length of n.
func longer[T any](s []T, n int) []T {
	if n > cap(s) {
		s = slices.Grow(s, max(n-len(s), len(s), 64))
	}
	return s[:n]
}

// run appends n rows of one value to a column of runs.
func (c *Column) run(n int, v uint64) {
	c.rows += n
	if last := len(c.Runs) - 1; last >= 0 && c.Runs[last].Value == v {
		c.Runs[last].End = c.rows
		return
	}
	c.Runs = append(c.Runs, Run{v, c.rows})
}

// widthOf returns the narrowest width of a number.
func widthOf(v uint64) uint8 {
	switch {
	case v < 1<<8:
		return 1
	case v < 1<<16:
		return 2
	case v < 1<<32:
		return 4
	}
	return 8
}

// dense has the column hold a number for each row, in at least so many bytes, and reach up to
// a row.
func (c *Column) dense(row int, width uint8) {
	switch {
	case c.Form == Dense && c.Width >= width:
	case c.Form == Dense:
		c.widen(width)
	default:
		c.spread(width)
	}
	c.pad(row)
}

// spread makes a dense column of one of runs.
func (c *Column) spread(width uint8) {
	width = max(width, c.want)
	for i := range c.Runs {
		width = max(width, widthOf(c.Runs[i].Value))
	}
	rows := c.rows
	c.Form, c.Width, c.rows = Dense, width, 0
	c.extend(rows)
	for _, r := range c.Runs {
		c.fill(r.End-c.rows, r.Value)
	}
	c.Runs = c.Runs[:0]
}

// fill appends n rows of a value that fits to a dense column.
func (c *Column) fill(n int, v uint64) {
	c.extend(n)
	from := c.rows
	c.rows += n
	switch c.Width {
	case 1:
		repeat(c.U8[from:], uint8(v))
	case 2:
		repeat(c.U16[from:], uint16(v))
	case 4:
		repeat(c.U32[from:], uint32(v))
	default:
		repeat(c.U64[from:], v)
	}
}

func repeat[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// widen gives the numbers of a dense column more bytes.
func (c *Column) widen(width uint8) {
	old := *c
	c.Width = width
	c.extend(0)
	for i := range c.rows {
		v := old.Number(i)
		switch width {
		case 2:
			c.U16[i] = uint16(v)
		case 4:
			c.U32[i] = uint32(v)
		default:
			c.U64[i] = v
		}
	}
	switch old.Width {
	case 1:
		c.U8 = c.U8[:0]
	case 2:
		c.U16 = c.U16[:0]
	case 4:
		c.U32 = c.U32[:0]
	}
}

// shortRuns is how few rows a run may have on average: a column of shorter ones becomes dense.
const shortRuns = 3

// set sets n rows from row on to a number.
func (c *Column) set(row, n int, v uint64) {
	if c.Form == Runs {
		c.pad(row)
		c.run(n, v)
		if len(c.Runs) > 64 && len(c.Runs)*shortRuns > c.rows {
			c.spread(1)
		}
		return
	}
	c.dense(row, widthOf(v))
	c.fill(n, v)
}

// setText sets n rows from row on to a string of bytes.
func (c *Column) setText(row, n int, v []byte) {
	if c.Form == Runs {
		c.begin(row, len(v))
	}
	c.pad(row)
	if c.Form == TextRuns {
		last := len(c.Ends) - 1
		if last < 0 || string(c.text(last)) != string(v) {
			c.Data = append(c.Data, v...)
			c.Ends = append(c.Ends, uint32(len(c.Data)))
		}
		c.run(n, uint64(len(c.Ends)))
		if len(c.Runs) > 64 && len(c.Runs)*shortRuns > c.rows {
			c.toTexts()
		}
		return
	}
	if c.Form == Fours && len(v) != 4 {
		c.toTexts()
	}
	for range n {
		if c.Form == Fours {
			c.U32 = append(c.U32, fourOf(v))
			continue
		}
		c.Data = append(c.Data, v...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
	}
	c.rows += n
}

// begin gives an empty column of strings a form: that of the batch before, as the flows of
// this one will be like those.
func (c *Column) begin(row, size int) {
	switch {
	case c.was == Texts:
		c.Form = Texts
	case c.was == Fours && row == 0 && size == 4:
		c.Form = Fours
	default:
		c.Form = TextRuns
	}
}

// fours has the column hold 4 bytes for each row, if it is empty or does already.
func (c *Column) fours(row int) bool {
	if c.Form != Fours {
		if c.rows != 0 || row != 0 {
			return false
		}
		c.Form = Fours
	}
	return c.rows == row
}

// toTexts has the column hold a string of bytes for each row.
func (c *Column) toTexts() {
	switch c.Form {
	case Runs:
		rows := c.rows
		c.Form, c.rows, c.Runs = Texts, 0, c.Runs[:0]
		c.pad(rows)
	case TextRuns:
		data, ends := slices.Clone(c.Data), slices.Clone(c.Ends)
		c.Data, c.Ends = c.Data[:0], c.Ends[:0]
		row := 0
		for _, r := range c.Runs {
			var v []byte
			if r.Value > 0 {
				v = data[start(ends, int(r.Value)-1):ends[r.Value-1]]
			}
			for ; row < r.End; row++ {
				c.Data = append(c.Data, v...)
				c.Ends = append(c.Ends, uint32(len(c.Data)))
			}
		}
		c.Runs = c.Runs[:0]
	case Fours:
		for _, v := range c.U32 {
			b := four(v)
			c.Data = append(c.Data, b[:]...)
			c.Ends = append(c.Ends, uint32(len(c.Data)))
		}
		c.U32 = c.U32[:0]
	}
	c.Form = Texts
}

// present notes that n rows from row on have an optional value.
func (c *Column) present(row, n int) {
	was := len(c.Present)
	c.Present = longer(c.Present, row+n)
	clear(c.Present[was:row])
	repeat(c.Present[row:], 1)
}
