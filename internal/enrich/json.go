package enrich

import (
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/producer/geo"
)

// member is one member of a JSON object: where its key and its value stand.
type member struct {
	key        string // without its quotes; escapes are not resolved
	start, end int    // of the value
}

// members walks the members of the object that text is, and calls f for each. It
// reports false if text is no object.
func members(text []byte, f func(member)) bool {
	i := space(text, 0)
	if i == len(text) || text[i] != '{' {
		return false
	}
	i = space(text, i+1)
	if i < len(text) && text[i] == '}' {
		return space(text, i+1) == len(text)
	}
	for {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			return false
		}
		m := member{key: string(text[i+1 : keyEnd-1])}
		i = space(text, keyEnd)
		if i == len(text) || text[i] != ':' {
			return false
		}
		m.start = space(text, i+1)
		if m.end = skipValue(text, m.start); m.end < 0 {
			return false
		}
		f(m)
		if i = space(text, m.end); i == len(text) {
			return false
		}
		switch text[i] {
		case ',':
			i = space(text, i+1)
		case '}':
			return space(text, i+1) == len(text)
		default:
			return false
		}
	}
}

func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string that begins at i ends, or -1.
func skipString(text []byte, i int) int {
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// skipValue returns where the value that begins at i ends, or -1.
func skipValue(text []byte, i int) int {
	begin, depth := i, 0
	for i < len(text) {
		switch text[i] {
		case '"':
			if i = skipString(text, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what the value is in
				return endOfWord(i, begin)
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return endOfWord(i, begin)
			}
		}
		i++
	}
	return -1
}

func endOfWord(i, begin int) int {
	if i == begin {
		return -1
	}
	return i
}

// appendJSON appends a JSON object with what is known about its addresses in it, and
// all other members as they were. It returns dst and ErrObject for what is no
// object.
func (r *Rewriter) appendJSON(dst, text []byte) ([]byte, error) {
	var src, to geo.Answer
	if !members(text, func(m member) {
		if r.cache == nil || m.end-m.start < 2 || text[m.start] != '"' {
			return
		}
		switch m.key {
		case "src_addr":
			src = r.findText(text[m.start+1 : m.end-1])
		case "dst_addr":
			to = r.findText(text[m.start+1 : m.end-1])
		}
	}) {
		return dst, ErrObject
	}
	type change struct {
		key, value string
		have       bool
	}
	changes := make([]change, 0, 5)
	number := func(key string, v uint64) {
		if v != 0 {
			changes = append(changes, change{key: key, value: strconv.FormatUint(v, 10)})
		}
	}
	number("sampling_rate", r.rate)
	number("src_as", uint64(src.AS))
	number("dst_as", uint64(to.AS))
	changes = append(changes,
		change{key: "src_country", value: `"` + src.Country.String() + `"`},
		change{key: "dst_country", value: `"` + to.Country.String() + `"`})

	at, any := 0, false
	members(text, func(m member) {
		any = true
		for i := range changes {
			c := &changes[i]
			if c.key != m.key {
				continue
			}
			c.have = true
			if c.value != `""` { // what is not known stays as it was
				dst = append(append(dst, text[at:m.start]...), c.value...)
				at = m.end
			}
		}
	})
	end := len(text)
	for text[end-1] != '}' {
		end--
	}
	dst = append(dst, text[at:end-1]...)
	for _, c := range changes {
		if c.have {
			continue
		}
		if any {
			dst = append(dst, ',')
		}
		any = true
		dst = append(append(append(append(dst, '"'), c.key...), `":`...), c.value...)
	}
	return append(dst, '}'), nil
}

func (r *Rewriter) findText(text []byte) geo.Answer {
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return geo.Answer{}
	}
	b := addr.As16() // mapped or not is the same to the cache
	if addr.Is4() {
		return r.cache.Find(b[12:])
	}
	return r.cache.Find(b[:])
}
