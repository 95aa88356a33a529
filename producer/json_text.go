package producer

import "github.com/weirflow/weir/producer/schema"

// quotes returns what stands before and behind a value of the form.
func quotes(f schema.Form) (before, behind string) {
	switch f {
	case schema.Address, schema.Prefix, schema.MAC, schema.TypeName, schema.EtherType, schema.Protocol, schema.Text:
		return `"`, `"`
	case schema.NumberList, schema.AddressList, schema.LayerList:
		return "[", "]"
	}
	return "", ""
}

// jsonBefore returns the text between the value of member i-1 and that of
// member i; with numCore, what stands behind the last value. Members are the fields
// that goflow2 has, in their order.
func jsonBefore(i fieldID) string {
	text := "{"
	if i > 0 {
		_, text = quotes(fieldTable[i-1].form)
		if i == numCore {
			return text + "}"
		}
		text += ","
	}
	before, _ := quotes(fieldTable[i].form)
	return text + `"` + fieldTable[i].name + `":` + before
}
