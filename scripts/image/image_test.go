package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// programs builds a program for each architecture, which stands for weir.
func programs(t *testing.T) (args []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(1) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for arch := range machines {
		path := filepath.Join(dir, arch)
		cmd := exec.Command("go", "build", "-o", path, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build for %s: %v\n%s", arch, err, text)
		}
		args = append(args, arch+"="+path)
	}
	return args, dir
}

func makeImages(t *testing.T, out string, args []string) {
	t.Helper()
	all := append([]string{"-version", "1.2.3", "-revision", "abcdef", "-created", "1700000000", "-license", "../../LICENSE", "-out", out}, args...)
	if err := run(all); err != nil {
		t.Fatal(err)
	}
}

// TestImage reads the images back, as docker load does and as an OCI layout.
func TestImage(t *testing.T) {
	args, dir := programs(t)
	out := t.TempDir()
	makeImages(t, out, args)
	for arch := range machines {
		path := filepath.Join(out, "weir-1.2.3-image-"+arch+".tar")
		image, err := tarball.ImageFromPath(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
		index := unpacked(t, path)
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		same, err := index.Image(manifest.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(same); err != nil {
			t.Errorf("%s as OCI: %v", arch, err)
		}
		if name := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; name != "1.2.3" {
			t.Errorf("the layout calls the image %q", name)
		}
		checkConfig(t, arch, same)
		program, err := os.ReadFile(filepath.Join(dir, arch))
		if err != nil {
			t.Fatal(err)
		}
		checkFiles(t, same, program)
	}
	all := unpacked(t, filepath.Join(out, "weir-1.2.3-image.tar"))
	if err := validate.Index(all); err != nil {
		t.Error(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Manifests) != len(machines) {
		t.Errorf("%d images in the index", len(list.Manifests))
	}
}

// unpacked reads an OCI layout out of a tar file.
func unpacked(t *testing.T, path string) v1.ImageIndex {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func checkConfig(t *testing.T, arch string, image v1.Image) {
	t.Helper()
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if file.Architecture != arch || file.OS != "linux" || file.Created.Unix() != 1700000000 {
		t.Errorf("%s is of %s/%s, %v", arch, file.OS, file.Architecture, file.Created)
	}
	if c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/usr/bin/weir" || len(c.Cmd) != 0 {
		t.Errorf("runs %q %q as %s", c.Entrypoint, c.Cmd, c.User)
	}
	for _, port := range []string{"2055/udp", "6343/udp", "8080/tcp"} {
		if _, ok := c.ExposedPorts[port]; !ok {
			t.Errorf("port %s is not exposed", port)
		}
	}
	if env := strings.Join(c.Env, " "); !strings.Contains(env, "WEIR_ADDR=:8080") {
		t.Errorf("environment %s", env)
	}
	if c.Healthcheck == nil || strings.Join(c.Healthcheck.Test, " ") != "CMD /usr/bin/weir health" || c.Healthcheck.Interval != 30*time.Second {
		t.Errorf("health check %+v", c.Healthcheck)
	}
	for label, want := range map[string]string{"version": "1.2.3", "revision": "abcdef", "created": "2023-11-14T22:13:20Z", "title": "weir"} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q", label, got)
		}
	}
}

// checkFiles looks at what is in the layers.
func checkFiles(t *testing.T, image v1.Image, program []byte) {
	t.Helper()
	type file struct {
		header *tar.Header
		data   []byte
	}
	files := map[string]file{}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 2 {
		t.Errorf("%d layers", len(layers))
	}
	for _, layer := range layers {
		in, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(in); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := files[h.Name]; twice && h.Typeflag != tar.TypeDir {
				t.Errorf("%s twice", h.Name)
			}
			files[h.Name] = file{h, data}
			if h.Mode&0o6000 != 0 || h.Mode&0o2 != 0 && h.Name != "tmp/" {
				t.Errorf("%s has mode %o", h.Name, h.Mode)
			}
			if h.ModTime.Unix() != 1700000000 {
				t.Errorf("%s is of %v", h.Name, h.ModTime)
			}
		}
	}
	if weir := files["usr/bin/weir"]; weir.header == nil || weir.header.Mode != 0o755 || weir.header.Uid != 0 || !bytes.Equal(weir.data, program) {
		t.Error("usr/bin/weir is not the program")
	}
	for _, name := range []string{"var/lib/weir/", "var/log/weir/"} {
		if f := files[name]; f.header == nil || f.header.Uid != user || f.header.Gid != user || f.header.Mode != 0o750 {
			t.Errorf("%s: %+v", name, f.header)
		}
	}
	if !bytes.Contains(files["etc/passwd"].data, []byte("weir:x:65532:65532:")) {
		t.Errorf("passwd: %s", files["etc/passwd"].data)
	}
	roots, n := files["etc/ssl/certs/ca-certificates.crt"].data, 0
	for block, rest := pem.Decode(roots); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Errorf("certificate %d: %v", n, err)
		}
		n++
	}
	if n < 100 {
		t.Errorf("%d CA certificates", n)
	}
}

// TestReproducible makes the same images twice.
func TestReproducible(t *testing.T) {
	args, _ := programs(t)
	one, two := t.TempDir(), t.TempDir()
	makeImages(t, one, args)
	makeImages(t, two, args)
	names, err := filepath.Glob(filepath.Join(one, "*.tar"))
	if err != nil || len(names) != 3 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	for _, name := range names {
		a, errA := os.ReadFile(name)
		b, errB := os.ReadFile(filepath.Join(two, filepath.Base(name)))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two runs: %v %v", filepath.Base(name), errA, errB)
		}
	}
}

func TestRefused(t *testing.T) {
	args, dir := programs(t)
	_, amd64, _ := strings.Cut(args[0], "=")
	wrong := "arm64=" + filepath.Join(dir, "amd64")
	for _, c := range []struct{ arg, want string }{
		{"riscv64=" + amd64, "want amd64 or arm64"},
		{wrong, "not of arm64"},
		{"amd64=" + filepath.Join(dir, "main.go"), "bad magic number"},
		{"amd64", "want ARCH=PROGRAM"},
	} {
		err := run([]string{"-out", t.TempDir(), "-license", "../../LICENSE", c.arg})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.arg, err, c.want)
		}
	}
}
