package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// TestReasonsDocumented keeps docs/errors.md complete: an operator who sees a
// reason finds what to do about it.
func TestReasonsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	for r := range producer.EachReason {
		name := r.String()
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/errors.md does not explain %s", name)
		}
	}
}

// TestDropsDocumented does the same for the reasons that records are lost for.
func TestDropsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		collector.ReasonSinkBehind, sink.ReasonWriteError, sink.ReasonDiskFull, sink.ReasonClosed, sink.ReasonShutdown,
		sink.ReasonRefused, sink.ReasonSpoolFull, sink.ReasonSpoolError, sink.ReasonSpoolCorrupt,
	} {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/errors.md does not explain %s", name)
		}
	}
}
