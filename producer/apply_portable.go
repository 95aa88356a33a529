//go:build !(amd64 || arm64) || weirsafe

package producer

// flowOffset is not used in this build.
func flowOffset(fieldID) uint16 { return 0 }

// putNumber is setNumber for the field of an op.
func (f *Flow) putNumber(o *op, v uint64) { f.setNumber(o.field, v) }
