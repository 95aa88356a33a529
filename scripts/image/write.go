package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// names are the annotations by which engines name an image that they load.
func names(tag string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.ref.name": tag[len(tag)-len(afterColon(tag)):],
		"io.containerd.image.name":          "docker.io/library/" + tag,
	}
}

func afterColon(tag string) string {
	for i := len(tag) - 1; i >= 0; i-- {
		if tag[i] == ':' {
			return tag[i+1:]
		}
	}
	return tag
}

// writeImage writes one image as an OCI layout with the manifest.json that docker load of
// any age reads.
func writeImage(path, tag string, image v1.Image, created time.Time) error {
	return writeLayout(path, created, func(dir layout.Path) error {
		if err := dir.AppendImage(image, layout.WithAnnotations(names(tag))); err != nil {
			return err
		}
		config, err := image.ConfigName()
		if err != nil {
			return err
		}
		layers, err := image.Layers()
		if err != nil {
			return err
		}
		blob := func(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
		m := struct {
			Config   string
			RepoTags []string
			Layers   []string
		}{Config: blob(config), RepoTags: []string{tag}}
		for _, l := range layers {
			digest, err := l.Digest()
			if err != nil {
				return err
			}
			m.Layers = append(m.Layers, blob(digest))
		}
		text, err := json.Marshal([]any{m})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(string(dir), "manifest.json"), text, 0o644)
	})
}

// writeIndex writes an OCI layout with an index of the images of all architectures.
func writeIndex(path, tag string, images []v1.Image, created time.Time) error {
	var index v1.ImageIndex = empty.Index
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: config.OS, Architecture: config.Architecture}},
		})
	}
	return writeLayout(path, created, func(dir layout.Path) error {
		return dir.AppendIndex(index, layout.WithAnnotations(names(tag)))
	})
}

// writeLayout has an OCI layout filled and writes it as a tar file.
func writeLayout(path string, created time.Time, fill func(layout.Path) error) error {
	dir, err := os.MkdirTemp("", "weir-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	if err := fill(p); err != nil {
		return fmt.Errorf("fill layout: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(rel), Mode: 0o644, Size: info.Size(), ModTime: created, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		from, err := os.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(w, from)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
