package parquet

import "github.com/weirflow/weir/producer/schema"

// Physical types.
const (
	physInt32     = 1
	physInt64     = 2
	physByteArray = 6
)

// A leaf is a column of the file.
type leaf struct {
	field    *schema.Field
	phys     int64
	list     bool
	optional bool
	stats    bool // statistics and page indexes
}

// pruned are the fields that readers select by: they have statistics and page indexes.
var pruned = map[string]bool{
	"time_received_ns": true, "time_flow_start_ns": true, "time_flow_end_ns": true, "sampler_address": true,
	"src_as": true, "dst_as": true, "src_port": true, "dst_port": true,
}

// leaves are the columns of a file, one for each field of the schema.
var leaves = func() (all []leaf) {
	for i := range schema.Fields {
		f := &schema.Fields[i]
		l := leaf{field: f, list: f.IsList(), optional: f.ZeroIsValue, stats: pruned[f.Name]}
		switch f.Kind {
		case schema.Uint64:
			l.phys = physInt64
		case schema.Bytes, schema.BytesList:
			l.phys = physByteArray
		default:
			l.phys = physInt32
		}
		all = append(all, l)
	}
	return all
}()

// path is the path of a leaf in the schema.
func (l *leaf) path() []string {
	if l.list {
		return []string{l.field.Name, "list", "element"}
	}
	return []string{l.field.Name}
}

// isTime tells whether a field is a time.
func isTime(f *schema.Field) bool { return f.Unit == "ns since 1970" }

// Repetition types and converted types.
const (
	required = 0
	optional = 1
	repeated = 2

	convertedUTF8   = 0
	convertedList   = 3
	convertedUint32 = 13
	convertedUint64 = 14
)

// elements writes the schema: the root and what is below it.
func (t *thrift) elements() {
	n := 1
	for i := range leaves {
		n++
		if leaves[i].list {
			n += 2
		}
	}
	t.list(2, n, typeStruct)
	t.open()
	t.text(4, "flow")
	t.i32(5, int64(len(leaves)))
	t.close()
	for i := range leaves {
		l := &leaves[i]
		repetition, name := int64(required), l.field.Name
		if l.optional {
			repetition = optional
		}
		if l.list {
			t.open()
			t.i32(3, required)
			t.text(4, name)
			t.i32(5, 1)
			t.i32(6, convertedList)
			t.structure(10)
			t.empty(3)
			t.close()
			t.close()
			t.open()
			t.i32(3, repeated)
			t.text(4, "list")
			t.i32(5, 1)
			t.close()
			name = "element"
		}
		t.open()
		t.i32(1, l.phys)
		t.i32(3, repetition)
		t.text(4, name)
		t.logical(l)
		t.close()
	}
}

// empty writes a struct without fields.
func (t *thrift) empty(id int16) {
	t.structure(id)
	t.close()
}

// logical writes the type that readers show. Some know only one of the two forms.
func (t *thrift) logical(l *leaf) {
	switch {
	case isTime(l.field):
		t.structure(10)
		t.structure(8)
		t.boolean(1, true)
		t.structure(2)
		t.empty(3)
		t.close()
		t.close()
		t.close()
	case l.phys == physByteArray && l.field.Form == schema.Text:
		t.i32(6, convertedUTF8)
		t.structure(10)
		t.empty(1)
		t.close()
	case l.phys != physByteArray:
		converted, width := int64(convertedUint32), byte(32)
		if l.phys == physInt64 {
			converted, width = convertedUint64, 64
		}
		t.i32(6, converted)
		t.structure(10)
		t.structure(10)
		t.i8(1, width)
		t.boolean(2, false)
		t.close()
		t.close()
	}
}
