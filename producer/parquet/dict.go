package parquet

// A dict numbers the distinct values of a column, of 64 bits at most, in the order in which
// they come.
type dict struct {
	slots  []uint32 // number + 1; 0 is free
	values []uint64
	used   int // slots in use of the last column
}

// maxDict is how many distinct values a dictionary may have: their numbers have 16 bits.
const maxDict = 1 << 16

// begin empties the dictionary, for at most so many values.
func (d *dict) begin(most int) {
	n := 1 << 8
	for n < 2*most {
		n <<= 1
	}
	if n > len(d.slots) {
		d.slots = make([]uint32, n)
	} else {
		clear(d.slots[:d.used])
	}
	d.used, d.values = n, d.values[:0]
}

// trial is how many rows decide whether a dictionary is worth it.
const trial = 4096

// number writes the numbers of values to idx; false if they are too many: more than so many,
// or, if early, most of the first.
func number[T uint32 | uint64](d *dict, idx []uint32, values []T, most int, early bool) bool {
	d.begin(min(len(values), most))
	slots := d.slots[:d.used]
	mask := uint64(d.used - 1)
	for i, v := range values {
		h := uint64(v) * 0x9e3779b97f4a7c15
		at := (h >> 40) & mask
		for {
			s := slots[at&uint64(len(slots)-1)]
			if s == 0 {
				if len(d.values) >= most || early && i == trial && len(d.values) > trial*3/4 {
					return false
				}
				d.values = append(d.values, uint64(v))
				slots[at] = uint32(len(d.values))
				idx[i] = uint32(len(d.values) - 1)
				break
			}
			if d.values[s-1] == uint64(v) {
				idx[i] = s - 1
				break
			}
			at = (at + 1) & mask
		}
	}
	return true
}
