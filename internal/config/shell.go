package config

import (
	"errors"
	"strings"
)

// word is a word of a command line, or an operator between words.
type word struct {
	text     string
	operator bool
	expands  bool // it has a variable that a shell replaces
}

// splitWords cuts a command line as a shell would: blanks, quotes, backslashes,
// line continuations and operators. Variables and patterns stay as they are. A
// line end is a blank, since lines are copied from where they were wrapped.
func splitWords(line string) ([]word, error) { return split(line, false) }

// splitScript cuts a script: a line end ends a command, and comments are left out.
func splitScript(script string) ([]word, error) { return split(script, true) }

func split(line string, script bool) ([]word, error) {
	var words []word
	var b strings.Builder
	open, expands := false, false // a word has begun; it has a variable
	end := func() {
		if open {
			words = append(words, word{text: b.String(), expands: expands})
		}
		b.Reset()
		open, expands = false, false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			end()
			if script && c == '\n' && len(words) > 0 && !words[len(words)-1].operator {
				words = append(words, word{text: ";", operator: true})
			}
		case '#':
			if script && !open {
				for i+1 < len(line) && line[i+1] != '\n' {
					i++
				}
				continue
			}
			b.WriteByte(c)
			open = true
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
				escaped := line[i] == '\\' && i+1 < len(line) && strings.IndexByte("\"\\$`\n", line[i+1]) >= 0
				if escaped {
					if i++; line[i] == '\n' {
						continue
					}
				}
				expands = expands || line[i] == '$' && !escaped
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
			expands = expands || c == '$'
		}
	}
	end()
	for script && len(words) > 0 && words[len(words)-1] == (word{text: ";", operator: true}) {
		words = words[:len(words)-1]
	}
	return words, nil
}

// quoteWords returns words as they are typed.
func quoteWords(words []word) []string {
	var out []string
	for _, w := range words {
		switch {
		case w.operator:
			out = append(out, w.text)
		case w.expands:
			out = append(out, quoteExpanding(w.text))
		default:
			out = append(out, quote(w.text))
		}
	}
	return out
}

// quoteExpanding quotes a word with variables, which a shell still replaces. One that is
// nothing but a variable stays as it is: it may stand for several words.
func quoteExpanding(s string) string {
	name, isVariable := strings.CutPrefix(s, "$")
	if strings.HasPrefix(name, "{") && strings.HasSuffix(name, "}") {
		name = name[1 : len(name)-1]
	}
	if isVariable && name != "" && strings.IndexFunc(name, func(r rune) bool { return !isAlnum(r) && r != '_' && r != '@' }) < 0 {
		return s
	}
	if strings.Contains(s, "`") {
		return quote(s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quote quotes a word for a shell, where it needs quotes.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("-_=./:,@%+", r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
