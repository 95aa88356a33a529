package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

const folder = "../packaging/compose"

// TestFiles: both files pass Compose's schema, every file that they mount is there, images
// have versions, and only the flow ports are open to other hosts.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob(folder + "/*/compose.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	version, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		project, err := load(t.Context(), file)
		if err != nil {
			t.Error(err)
			continue
		}
		for name, service := range project.Services {
			if image, tag, ok := strings.Cut(service.Image, ":"); !ok || tag == "" || tag == "latest" || image == "weir" && tag != strings.TrimSpace(string(version)) {
				t.Errorf("%s: %s: image %s", file, name, service.Image)
			}
			for _, v := range service.Volumes {
				if v.Type != types.VolumeTypeBind {
					continue
				}
				if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
					t.Errorf("%s: %s mounts %s: %v", file, name, v.Source, err)
				}
			}
			for _, p := range service.Ports {
				if p.Protocol == "tcp" && p.HostIP != "127.0.0.1" {
					t.Errorf("%s: %s opens %s to other hosts", file, name, p.Published)
				}
			}
		}
		weir := project.Services["weir"]
		if len(weir.Ports) != 3 || !weir.ReadOnly || len(weir.CapDrop) != 1 || weir.CapDrop[0] != "ALL" {
			t.Errorf("%s: weir: %+v", file, weir)
		}
	}
}

// TestRefused: what Compose does not know is an error.
func TestRefused(t *testing.T) {
	for _, text := range []string{
		"services: {weir: {image: x, comand: [a]}}", "services: {weir: {image: x, depends_on: [nobody]}}", "services: {weir: {image: x, volumes: [\"data:/x\"]}}",
	} {
		file := filepath.Join(t.TempDir(), "compose.yml")
		if err := os.WriteFile(file, []byte("name: x\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(t.Context(), file); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}
