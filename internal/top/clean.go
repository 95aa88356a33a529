package top

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxText is the maximum length of a text in runes. What is longer is cut.
const maxText = 300

// text is a string of a page that was made harmless: it has no control characters, none that
// change the direction of a line, and none whose width terminals disagree about. Only reading
// makes one of a string of a page.
type text string

// UnmarshalText makes p harmless. JSON uses it for strings and for keys of objects.
func (t *text) UnmarshalText(p []byte) error {
	*t = clean(string(p))
	return nil
}

// clean writes each character that a terminal may not show as itself as Go does in a string:
// \x1b, \u202e. What is longer than maxText is cut.
func clean(s string) text {
	plain := true
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain && len(s) <= maxText {
		return text(s)
	}
	var b strings.Builder
	for n := 0; len(s) > 0; n++ {
		if n == maxText {
			b.WriteString("...")
			break
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size < 2:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case shown(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return text(b.String())
}

// shown reports whether terminals show a character as itself and agree about its width.
// Combining marks, format characters and emoji are not shown.
func shown(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r >= ' ' && r < 0x7f
	case r >= 0x10000:
		return false
	}
	if !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) {
		return false
	}
	w := ansi.StringWidth(string(r))
	return w == 1 || w == 2
}

// word returns the text as one word of a table.
func (t text) word() string {
	if t == "" {
		return "-"
	}
	return strings.ReplaceAll(string(t), " ", "_")
}
