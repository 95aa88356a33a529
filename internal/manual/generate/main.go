// Command generate writes the manual pages and completions of weir and enricher into a
// folder, as they lie below a prefix: share/man/man1 and so on.
//
//	generate FOLDER VERSION DATE
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/internal/manual"
	"github.com/weirflow/weir/internal/manual/programs"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER VERSION DATE")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(folder, version, date string) error {
	files := map[string]string{}
	for _, p := range programs.All() {
		files["share/man/man1/"+p.Name+".1.gz"] = manual.Man(&p, version, date)
		if p.Table.FileOption != "" {
			files["share/man/man5/"+p.Name+".yaml.5.gz"] = manual.FilePage(&p, version, date)
		}
		for shell, path := range map[string]string{
			"bash": "share/bash-completion/completions/" + p.Name,
			"zsh":  "share/zsh/vendor-completions/_" + p.Name,
			"fish": "share/fish/vendor_completions.d/" + p.Name + ".fish",
		} {
			files[path], _ = manual.Completion(shell, &p)
		}
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		data := []byte(text)
		if filepath.Ext(path) == ".gz" {
			var b bytes.Buffer
			z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the same bytes each time: no name, no time
			z.Write(data)
			z.Close()
			data = b.Bytes()
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	return nil
}
