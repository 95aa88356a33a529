package producer

import "github.com/weirflow/weir/producer/geo"

// Numbers of the fields that enrichment adds; they are no part of the schema.
const (
	fieldSrcCountry = 1000
	fieldDstCountry = 1001
)

// appendCountries appends the countries of a flow to its protobuf message.
func appendCountries(b []byte, f *Flow) []byte {
	return appendCountry(appendCountry(b, fieldSrcCountry, f.SrcCountry), fieldDstCountry, f.DstCountry)
}

func appendCountry(b []byte, field int, c geo.Country) []byte {
	if c == 0 {
		return b
	}
	return append(appendTag(b, field, wireBytes), 2, byte(c>>8), byte(c))
}

// AppendCountriesJSON puts the countries of f into the JSON object that b ends
// with, as its last two members.
func AppendCountriesJSON(b []byte, f *Flow) []byte {
	b = append(b[:len(b)-1], `,"src_country":"`...)
	b = appendLetters(b, f.SrcCountry)
	b = append(b, `","dst_country":"`...)
	return append(appendLetters(b, f.DstCountry), '"', '}')
}

// AppendCountriesText puts the countries of f behind the text that b ends with.
func AppendCountriesText(b []byte, f *Flow) []byte {
	b = appendLetters(append(b, " src_country="...), f.SrcCountry)
	return appendLetters(append(b, " dst_country="...), f.DstCountry)
}

func appendLetters(b []byte, c geo.Country) []byte {
	if c == 0 {
		return b
	}
	return append(b, byte(c>>8), byte(c))
}

// Enrich adds to the flow what the cache knows of its addresses. What it does not
// know stays as it is.
func (f *Flow) Enrich(c *geo.Cache) {
	src, dst := c.Find(f.SrcAddr), c.Find(f.DstAddr)
	if src.AS != 0 {
		f.SrcAS = src.AS
	}
	if dst.AS != 0 {
		f.DstAS = dst.AS
	}
	if src.Country != 0 {
		f.SrcCountry = src.Country
	}
	if dst.Country != 0 {
		f.DstCountry = dst.Country
	}
}
