package parquet

import "encoding/binary"

// thrift writes the compact protocol of Apache Thrift, as the metadata of Parquet files is
// written in. Fields of a struct come in ascending order of their ids.
type thrift struct {
	b    []byte
	last []int16 // id of the last field of each struct that is open
}

// Types of the compact protocol.
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeBinary = 8
	typeList   = 9
	typeStruct = 12
)

func (t *thrift) field(id int16, kind byte) {
	last := &t.last[len(t.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		t.b = append(t.b, byte(d)<<4|kind)
	} else {
		t.b = binary.AppendVarint(append(t.b, kind), int64(id))
	}
	*last = id
}

// open begins a struct, close ends it.
func (t *thrift) open() { t.last = append(t.last, 0) }
func (t *thrift) close() {
	t.b = append(t.b, 0)
	t.last = t.last[:len(t.last)-1]
}

// structure begins a struct that is a field.
func (t *thrift) structure(id int16) {
	t.field(id, typeStruct)
	t.open()
}

func (t *thrift) i16(id int16, v int64) { t.field(id, typeI16); t.b = binary.AppendVarint(t.b, v) }
func (t *thrift) i32(id int16, v int64) { t.field(id, typeI32); t.b = binary.AppendVarint(t.b, v) }
func (t *thrift) i64(id int16, v int64) { t.field(id, typeI64); t.b = binary.AppendVarint(t.b, v) }
func (t *thrift) i8(id int16, v byte)   { t.field(id, typeByte); t.b = append(t.b, v) }

func (t *thrift) boolean(id int16, v bool) {
	kind := byte(typeFalse)
	if v {
		kind = typeTrue
	}
	t.field(id, kind)
}

func (t *thrift) bytes(id int16, v []byte) { t.field(id, typeBinary); t.raw(v) }
func (t *thrift) text(id int16, v string)  { t.field(id, typeBinary); t.rawText(v) }

// list begins a list of n elements, which follow.
func (t *thrift) list(id int16, n int, kind byte) {
	t.field(id, typeList)
	if n < 15 {
		t.b = append(t.b, byte(n)<<4|kind)
		return
	}
	t.b = binary.AppendUvarint(append(t.b, 0xf0|kind), uint64(n))
}

// raw, rawText and number are elements of lists.
func (t *thrift) raw(v []byte) { t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...) }
func (t *thrift) rawText(v string) {
	t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
}
func (t *thrift) number(v int64) { t.b = binary.AppendVarint(t.b, v) }
