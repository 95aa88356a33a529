package cases

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
)

// sharedDir has captures with the flows that are right, where the test's machine has
// them.
const sharedDir = "../../../shared/cases/values"

// TestShared compares the flows of each capture with those that are right.
func TestShared(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(sharedDir, "*.pcap"))
	if len(names) == 0 {
		t.Skip("no captures in " + sharedDir)
	}
	for _, name := range names {
		name := strings.TrimSuffix(filepath.Base(name), ".pcap")
		t.Run(name, func(t *testing.T) {
			if lines := differ(t, name); lines != nil {
				t.Error(strings.Join(lines, "; "))
			}
		})
	}
}

// differ returns what differs in a capture.
func differ(t *testing.T, name string) (lines []string) {
	p := producer.New(producer.Config{Format: producer.FormatJSON, IgnoreWithdrawals: true}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	datagrams, _, err := capture.Load(filepath.Join(sharedDir, name+".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range datagrams {
		p.Datagram(batch, producer.Meta{Source: d.Src, ReceivedNs: 1_700_000_001e9}, d.Payload)
	}
	f, err := os.Open(filepath.Join(sharedDir, name+".expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(sc.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for k, v := range fields {
			var text string
			if json.Unmarshal(v, &text) != nil {
				text = strings.ReplaceAll(string(v), " ", "")
			}
			want[k] = text
		}
		if n >= batch.Records() {
			return append(lines, "a flow is missing")
		}
		more, err := Differences(batch.Message(n), want)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, more...)
	}
	if n != batch.Records() && name != "stale-template" { // what follows there is not known
		lines = append(lines, "a flow too much")
	}
	if name == "stale-template" && !slices.ContainsFunc(p.Counters.Faults[1:], func(n uint64) bool { return n > 0 }) {
		lines = append(lines, "no fault")
	}
	return lines
}
