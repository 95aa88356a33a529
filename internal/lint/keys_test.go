package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// keyPackages have a type Key that the source port of an exporter is a part of.
var keyPackages = map[string]string{"template": module + "decoders/template", "sequence": module + "decoders/sequence"}

// TestKeysHaveAPort: code that names what an exporter has, its templates or its sequence
// numbers, says the source port: what it looks up without one is not found, or is a
// neighbour's. Tests may leave it out. A literal that means no port says Port: 0.
func TestKeysHaveAPort(t *testing.T) {
	keys := 0
	sources(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		found, without := keysIn(t, path, text)
		keys += found
		for _, at := range without {
			t.Errorf("%s: a Key without Port", at)
		}
	})
	if keys < 4 {
		t.Errorf("only %d keys found: are they made in another way now?", keys)
	}
	_, without := keysIn(t, "sample.go", []byte(`package p
import ("github.com/weirflow/weir/decoders/template"; other "github.com/weirflow/weir/decoders/sequence")
var (
	a = template.Key{Version: 9}
	b = &other.Key{Domain: 1}
	c = []template.Key{{Domain: 1}, {Domain: 1, Port: 2}}
	d = map[template.Key]int{{Domain: 1}: 2}
	e = template.Key{Domain: 1, Port: 0}
	f template.Key
	g = template.Key{}
)`))
	if len(without) != 4 {
		t.Errorf("found without port: %v", without)
	}
}

// keysIn returns how many literals of a Key there are that are not empty, and the places
// of those without a port.
func keysIn(t *testing.T, path string, text []byte) (found int, without []token.Position) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{} // of the packages, as the file knows them
	for name, full := range keyPackages {
		for _, spec := range file.Imports {
			if strings.Trim(spec.Path.Value, `"`) != full {
				continue
			}
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = true
		}
	}
	isKey := func(e ast.Expr) bool {
		if of, ok := e.(*ast.SelectorExpr); ok {
			pkg, ok := of.X.(*ast.Ident)
			return ok && of.Sel.Name == "Key" && names[pkg.Name]
		}
		own, ok := e.(*ast.Ident)
		return ok && own.Name == "Key" && keyPackages[file.Name.Name] != ""
	}
	look := func(lit *ast.CompositeLit) {
		if len(lit.Elts) == 0 {
			return
		}
		found++
		for _, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if name, ok := kv.Key.(*ast.Ident); !ok || name.Name != "Port" {
					continue
				}
			}
			return // it has one, or all fields without names
		}
		without = append(without, files.Position(lit.Pos()))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch of := lit.Type.(type) {
		case *ast.ArrayType:
			lookInside(lit, isKey(of.Elt), false, look)
		case *ast.MapType:
			lookInside(lit, isKey(of.Value), isKey(of.Key), look)
		default:
			if lit.Type != nil && isKey(lit.Type) {
				look(lit)
			}
		}
		return true
	})
	return found, without
}

// lookInside looks at the literals in that of a list or map whose type stands only there.
func lookInside(lit *ast.CompositeLit, values, keys bool, look func(*ast.CompositeLit)) {
	for _, e := range lit.Elts {
		kv, pair := e.(*ast.KeyValueExpr)
		if pair {
			e = kv.Value
			if key, ok := kv.Key.(*ast.CompositeLit); ok && keys && key.Type == nil {
				look(key)
			}
		}
		if value, ok := e.(*ast.CompositeLit); ok && values && value.Type == nil {
			look(value)
		}
	}
}
