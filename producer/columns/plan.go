package columns

// A Plan reads data sets of records of one length: which field is where in a record. It is
// immutable once made, and for any number of batches and goroutines.
type Plan struct {
	stride int
	ops    []op
}

// An op reads one field.
type op struct {
	kind   kind
	some   bool // zero is a value too
	field  uint8
	width  uint8
	offset uint32
	shift  uint8
	mask   uint64
}

type kind uint8

const (
	opWhole kind = iota // a whole number of 1, 2, 4 or 8 bytes
	opPart              // a number of any width, or a part of its bits
	opFour              // an address of 4 bytes
	opBytes             // an address of another length
	opSome              // an address; zeros are none
)

// NewPlan returns a plan without fields for records of so many bytes.
func NewPlan(stride int) *Plan { return &Plan{stride: stride} }

// Number adds a number that is big-endian in width bytes at an offset, at most 8: without the
// lowest shift bits, and of the rest those in mask. Zero is a value if optional.
func (p *Plan) Number(field uint8, offset uint32, width, shift uint8, mask uint64, optional bool) {
	o := op{kind: opPart, some: optional, field: field, width: width, offset: offset, shift: shift, mask: mask}
	if shift == 0 && (width == 1 || width == 2 || width == 4 || width == 8) && mask>>(8*width-1)&1 == 1 && mask&(mask+1) == 0 {
		o.kind = opWhole
	}
	p.ops = append(p.ops, o)
}

// Address adds a string of 4 or 16 bytes at an offset. If zeroIsNone, one of zeros is none.
func (p *Plan) Address(field uint8, offset uint32, width uint8, zeroIsNone bool) {
	o := op{kind: opBytes, field: field, width: width, offset: offset}
	switch {
	case zeroIsNone:
		o.kind = opSome
	case width == 4:
		o.kind = opFour
	}
	p.ops = append(p.ops, o)
}

// Fill sets the fields of the plan in n rows after the last Commit, from the n records that
// body begins with.
func (b *Batch) Fill(p *Plan, body []byte, n int) {
	if n == 0 {
		return
	}
	body = body[:n*p.stride]
	for i := range p.ops {
		o := &p.ops[i]
		c := b.use(o.field)
		switch o.kind {
		case opWhole:
			if c.Form != Dense || c.Width < o.width || c.rows != b.rows {
				c.dense(b.rows, o.width)
			}
			c.whole(o, body, p.stride, n)
			if o.some {
				c.present(b.rows, n)
			}
		case opPart:
			c.parts(o, body, p.stride, b.rows, n)
		case opFour:
			if !c.fours(b.rows) {
				c.texts(o, body, p.stride, b.rows, n)
				continue
			}
			at := c.rows
			c.rows += n
			if c.rows > cap(c.U32) {
				c.U32 = longer(c.U32, c.rows)
			}
			c.U32 = c.U32[:c.rows]
			gather4(c.U32[at:], body[o.offset:], p.stride)
		case opBytes, opSome:
			c.texts(o, body, p.stride, b.rows, n)
		}
	}
}

// whole appends n whole numbers to a dense column that is wide enough.
func (c *Column) whole(o *op, body []byte, stride, n int) {
	at := c.rows
	to := at + n
	c.rows = to
	src := body[o.offset:]
	switch c.Width {
	case 1:
		if to > cap(c.U8) {
			c.U8 = longer(c.U8, to)
		}
		c.U8 = c.U8[:to]
		gather8(c.U8[at:], src, stride)
	case 2:
		if to > cap(c.U16) {
			c.U16 = longer(c.U16, to)
		}
		c.U16 = c.U16[:to]
		if o.width == 2 {
			gather16(c.U16[at:], src, stride)
		} else {
			widen8(c.U16[at:], src, stride)
		}
	case 4:
		if to > cap(c.U32) {
			c.U32 = longer(c.U32, to)
		}
		c.U32 = c.U32[:to]
		switch d := c.U32[at:]; o.width {
		case 4:
			gather32(d, src, stride)
		case 2:
			widen16(d, src, stride)
		default:
			widen8(d, src, stride)
		}
	default:
		if to > cap(c.U64) {
			c.U64 = longer(c.U64, to)
		}
		c.U64 = c.U64[:to]
		switch d := c.U64[at:]; o.width {
		case 8:
			gather64(d, src, stride)
		case 4:
			widen32(d, src, stride)
		case 2:
			widen16(d, src, stride)
		default:
			widen8(d, src, stride)
		}
	}
}

// parts appends n numbers of any width.
func (c *Column) parts(o *op, body []byte, stride, row, n int) {
	bytes := min(widthOf(o.mask), wider[o.width])
	if c.Form != Dense || c.Width < bytes || c.rows != row {
		c.dense(row, bytes)
	}
	c.extend(n)
	src := body[o.offset:]
	switch c.Width {
	case 1:
		partsOf(c.U8[row:], o, src, stride)
	case 2:
		if o.width == 2 && o.shift == 0 {
			gather16(c.U16[row:], src, stride)
			for i, mask := row, uint16(o.mask); i < row+n; i++ {
				c.U16[i] &= mask
			}
			break
		}
		partsOf(c.U16[row:], o, src, stride)
	case 4:
		partsOf(c.U32[row:], o, src, stride)
	default:
		partsOf(c.U64[row:], o, src, stride)
	}
	c.rows += n
	if o.some {
		c.present(row, n)
	}
}

// wider are the widths of columns that take so many bytes.
var wider = [9]uint8{1, 1, 2, 4, 4, 8, 8, 8, 8}

func partsOf[T uint8 | uint16 | uint32 | uint64](dst []T, o *op, src []byte, stride int) {
	for i := range dst {
		v := uint64(0)
		for _, x := range src[i*stride:][:o.width] {
			v = v<<8 | uint64(x)
		}
		dst[i] = T(v >> o.shift & o.mask)
	}
}

// texts appends n strings of bytes.
func (c *Column) texts(o *op, body []byte, stride, row, n int) {
	if c.Form != Texts {
		c.toTexts()
	}
	c.pad(row)
	for i := range n {
		v := body[i*stride+int(o.offset):][:o.width]
		if o.kind != opSome || !allZero(v) {
			c.Data = append(c.Data, v...)
		}
		c.Ends = append(c.Ends, uint32(len(c.Data)))
	}
	c.rows += n
}

func allZero(v []byte) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
