package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// option.Redact hides what looks like a password within a value. What follows hides the
// rest: the value of a key, flag or argument that is not known, and values of the options
// that are about secrets.

var (
	secretName = regexp.MustCompile(`(?i)pass|pwd|secret|token|credential|api_?-?key`)
	inQuotes   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// redactParts takes those texts in quotes out of a message that are parts of a value's
// password: alone, they do not look like one.
func redactParts(message, value string) string {
	clean := option.Redact(value)
	if clean == value {
		return message
	}
	return inQuotes.ReplaceAllStringFunc(message, func(q string) string {
		if part, err := strconv.Unquote(q); err == nil && strings.Contains(clean, part) {
			return q
		}
		return `"` + option.Hidden + `"`
	})
}

// isSecret tells the options whose values are not shown, even where they are names of
// files: somebody may have put the secret there.
func isSecret(name string) bool {
	return strings.Contains(name, ".sasl") || strings.HasSuffix(name, ".token-file") || strings.HasSuffix(name, ".tls.key")
}

// shown returns the value of an option for the effective configuration.
func shown(name, value string) string {
	if isSecret(name) && !strings.HasSuffix(name, ".sasl") && value != "" && !isFile(value) {
		return option.Hidden
	}
	return option.Redact(value)
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
		text := option.Redact(out[i].text)
		if i > 0 && strings.HasPrefix(words[i-1].text, "-") && !strings.Contains(words[i-1].text, "=") && secretName.MatchString(words[i-1].text) {
			text = option.Hidden
		}
		redacted = redacted || text != out[i].text
		out[i].text = text
	}
	return out, redacted
}
