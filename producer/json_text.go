package producer

import "github.com/weirflow/weir/producer/schema"

// quotes returns what stands before and after a value of the form.
func (n notation) quotes(f schema.Form) (before, behind string) {
	switch f {
	case schema.Address, schema.Prefix, schema.MAC, schema.TypeName, schema.EtherType, schema.Protocol, schema.Text:
		return n.mark(), n.mark()
	case schema.NumberList, schema.AddressList, schema.LayerList:
		return "[", "]"
	}
	return "", ""
}

// mark returns the quotation mark of words.
func (n notation) mark() string {
	if n == notationText {
		return ""
	}
	return `"`
}

// open, sign and end are what stands before the first member of a message, between
// two, and after the last; key is what stands before a value.
func (n notation) open() string {
	if n == notationText {
		return ""
	}
	return "{"
}

func (n notation) sign() string {
	if n == notationText {
		return " "
	}
	return ","
}

func (n notation) end() string {
	if n == notationText {
		return ""
	}
	return "}"
}

func (n notation) key(name string) string {
	if n == notationText {
		return name + "="
	}
	return `"` + name + `":`
}

// before returns the text between the value of member i-1 and that of member i; with
// numCore, what stands after the last value. Members are the fields that goflow2
// has, in their order.
func (n notation) before(i fieldID) string {
	text := n.open()
	if i > 0 {
		_, text = n.quotes(fieldTable[i-1].form)
		if i == numCore {
			return text + n.end()
		}
		text += n.sign()
	}
	before, _ := n.quotes(fieldTable[i].form)
	return text + n.key(fieldTable[i].name) + before
}
