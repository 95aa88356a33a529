package option

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Value ties an option to the variable that holds it.
type Value struct {
	// Set parses text into the variable. On an error, a *Problem or
	// Problems, the variable keeps what it had.
	Set func(text string) error
	// Get prints the variable so that Set would give it back.
	Get func() string
	// Check tells whether the variable's value is allowed; Set does not
	// check, so that values set from Go can be checked alike.
	Check func() error
	// List is true where the text is a comma separated list, which the
	// file may hold as a sequence.
	List bool
	// Entry, of a list, turns an element that the file has as a mapping of keys
	// to scalars into text. Its error is a *Problem. Nil allows none.
	Entry func(fields map[string]string) (string, error)
	// Switch is true for truth values, whose flag may stand alone.
	Switch bool
	// Text is true where any text is allowed, so that a value that YAML
	// reads as a number, boolean or date has to be put in quotes.
	Text bool
}

// TextValue is a text of any content.
func TextValue(p *string) Value {
	return Value{
		Text:  true,
		Set:   func(s string) error { *p = s; return nil },
		Get:   func() string { return *p },
		Check: func() error { return nil },
	}
}

// EscapedValue is a text in which the escapes of unescape count.
func EscapedValue(p *string) Value {
	v := TextValue(p)
	v.Set = func(s string) error {
		u, err := unescape(s)
		if err != nil {
			return err
		}
		*p = u
		return nil
	}
	v.Get = func() string { return escape(*p) }
	return v
}

// Choices are the words that an option may have.
type Choices struct {
	// Allowed are the words.
	Allowed []string
	// Same maps other spellings to one of the words.
	Same map[string]string
	// Refused explains words that users may expect to work.
	Refused map[string]string
}

func (c Choices) describe() string {
	words := slices.Clone(c.Allowed)
	for i, w := range words {
		for other, same := range c.Same {
			if same == w && other != "" {
				words[i] += " (or " + other + ")"
			}
		}
	}
	return strings.Join(words, ", ")
}

// ChoiceValue is one of a few words, in lower case.
func ChoiceValue(p *string, c Choices) Value {
	return Value{
		Set: func(s string) error {
			if same, ok := c.Same[s]; ok {
				s = same
			}
			*p = s
			return nil
		},
		Get: func() string { return *p },
		Check: func() error {
			if slices.Contains(c.Allowed, *p) {
				return nil
			}
			text := "unknown choice"
			if why, ok := c.Refused[*p]; ok {
				text = why
			}
			return &Problem{Text: text, Allowed: c.describe()}
		},
	}
}

// IntValue is a whole number from lo to hi.
func IntValue(p *int, lo, hi int) Value {
	allowed := fmt.Sprintf("a whole number from %d to %d", lo, hi)
	return Value{
		Set: func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil {
				return &Problem{Text: "not a whole number in range", Allowed: allowed}
			}
			*p = n
			return nil
		},
		Get: func() string { return strconv.Itoa(*p) },
		Check: func() error {
			if *p < lo || *p > hi {
				return &Problem{Text: "out of range", Allowed: allowed}
			}
			return nil
		},
	}
}

// SizeValue is a number of bytes from lo to hi; zero is allowed too where
// zeroMeans says what it stands for.
func SizeValue[T int | int64](p *T, lo, hi int64, zeroMeans string) Value {
	allowed := fmt.Sprintf("%s to %s", FormatSize(lo), FormatSize(hi))
	if zeroMeans != "" {
		allowed = fmt.Sprintf("0 (%s) or %s", zeroMeans, allowed)
	}
	return Value{
		Set: func(s string) error {
			n, err := ParseSize(s)
			if err != nil {
				return err
			}
			if int64(T(n)) != n {
				return &Problem{Text: "out of range", Allowed: allowed}
			}
			*p = T(n)
			return nil
		},
		Get: func() string { return FormatSize(int64(*p)) },
		Check: func() error {
			n := int64(*p)
			if n == 0 && zeroMeans != "" || n >= lo && n <= hi {
				return nil
			}
			return &Problem{Text: "out of range", Allowed: allowed}
		},
	}
}

// DurationValue is a duration from lo to hi; zero is allowed too where
// zeroMeans says what it stands for.
func DurationValue(p *time.Duration, lo, hi time.Duration, zeroMeans string) Value {
	allowed := fmt.Sprintf("%s to %s", FormatDuration(lo), FormatDuration(hi))
	if zeroMeans != "" {
		allowed = fmt.Sprintf("0 (%s) or %s", zeroMeans, allowed)
	}
	return Value{
		Set: func(s string) error {
			d, err := time.ParseDuration(s)
			if err != nil {
				return &Problem{Text: "not a duration", Allowed: allowed + ", written with a unit such as 100ms, 10s, 5m or 1h"}
			}
			*p = d
			return nil
		},
		Get: func() string { return FormatDuration(*p) },
		Check: func() error {
			if *p == 0 && zeroMeans != "" || *p >= lo && *p <= hi {
				return nil
			}
			return &Problem{Text: "out of range", Allowed: allowed}
		},
	}
}

// ListValue is a list of texts, separated by commas. fault says what is wrong with the
// i-th of a list, "" if nothing is; allowed describes the list.
func ListValue(p *[]string, allowed string, fault func(list []string, i int) string) Value {
	return Value{
		List: true,
		Set:  func(s string) error { *p = Split(s); return nil },
		Get:  func() string { return strings.Join(*p, ",") },
		Check: func() error {
			var faults Problems
			for i, part := range *p {
				if text := fault(*p, i); text != "" {
					faults = append(faults, &Problem{Part: Show(part), Index: i, Text: text, Allowed: allowed})
				}
			}
			if len(faults) > 0 {
				return faults
			}
			return nil
		},
	}
}

// SwitchValue is a truth value. As a flag it may stand alone.
func SwitchValue(p *bool) Value {
	return Value{
		Switch: true,
		Set: func(s string) error {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return &Problem{Text: "not a truth value", Allowed: "true, false"}
			}
			*p = b
			return nil
		},
		Get:   func() string { return strconv.FormatBool(*p) },
		Check: func() error { return nil },
	}
}

// Split cuts a list at its commas; an empty text is an empty list.
func Split(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
