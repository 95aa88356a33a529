package config

import (
	"errors"
	"strings"
)

// word is a word of a command line, or an operator between words.
type word struct {
	text     string
	operator bool
}

// splitWords cuts a command line as a shell would: blanks, quotes, backslashes,
// line continuations and operators. Variables and patterns stay as they are.
func splitWords(line string) ([]word, error) {
	var words []word
	var b strings.Builder
	open := false // a word has begun
	end := func() {
		if open {
			words = append(words, word{text: b.String()})
		}
		b.Reset()
		open = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			end()
		case '\\':
			if i++; i == len(line) {
				return nil, errors.New("ends in a backslash")
			}
			if line[i] != '\n' {
				b.WriteByte(line[i])
				open = true
			}
		case '\'':
			n := strings.IndexByte(line[i+1:], '\'')
			if n < 0 {
				return nil, errors.New("a single quote is not closed")
			}
			b.WriteString(line[i+1 : i+1+n])
			open, i = true, i+1+n
		case '"':
			open = true
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' && i+1 < len(line) && strings.IndexByte("\"\\$`\n", line[i+1]) >= 0 {
					if i++; line[i] == '\n' {
						continue
					}
				}
				b.WriteByte(line[i])
			}
			if i == len(line) {
				return nil, errors.New("a double quote is not closed")
			}
		case '|', '>', '<', ';', '&':
			// An ampersand within a word belongs to a listen address that was
			// not quoted, as documents have it.
			if c == '&' && open && i+1 < len(line) && line[i+1] != ' ' && line[i+1] != '&' {
				b.WriteByte(c)
				continue
			}
			fd := b.String() // of 2>
			if c == '>' && open && (fd == "1" || fd == "2") {
				b.Reset()
				open = false
			} else {
				fd = ""
			}
			end()
			op := fd + string(c)
			for i+1 < len(line) && strings.IndexByte("|>&", line[i+1]) >= 0 {
				i++
				op += string(line[i])
			}
			words = append(words, word{text: op, operator: true})
		default:
			b.WriteByte(c)
			open = true
		}
	}
	end()
	return words, nil
}

// quoteWords returns words as they are typed.
func quoteWords(words []word) []string {
	var out []string
	for _, w := range words {
		if w.operator {
			out = append(out, w.text)
		} else {
			out = append(out, quote(w.text))
		}
	}
	return out
}

// quote quotes a word for a shell, where it needs quotes.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("-_=./:,@%+", r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
