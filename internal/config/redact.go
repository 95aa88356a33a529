package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What may be a password is in no message, log or page: the value of a key, flag or
// argument that is not known, values of the options that are about secrets, and within
// other values what stands where passwords do.

// A password may contain @, commas and slashes: userinfo is hidden up to the last @ of
// the word.
var (
	userinfoURL  = regexp.MustCompile(`://\S*@`)
	userinfoHost = regexp.MustCompile(`[^\s/@,:"']*:\S+@([A-Za-z\[]|[0-9.]+:)`)
	namedSecret  = regexp.MustCompile(`(?i)([\w.-]*(?:pass|passwd|pwd|secret|token|credential|apikey|api_key|api-key)[\w.-]*["']?\s*[=:]\s*)(?:\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s&;]+)`)
	parameter    = regexp.MustCompile(`([?&])([\w.-]*)=[^&,\s"]*`)
	secretName   = regexp.MustCompile(`(?i)pass|pwd|secret|token|credential|api_?-?key`)
	quotedText   = regexp.MustCompile(`'[^']{2,}'`)
	inQuotes     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// hidden stands for what is not shown.
const hidden = "..."

// Redact returns a text without what looks like a password in it.
func Redact(s string) string {
	s = userinfoURL.ReplaceAllString(s, "://"+hidden+"@")
	s = userinfoHost.ReplaceAllString(s, hidden+"@$1")
	s = parameter.ReplaceAllStringFunc(s, func(p string) string {
		name, _, _ := strings.Cut(p[1:], "=")
		if slices.Contains([]string{"count", "workers", "blocking", "queue_size"}, name) {
			return p
		}
		return p[:1] + name + "=" + hidden
	})
	return namedSecret.ReplaceAllString(s, "${1}"+hidden)
}

// Show quotes a value for a message: shortened, and without what looks like a
// password.
func Show(v string) string { return show(v) }

// HideQuoted hides the texts in single quotes: messages of the YAML library quote parts
// of the file so.
func HideQuoted(message string) string {
	return quotedText.ReplaceAllString(message, "'"+hidden+"'")
}

// redactParts takes those texts in quotes out of a message that are parts of a value's
// password: alone, they do not look like one.
func redactParts(message, value string) string {
	clean := Redact(value)
	if clean == value {
		return message
	}
	return inQuotes.ReplaceAllStringFunc(message, func(q string) string {
		if part, err := strconv.Unquote(q); err == nil && strings.Contains(clean, part) {
			return q
		}
		return `"` + hidden + `"`
	})
}

// isSecret tells the options whose values are not shown, even where they are names of
// files: somebody may have put the secret there.
func isSecret(option string) bool {
	return strings.Contains(option, ".sasl") || strings.HasSuffix(option, ".token-file") || strings.HasSuffix(option, ".tls.key")
}

// shown returns the value of an option for the effective configuration.
func shown(option, value string) string {
	if isSecret(option) && !strings.HasSuffix(option, ".sasl") && value != "" && !isFile(value) {
		return hidden
	}
	return Redact(value)
}

// isFile reports whether a value is the name of a file, not a secret in its place:
// base64 contains slashes too.
func isFile(value string) bool {
	if filepath.IsAbs(value) {
		return true
	}
	_, err := os.Stat(value)
	return err == nil
}

// redactWords takes passwords out of a command line: the values of variables and flags
// whose names say so.
func redactWords(words []word) (out []word, redacted bool) {
	out = slices.Clone(words)
	for i := range out {
		if out[i].operator {
			continue
		}
		text := Redact(out[i].text)
		if i > 0 && strings.HasPrefix(words[i-1].text, "-") && !strings.Contains(words[i-1].text, "=") && secretName.MatchString(words[i-1].text) {
			text = hidden
		}
		redacted = redacted || text != out[i].text
		out[i].text = text
	}
	return out, redacted
}
