package producer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
)

func TestScenariosAgree(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			bothAgree(t, 0, arrivals(s.datagrams...))
			bothAgree(t, 77, arrivals(s.datagrams...))
		})
	}
}

// TestCapturesAgree compares fast and slow over captures of real exporters:
// those of this project, and those of the corpus where it is present.
func TestCapturesAgree(t *testing.T) {
	t.Run("testdata", func(t *testing.T) { captureFolder(t, filepath.Join("..", "internal", "corpus", "testdata")) })
	t.Run("corpus", func(t *testing.T) {
		dir := os.Getenv("WEIR_CORPUS")
		if dir == "" {
			dir = filepath.Join("..", "..", "shared", "corpus")
		}
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no corpus of captures: %v (set WEIR_CORPUS to its folder)", err)
		}
		captureFolder(t, filepath.Join(dir, "pcap"))
	})
}

func captureFolder(t *testing.T, dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures in %s (%v)", dir, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			all := capturedArrivals(t, name)
			if raceDetector || testing.Short() {
				all = all[:min(len(all), 50)]
			}
			bothAgree(t, 0, all)
		})
	}
}

// capturedArrivals returns the datagrams of a capture.
func capturedArrivals(t testing.TB, name string) []arrival {
	t.Helper()
	list, _, err := capture.Load(name)
	if err != nil && len(list) == 0 {
		t.Fatal(err)
	}
	var all []arrival
	for _, d := range list {
		all = append(all, arrival{producer.Meta{Source: d.Src, ReceivedNs: d.TimeNs, Truncated: d.Cut}, d.Payload})
	}
	return all
}
