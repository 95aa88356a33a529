package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is the numeric id of the user and group that weir runs as. Kubernetes wants a number
// for runAsNonRoot.
const user = 65532

// build is what all images of a run share.
type build struct {
	version, revision string
	created           time.Time
	license           string
}

// machines are the architectures that there may be, with those of an ELF file.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// entry is a file or, with data nil, a folder of a layer.
type entry struct {
	name  string
	mode  int64
	owner int
	data  []byte
}

// image makes the image of an architecture.
func (b *build) image(arch, program string) (v1.Image, error) {
	if err := checkProgram(arch, program); err != nil {
		return nil, err
	}
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(b.license)
	if err != nil {
		return nil, err
	}
	system, err := b.layer(append(system(), entry{name: "usr/share/doc/weir/LICENSE", mode: 0o644, data: license}))
	if err != nil {
		return nil, err
	}
	weir, err := b.layer([]entry{{name: "usr/bin/weir", mode: 0o755, data: code}})
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, l := range []struct {
		layer v1.Layer
		what  string
	}{{system, "user, CA certificates, folders"}, {weir, "weir " + b.version}} {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:   l.layer,
			History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "make image", Comment: l.what},
		})
		if err != nil {
			return nil, fmt.Errorf("append layer: %w", err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = arch, "linux", v1.Time{Time: b.created}
	config.Config = b.config()
	return mutate.ConfigFile(image, config)
}

// config is how the image is started.
func (b *build) config() v1.Config {
	return v1.Config{
		User:       fmt.Sprintf("%d:%d", user, user),
		Entrypoint: []string{"/usr/bin/weir"},
		Env: []string{
			"PATH=/usr/bin",
			"WEIR_ADDR=:8080", // scrapes and probes come from outside of the container
		},
		ExposedPorts: map[string]struct{}{"2055/udp": {}, "6343/udp": {}, "8080/tcp": {}},
		Volumes:      map[string]struct{}{"/var/lib/weir": {}},
		WorkingDir:   "/var/lib/weir",
		StopSignal:   "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/usr/bin/weir", "health"},
			Interval: 30 * time.Second, Timeout: 5 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":         "weir",
			"org.opencontainers.image.description":   "Collector for NetFlow, IPFIX and sFlow",
			"org.opencontainers.image.version":       b.version,
			"org.opencontainers.image.revision":      b.revision,
			"org.opencontainers.image.created":       b.created.Format(time.RFC3339),
			"org.opencontainers.image.licenses":      "Apache-2.0",
			"org.opencontainers.image.source":        "https://github.com/weirflow/weir",
			"org.opencontainers.image.documentation": "https://github.com/weirflow/weir/blob/main/docs/container.md",
		},
	}
}

// system is what weir needs of a system: nothing is read of time zones, since all times
// are in UTC.
func system() []entry {
	var roots bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // to memory
	}
	return []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nweir:x:%d:%d:weir:/var/lib/weir:/sbin/nologin\n", user, user)},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:\nweir:x:%d:\n", user)},
		{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots.Bytes()},
		{name: "etc/weir/", mode: 0o755},
		{name: "tmp/", mode: 0o1777},
		{name: "var/lib/weir/", mode: 0o750, owner: user},
		{name: "var/log/weir/", mode: 0o750, owner: user},
	}
}

// layer makes a layer of entries. Folders that are not listed are made with mode 0755.
func (b *build) layer(entries []entry) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	made := map[string]bool{}
	put := func(e entry) error {
		h := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, ModTime: b.created, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Size: int64(len(e.data))}
		if e.name[len(e.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return fmt.Errorf("write header of %s: %w", e.name, err)
		}
		_, err := w.Write(e.data)
		return err
	}
	for _, e := range entries {
		for i := range len(e.name) - 1 {
			if dir := e.name[:i+1]; e.name[i] == '/' && !made[dir] {
				made[dir] = true
				if err := put(entry{name: dir, mode: 0o755}); err != nil {
					return nil, err
				}
			}
		}
		made[e.name] = true
		if err := put(e); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("close layer: %w", err)
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// checkProgram refuses what would not run in the image.
func checkProgram(arch, program string) error {
	want, known := machines[arch]
	if !known {
		return fmt.Errorf("architecture %q: want amd64 or arm64", arch)
	}
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	defer f.Close()
	if f.Machine != want {
		return fmt.Errorf("%s is of %s, not of %s", program, f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically: build it with CGO_ENABLED=0", program)
		}
	}
	return nil
}
