package takeover

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/weirflow/weir/internal/config"
)

// unit looks for ExecStart= in a unit of systemd, with the variables that the unit sets.
func (f *file) unit(text string) {
	values, notes := map[string]string{}, []string{}
	all := lines(text)
	for _, line := range all {
		key, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(key) {
		case "Environment":
			if words, err := config.Words(value); err == nil {
				for _, w := range words {
					if name, v, ok := strings.Cut(w, "="); ok {
						values[name] = v
					}
				}
			}
		case "EnvironmentFile":
			path := strings.TrimPrefix(strings.TrimSpace(value), "-")
			data, err := os.ReadFile(path)
			if err != nil { // of another host, or a copy of it is here
				data, err = os.ReadFile(filepath.Join(f.dir, filepath.Base(path)))
			}
			if err != nil {
				notes = append(notes, path+" is not here: give it to -goflow2 as well")
				continue
			}
			for name, v := range variables(string(data)) {
				values[name] = v
			}
		}
	}
	for _, line := range all {
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(key) != "ExecStart" {
			continue
		}
		value = expand(strings.TrimLeft(strings.TrimSpace(value), "-@:+!"), values, false)
		if words, err := config.Words(value); err == nil && config.Mentions(words) {
			f.add("ExecStart", value, notes...)
		}
	}
}

var variable = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*)|\(([A-Za-z_][A-Za-z0-9_]*)\))`)

// expand replaces the variables of a text that are known, or that have a default. The others
// stay, in the form that a shell knows. dollars: $$ stands for $, as in compose files.
func expand(text string, values map[string]string, dollars bool) string {
	const dollar = "\x00"
	if dollars {
		text = strings.ReplaceAll(text, "$$", dollar)
	}
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		m := variable.FindStringSubmatch(found)
		name := m[1] + m[4] + m[5]
		value, known := values[name]
		switch {
		case known && (value != "" || !strings.HasPrefix(m[2], ":")):
			return value
		case m[2] == "-" || m[2] == ":-":
			return m[3]
		}
		return "${" + name + "}"
	})
	return strings.ReplaceAll(text, dollar, "$")
}

// isDockerfile reports whether a file is one by its name or by its first instruction.
func isDockerfile(name, text string) bool {
	base := strings.ToLower(filepath.Base(name))
	if strings.HasPrefix(base, "dockerfile") || strings.HasPrefix(base, "containerfile") || strings.HasSuffix(base, ".dockerfile") {
		return true
	}
	all := lines(text)
	return len(all) > 0 && strings.HasPrefix(strings.ToUpper(all[0]), "FROM ")
}

// dockerfile joins ENTRYPOINT and CMD of the last stage.
func (f *file) dockerfile(text string) {
	c := container{}
	for _, line := range lines(text) {
		instruction, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToUpper(instruction) {
		case "FROM":
			words := strings.Fields(rest)
			for len(words) > 0 && strings.HasPrefix(words[0], "--") {
				words = words[1:]
			}
			if c = (container{}); len(words) > 0 {
				c.image = words[0]
			}
		case "ENTRYPOINT":
			c.entrypoint, c.command = instructionWords(rest), nil
		case "CMD":
			c.command = instructionWords(rest)
		}
	}
	f.container("ENTRYPOINT and CMD", c)
}

// instructionWords reads the argument of ENTRYPOINT or CMD: JSON, or a script.
func instructionWords(rest string) []string {
	var words []string
	if json.Unmarshal([]byte(rest), &words) == nil {
		return words
	}
	return []string{"/bin/sh", "-c", rest}
}

// container is what a container runs.
type container struct {
	name, image         string
	entrypoint, command []string
}

// container adds what a container runs, if it is goflow2.
func (f *file) container(place string, c container) {
	words := append(append([]string{}, c.entrypoint...), c.command...)
	notes := []string{"make image makes an image of weir: put its name in the place of " + nameOr(c.image, "goflow2's") + " and the flags of the line, without the word weir, into command or args; entrypoint is not needed"}
	if !config.Mentions(words) {
		image := c.image[strings.LastIndexByte(c.image, '/')+1:]
		if !strings.HasPrefix(image, "goflow") && (c.image != "" || !strings.HasPrefix(c.name, "goflow")) {
			return
		}
		words = append([]string{"goflow2"}, words...) // the entrypoint of its image
	}
	line := config.Quote(words)
	if len(words) == 3 && words[1] == "-c" && words[0] == "/bin/sh" {
		line = words[2] // said without a shell
	}
	if len(words) > 1 && strings.HasPrefix(words[1], "-") && strings.HasSuffix(words[1], "c") {
		notes = append(notes, "the image of weir has no shell: it runs weir alone, with -enrich.asn and -enrich.country instead of a pipe into the enricher")
	}
	f.add(place, line, notes...)
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}
