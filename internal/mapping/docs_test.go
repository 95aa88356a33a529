package mapping

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer"
)

// TestDocs loads every example of docs/mapping.md, and looks for all that there
// is to be named in it.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "mapping.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, e := range examples {
		if _, _, err := Load(write(t, e[1]), producer.Settings{}); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
	names := append(producer.RendererNames(), producer.ParserNames()...)
	layers, _, _ := strings.Cut(producer.LayerNames(), ";")
	for _, name := range append(names, strings.Split(layers, ", ")...) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/mapping.md does not say what %s is", name)
		}
	}
}
