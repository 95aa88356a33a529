package takeover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weirflow/weir/internal/config"
)

// yaml looks for containers in a compose file or in manifests of Kubernetes. It reports
// whether the file is one.
func (f *file) yaml(data []byte) bool {
	var documents []map[string]any
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document map[string]any
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ext := filepath.Ext(f.name); ext == ".yml" || ext == ".yaml" {
				f.err = fmt.Errorf("read YAML: %w", err)
				return true
			}
			return false // a script, most likely
		}
		documents = append(documents, document)
	}
	structured := false
	for _, document := range documents {
		structured = structured || len(document) > 0
		if services, ok := document["services"].(map[string]any); ok {
			f.compose(services)
			continue
		}
		kind, _ := document["kind"].(string)
		f.manifest(strings.ToLower(kind)+" "+metadataName(document), document)
	}
	return structured
}

// compose looks through the services of a compose file.
func (f *file) compose(services map[string]any) {
	values := map[string]string{}
	if data, err := os.ReadFile(filepath.Join(f.dir, ".env")); err == nil {
		values = variables(string(data))
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service, ok := services[name].(map[string]any)
		if !ok {
			continue
		}
		c := container{name: name}
		c.image, _ = service["image"].(string)
		c.image = expand(c.image, values, true)
		for key, words := range map[string]*[]string{"entrypoint": &c.entrypoint, "command": &c.command} {
			all, err := composeWords(service[key], values)
			if err != nil {
				f.err = fmt.Errorf("service %s: %s: %w", name, key, err)
				return
			}
			*words = all
		}
		f.container("service "+name, c)
	}
}

// composeWords reads entrypoint or command: a list, or a text that is cut as a shell would.
func composeWords(value any, values map[string]string) ([]string, error) {
	switch value := value.(type) {
	case string:
		return config.Words(expand(value, values, true))
	case []any:
		var words []string
		for _, w := range value {
			words = append(words, expand(fmt.Sprint(w), values, true))
		}
		return words, nil
	}
	return nil, nil
}

// metadataName returns the name of a manifest.
func metadataName(m map[string]any) string {
	metadata, _ := m["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return name
}

// manifest looks for containers wherever a manifest has them: in a pod, in the template of
// a deployment, in the items of a list, in a config map's flags.
func (f *file) manifest(place string, node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			containers, ok := node[key].([]any)
			if !ok || key != "containers" && key != "initContainers" {
				if text, ok := node[key].(string); ok && strings.Contains(strings.ToUpper(key), "GOFLOW") && strings.HasPrefix(text, "-") {
					f.add(strings.TrimSpace(place)+", "+key, "goflow2 "+text)
				}
				f.manifest(place, node[key])
				continue
			}
			for _, one := range containers {
				if m, ok := one.(map[string]any); ok {
					f.pod(place, m)
				}
			}
		}
	case []any:
		for _, one := range node {
			if m, ok := one.(map[string]any); ok {
				kind, _ := m["kind"].(string)
				if kind != "" {
					f.manifest(strings.ToLower(kind)+" "+metadataName(m), m)
					continue
				}
			}
			f.manifest(place, one)
		}
	}
}

// pod adds a container of a pod.
func (f *file) pod(place string, m map[string]any) {
	c := container{}
	c.name, _ = m["name"].(string)
	c.image, _ = m["image"].(string)
	values := map[string]string{}
	if env, ok := m["env"].([]any); ok {
		for _, one := range env {
			pair, _ := one.(map[string]any)
			name, _ := pair["name"].(string)
			if value, ok := pair["value"]; ok {
				values[name] = fmt.Sprint(value)
			}
		}
	}
	for key, words := range map[string]*[]string{"command": &c.entrypoint, "args": &c.command} {
		list, _ := m[key].([]any)
		for _, w := range list {
			*words = append(*words, expand(fmt.Sprint(w), values, false))
		}
	}
	f.container(strings.TrimSpace(place)+", container "+c.name, c)
}
