package config

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const packaging = "../../scripts/packaging"

// TestExampleFile holds the example configuration to the defaults: it has
// every option, each at its default, and nothing else.
func TestExampleFile(t *testing.T) {
	path := filepath.Join(packaging, "weir.yaml")
	c, err := parse([]string{"-config", path}, nil, io.Discard, noNames(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range c.options() {
		if o.NoFile {
			continue
		}
		if o.Name == "memory.max" { // set, it would be a limit that is too low for the rest
			if source := c.Sources[o.Name]; source != "default" {
				t.Errorf("%s is set by %s", o.Name, source)
			}
			continue
		}
		if source := c.Sources[o.Name]; !strings.HasPrefix(source, path+":") {
			t.Errorf("%s is not in the file: its value is from %s", o.Name, source)
		}
		if got := o.Value.Get(); got != o.Default {
			t.Errorf("%s is %q, not the default %q", o.Name, got, o.Default)
		}
	}
	want := Default()
	c.Sources, c.origins, c.ConfigFile, want.Sources = nil, nil, "", nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// TestSysctlFile holds the kernel's limit that packages set to the default
// receive buffer.
func TestSysctlFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(packaging, "weir.sysctl"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^net\.core\.rmem_max = (\d+)$`).FindSubmatch(data)
	if m == nil {
		t.Fatal("no net.core.rmem_max")
	}
	if n, err := strconv.Atoi(string(m[1])); err != nil || n != Default().ReceiveBuffer {
		t.Errorf("net.core.rmem_max is %s, the default receive buffer %d bytes", m[1], Default().ReceiveBuffer)
	}
}
