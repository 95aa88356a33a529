package lint

import (
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

// maxFiles is how many source files a package may have, tests aside.
const maxFiles = 25

// crowded are the packages that have more, with how many at most. A number may only
// become smaller: whoever takes files out lowers it (slack is what it may be above the
// truth), and the last entry goes with this list.
var crowded = map[string]int{
	"internal/app":       34,
	"internal/collector": 28,
	"internal/config":    29,
	"producer":           108,
}

const slack = 8

// TestPackages requires a package comment, which tells what the package is for, and
// bounds the number of files.
func TestPackages(t *testing.T) {
	files, commented := map[string]int{}, map[string]bool{}
	sources(t, func(name string, text []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		dir := path.Dir(name)
		files[dir]++
		if commented[dir] {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		commented[dir] = file.Doc != nil && len(file.Doc.Text()) > len("Package . ")+len(file.Name.Name) && !generated(text)
	})
	for dir, n := range files {
		if !commented[dir] {
			t.Errorf("package %s has no package comment: say what it is for in doc.go", dir)
		}
		switch most, listed := crowded[dir]; {
		case !listed && n > maxFiles:
			t.Errorf("package %s has %d files, more than %d: is it one thing?", dir, n, maxFiles)
		case listed && n > most:
			t.Errorf("package %s has %d files, more than the %d that it had: put new ones into a package of their own", dir, n, most)
		case listed && n+slack < most:
			t.Errorf("package %s has %d files: lower its number in crowded from %d", dir, n, most)
		}
	}
	for dir := range crowded {
		if files[dir] <= maxFiles {
			t.Errorf("package %s has %d files: take it out of crowded", dir, files[dir])
		}
	}
}
