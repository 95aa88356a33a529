//go:build (amd64 || arm64) && !weirsafe

package producer

import "unsafe"

// flowOffset returns where the number that id names stands in a Flow; 0 for one that
// setNumber has to set.
func flowOffset(id fieldID) uint16 {
	var f Flow
	if isExtra(id) {
		return 0
	}
	if p := f.u64(id); p != nil {
		return uint16(uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(&f)))
	}
	if p := f.u32(id); p != nil {
		return uint16(uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(&f)))
	}
	return 0
}

// putNumber is setNumber for the field of an op.
func (f *Flow) putNumber(o *op, v uint64) {
	switch at := unsafe.Add(unsafe.Pointer(f), o.at); {
	case o.at == 0:
		f.setNumber(o.field, v)
	case o.wide:
		*(*uint64)(at) = v
	default:
		*(*uint32)(at) = uint32(v)
	}
}
