package template_test

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/template"
)

// words returns numbers as two bytes each, big-endian.
func words(v ...uint16) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// define returns the definition of one template record of a version.
func define(version uint16, options bool, record []byte) *template.Definition {
	var defs template.Definitions
	defs.Init(record, version, options)
	if more, ok := defs.Next(); !more || !ok {
		panic("test's template is none: " + defs.Fault.String())
	}
	def := defs.Def
	return &def
}

// data returns the definition of an IPFIX template of that id and fields,
// pairs of number and length.
func data(id uint16, fields ...uint16) *template.Definition {
	return define(template.IPFIX, false, append(words(id, uint16(len(fields)/2)), words(fields...)...))
}
