package live

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// program and enricher are the programs under test. TestMain alone writes them.
var program, enricher string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the programs the way this test is built, with the race detector or without,
// and runs the tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-live-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755) // one test starts weir as another user
	}
	if err == nil {
		program, enricher = filepath.Join(dir, "weir"), filepath.Join(dir, "enricher")
		err = build(dir + "/")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build weir:", err)
		return 1
	}
	return m.Run()
}

func build(path string) error {
	args := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "-race" && s.Value == "true":
				args = append(args, "-race")
			case s.Key == "-tags" && s.Value != "":
				args = append(args, "-tags", s.Value)
			}
		}
	}
	out, err := exec.Command("go", append(args, "github.com/weirflow/weir/cmd/weir", "github.com/weirflow/weir/cmd/enricher")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// needProgram skips a test for which a program is missing, or fails it where
// CI=true.
func needProgram(t *testing.T, name, aptPackage string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and with CI=true this test must run: apt-get install %s", name, aptPackage)
	}
	t.Skipf("%s is missing: apt-get install %s", name, aptPackage)
}
