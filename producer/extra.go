package producer

import "math/bits"

// Extra fields, those that goflow2 does not have, are kept apart from the others: a
// flow without any costs nothing for them, however many there are.

// extraSet has a bit for each extra field.
type extraSet [(numExtra + 63) / 64]uint64

func (s *extraSet) add(id fieldID)      { s[(id-numCore)/64] |= 1 << ((id - numCore) % 64) }
func (s *extraSet) has(id fieldID) bool { return s[(id-numCore)/64]>>((id-numCore)%64)&1 != 0 }

// take takes the first field out of the set, in the order of the table; it returns
// numFields if there is none.
func (s *extraSet) take() fieldID {
	for i, word := range s {
		if word != 0 {
			s[i] = word & (word - 1)
			return fieldID(numCore + 64*i + bits.TrailingZeros64(word))
		}
	}
	return numFields
}

// allExtra has all of them.
func allExtra() (s extraSet) {
	for id := fieldID(numCore); id < numFields; id++ {
		s.add(id)
	}
	return s
}

// isExtra tells whether a field is one.
func isExtra(id fieldID) bool { return id >= numCore && id < numFields }

// extraFields is the part of a Flow that holds them.
type extraFields struct {
	// more has the values of those that are present, and what is left of earlier
	// records of the others. It is made when the first one is set.
	more    *Extra
	present extraSet
	// hidden ones are never present: see Program.
	hidden extraSet
}

// next returns the extra fields of the next flow.
func (x *extraFields) next() extraFields { return extraFields{more: x.more} }

// Extra returns the extra fields of f, to be set by setNumber and setBytes.
func (x *extraFields) Extra() *Extra {
	if x.more == nil {
		x.more = new(Extra)
	}
	return x.more
}

// has tells whether f has a value of an extra field.
func (x *extraFields) has(id fieldID) bool { return x.present.has(id) }

// anyExtra tells whether f has a value of any extra field.
func (x *extraFields) anyExtra() bool { return x.present != extraSet{} }

// mark notes that an extra field was set, to what is a value or not.
func (x *extraFields) mark(id fieldID, value bool) {
	switch {
	case x.hidden.has(id):
	case value:
		x.present.add(id)
	default:
		x.present[(id-numCore)/64] &^= 1 << ((id - numCore) % 64)
	}
}

// setBytes sets the string of bytes that id names.
func (f *Flow) setBytes(id fieldID, v []byte) {
	*f.bytes(id) = v
	if isExtra(id) {
		f.mark(id, len(v) > 0 && !(fieldTable[id].ZeroIsNone && allZero(v)))
	}
}

// listOf returns the list of numbers that id names, to be appended to.
func (f *Flow) listOf(id fieldID) *[]uint32 {
	list := f.uints(id)
	if isExtra(id) {
		if !f.has(id) {
			*list = (*list)[:0]
		}
		f.mark(id, true)
	}
	return list
}

// appendNumber appends a number to a list.
func (f *Flow) appendNumber(id fieldID, v uint64) {
	list := f.listOf(id)
	*list = append(*list, uint32(v))
}

// appendBytes appends a string of bytes to a list, but not to that of segments.
func (f *Flow) appendBytes(id fieldID, v []byte) {
	list := f.byteLists(id)
	if isExtra(id) {
		if !f.has(id) {
			*list = (*list)[:0]
		}
		f.mark(id, true)
	}
	*list = append(*list, v)
}

// extraColumns are the extra fields as JSON and text write them.
var extraColumns = func() (all []column) {
	for id := fieldID(numCore); id < numFields; id++ {
		all = append(all, newColumn(id, fieldTable[id].name))
	}
	return all
}()

// plainColumns writes columns as they are without a mapping.
var plainColumns Program

// appendExtraColumns appends the extra fields that f has a value of, each after a
// separator.
func appendExtraColumns(b []byte, f *Flow, n notation) []byte {
	present := f.present
	for id := present.take(); id != numFields; id = present.take() {
		c := &extraColumns[id-numCore]
		if n == notationJSON {
			b = append(append(b, ','), c.json...)
		} else {
			b = append(append(b, ' '), c.text...)
		}
		b, _ = plainColumns.appendColumn(b, f, c, n) // it is there
	}
	return b
}
