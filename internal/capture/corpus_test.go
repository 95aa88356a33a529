package capture

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// corpus returns the folder of captures of real exporters, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		t.Skipf("no corpus of captures at %s: set WEIR_CORPUS", dir)
	}
	return dir
}

func TestCorpus(t *testing.T) {
	dir := corpus(t)
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for i, line := range strings.Split(strings.TrimSpace(string(index)), "\n") {
		column := strings.Split(line, "\t")
		if i == 0 || len(column) < 8 {
			continue
		}
		name, notes := column[0], column[7]
		want, err := strconv.Atoi(column[5])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list, stats, err := Load(filepath.Join(dir, name))
		var damaged *DamagedError
		if errors.As(err, &damaged) && strings.Contains(notes, "cut short in the capture") {
			err = nil
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := stats.accounted(); got != stats.Frames {
			t.Errorf("%s: counters add up to %d of %d frames: %+v", name, got, stats.Frames, stats)
		}
		if !strings.Contains(notes, "has-tcp") && len(list) != want {
			t.Errorf("%s: %d datagrams, want %d: %+v", name, len(list), want, stats)
		}
		checked++
	}
	if checked < 10 {
		t.Errorf("only %d captures in the index", checked)
	}
}
