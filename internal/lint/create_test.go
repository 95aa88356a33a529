package lint

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// creating are the calls that make files or folders, by package. Those of unix and
// syscall count where they are given O_CREAT.
var creating = map[string][]string{
	"os":      {"Create", "CreateTemp", "Mkdir", "MkdirAll", "MkdirTemp", "NewRoot", "OpenFile", "OpenRoot", "WriteFile"},
	"ioutil":  {"TempDir", "TempFile", "WriteFile"},
	"unix":    {"Creat", "Mkdir", "Mkdirat", "Mkfifo", "Mkfifoat", "Mknod", "Mknodat", "Open", "Openat", "Openat2"},
	"syscall": {"Creat", "Mkdir", "Mkdirat", "Mkfifo", "Mknod", "Mknodat", "Open", "Openat"},
}

// notProduct are folders of tests and tools.
var notProduct = []string{"bench", "docs", "scripts", "internal/corpus", "internal/elementgen", "internal/manual/generate", "producer/schema/generate", "internal/kafkalive", "internal/kafkatest", "internal/live", "internal/mmdbtest", "internal/testnet", "internal/vmtest", "internal/weirtest", "sink/sinktest"}

// createsItself are files that make files themselves, with what they must have
// instead.
var createsItself = map[string]string{
	"sink/file/target.go": "create.CheckOpenedFd(fd, path, care)", // a descriptor without os.File
}

// TestCreate: files are made by internal/create alone, which does not follow what
// others put in its way.
func TestCreate(t *testing.T) {
	found := 0
	sources(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || below(path, notProduct) {
			return
		}
		calls := creatingCalls(t, path, text)
		if below(path, []string{"internal/create"}) {
			found += len(calls)
			return
		}
		if must := createsItself[path]; must != "" {
			if len(calls) == 0 || !bytes.Contains(text, []byte(must)) {
				t.Errorf("%s: has %d calls that make files, and has to have %s", path, len(calls), must)
			}
			return
		}
		for _, c := range calls {
			t.Errorf("%s: %s makes a file: internal/create does so without following links that others planted", path, c)
		}
	})
	if found == 0 {
		t.Error("nothing makes files: does the test find them?")
	}
	for text, want := range map[string]int{
		`f, err := os.Create("x")`:                         1,
		`f, err := os.Open("x")`:                           0,
		`g := os.WriteFile`:                                1,
		`fd, err := unix.Open("x", unix.O_CREAT, 0)`:       1,
		`fd, err := unix.Open("x", unix.O_RDONLY, 0)`:      0,
		`fd, err := unix.Openat(1, "x", a|unix.O_CREAT,0)`: 1,
	} {
		if got := len(creatingCalls(t, "x.go", []byte("package x\nfunc f() { "+text+" }"))); got != want {
			t.Errorf("%s: %d calls found, want %d", text, got, want)
		}
	}
}

// creatingCalls returns what in a source makes files.
func creatingCalls(t *testing.T, path string, text []byte) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	harmless := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			var args bytes.Buffer
			for _, a := range call.Args {
				_ = printer.Fprint(&args, set, a) // a buffer takes it
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && strings.Contains(sel.Sel.Name, "Open") && !strings.Contains(args.String(), "O_CREAT") {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name != "os" {
					harmless[sel] = true
				}
			}
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || harmless[sel] {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(creating[x.Name], sel.Sel.Name) {
			found = append(found, x.Name+"."+sel.Sel.Name)
		}
		return true
	})
	return found
}
