package lint

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/weirflow/weir/"
	// maxLines is how long a source file may be.
	maxLines = 600
)

// A rule says what the code of a folder, tests aside, may import. The first
// rule whose folder fits counts.
type rule struct {
	folder string
	// ours are the folders of this module that may be imported.
	ours []string
	// deny are packages, with all below them, that may not be.
	deny []string
}

// Packages that pure code has no business with.
var impure = []string{"os", "net/http", "log", "log/slog", "syscall", "bufio", "time", "context", "sync/errgroup",
	"github.com/prometheus", "golang.org/x/sys"}

var rules = []rule{
	{"decoders", []string{"decoders"}, impure},
	{"ringbuf", []string{"ringbuf"}, []string{"os", "net", "log"}},
	{"bpf", []string{"bpf"}, nil},
	{"xdp", []string{"xdp", "bpf", "ringbuf"}, nil},
	{"producer/schema/generate", []string{"producer/schema"}, nil},
	{"producer/schema", []string{}, impure},
	{"producer", []string{"producer", "decoders"}, impure},
	{"sink/sinktest", []string{"sink", "producer", "ringbuf"}, nil},
	{"internal/create", []string{}, []string{"github.com/prometheus"}},
	{"internal/retain", []string{}, []string{"os", "net", "log", "github.com/prometheus"}},
	{"sink", []string{"sink", "producer", "ringbuf", "internal/wake", "internal/create", "internal/option", "internal/retain"}, []string{"github.com/prometheus"}},
	{"cmd", []string{"internal/app"}, nil},
	{"internal/option", []string{}, []string{"os", "net", "log", "github.com/prometheus"}},
	{"internal/yamltree", []string{"internal/option"}, []string{"net", "log", "github.com/prometheus"}},
	{"internal/config", []string{"internal/config", "internal/option", "internal/yamltree", "sink"}, []string{"github.com/prometheus"}},
	{"internal/udp", []string{"internal/udp"}, []string{"github.com/prometheus"}},
	{"internal/handover", []string{}, []string{"github.com/prometheus"}},
	{"internal/life", []string{"internal/create"}, []string{"github.com/prometheus"}},
	{"internal/places", []string{"internal/collector", "producer", "sink", "decoders"}, []string{"os", "net/http", "github.com/prometheus"}},
	{"internal/top", []string{"internal/config", "internal/option", "internal/places"}, []string{"log"}},
	{"internal/wake", []string{}, []string{"github.com/prometheus"}},
	{"internal/capture", []string{"internal/capture"}, []string{"github.com/prometheus"}},
	{"internal/collector", []string{"internal/create", "internal/retain", "internal/udp", "internal/life", "internal/capture", "internal/wake", "producer", "sink", "decoders", "xdp", "bpf"}, []string{"github.com/prometheus"}},
}

// sources calls f for every Go file of the module.
func sources(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || rel == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		f(filepath.ToSlash(rel), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d source files found", files)
	}
}

func imports(t *testing.T, path string, text []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

func below(name string, folders []string) bool {
	for _, f := range folders {
		if name == f || strings.HasPrefix(name, f+"/") {
			return true
		}
	}
	return false
}

func TestImports(t *testing.T) {
	sources(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, r := range rules {
			if !below(path, []string{r.folder}) {
				continue
			}
			for _, name := range imports(t, path, text) {
				ours, local := strings.CutPrefix(name, module)
				if local && !below(ours, r.ours) {
					t.Errorf("%s imports %s: %s may import %s of the module", path, name, r.folder, strings.Join(r.ours, ", "))
				}
				if !local && below(name, r.deny) {
					t.Errorf("%s imports %s, which %s may not", path, name, r.folder)
				}
			}
			return
		}
	})
}

func TestUnsafeApart(t *testing.T) {
	sources(t, func(path string, text []byte) {
		if generated(text) || strings.Contains(filepath.Base(path), "unsafe") {
			return
		}
		if below("unsafe", imports(t, path, text)) {
			t.Errorf("%s imports unsafe: unsafe code stands in files with unsafe in their name", path)
		}
	})
}

func TestFileLength(t *testing.T) {
	sources(t, func(path string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !generated(text) {
			t.Errorf("%s has %d lines: more than %d; is it one thing?", path, n, maxLines)
		}
	})
}

func generated(text []byte) bool {
	head := text[:min(len(text), 400)]
	return bytes.Contains(head, []byte("// Code generated"))
}
