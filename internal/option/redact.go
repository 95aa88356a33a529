package option

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What may be a password is in no message, log or page: the value of a key, flag or
// argument that is not known, values of the options that are about secrets, and within
// other values what stands where passwords do.

// A password may contain @, commas and slashes: userinfo is Hidden up to the last @ of
// the word.
var (
	userinfoURL  = regexp.MustCompile(`://\S*@`)
	userinfoHost = regexp.MustCompile(`[^\s/@,:"']*:\S+@([A-Za-z\[]|[0-9.]+:)`)
	namedSecret  = regexp.MustCompile(`(?i)([\w.-]*(?:pass|passwd|pwd|secret|token|credential|apikey|api_key|api-key)[\w.-]*["']?\s*[=:]\s*)(?:\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s&;]+)`)
	parameter    = regexp.MustCompile(`([?&])([\w.-]*)=[^&,\s"]*`)
	quotedText   = regexp.MustCompile(`'[^']{2,}'`)
)

// Hidden stands for what is not shown.
const Hidden = "..."

// Redact returns a text without what looks like a password in it.
func Redact(s string) string {
	s = userinfoURL.ReplaceAllString(s, "://"+Hidden+"@")
	s = userinfoHost.ReplaceAllString(s, Hidden+"@$1")
	s = parameter.ReplaceAllStringFunc(s, func(p string) string {
		name, _, _ := strings.Cut(p[1:], "=")
		if slices.Contains([]string{"count", "workers", "blocking", "queue_size"}, name) {
			return p
		}
		return p[:1] + name + "=" + Hidden
	})
	return namedSecret.ReplaceAllString(s, "${1}"+Hidden)
}

// maxShown is the number of bytes of a value that messages show.
const maxShown = 120

// Show quotes a value for a message, shortens it, and leaves out what looks like a
// password.
func Show(v string) string {
	v = Redact(v)
	if len(v) > maxShown {
		return fmt.Sprintf("%.*q...", maxShown, v)
	}
	return fmt.Sprintf("%q", v)
}

// HideQuoted hides the texts in single quotes: messages of the YAML library quote parts
// of the file so.
func HideQuoted(message string) string {
	return quotedText.ReplaceAllString(message, "'"+Hidden+"'")
}
