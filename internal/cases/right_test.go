package cases

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestRight reads the cases that have to be right, and compares every flow.
func TestRight(t *testing.T) {
	for name, compat := range map[string]bool{"sflow.txt": false, "labels.txt": false, "sampling.txt": false, "sampling-compat.txt": true} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			all, err := Read(f)
			if err != nil || len(all) < 3 {
				t.Fatalf("%d cases, %v", len(all), err)
			}
			for _, c := range all {
				checkCase(t, &c, compat)
			}
		})
	}
}

// checkCase decodes the datagrams of a case, and compares the flows in both forms of
// messages.
func checkCase(t *testing.T, c *Case, compat bool) {
	t.Helper()
	program, err := producer.NewProgram(nil, producer.Settings{Compat: compat})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []producer.Format{producer.FormatJSON, producer.FormatBin} {
		p := producer.New(producer.Config{
			Format: format, Programs: producer.NewPrograms(program),
		}, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 1<<20)
		for _, d := range c.Datagrams {
			r := p.Datagram(batch, producer.Meta{Source: d.Source, ReceivedNs: 1_700_000_001e9}, d.Payload)
			if r.Reason != producer.ReasonNone {
				t.Errorf("%s: %v: %x", c.Name, r.Reason, d.Payload)
			}
		}
		if batch.Records() != len(c.Flows) {
			t.Errorf("%s: %d flows, want %d", c.Name, batch.Records(), len(c.Flows))
			continue
		}
		for i, want := range c.Flows {
			message := batch.Message(i)
			if format == producer.FormatBin {
				_, n := binary.Uvarint(message)
				var parser producer.Parser
				f, ok := parser.Parse(message[n:])
				if !ok {
					t.Errorf("%s, flow %d: no message: %x", c.Name, i, message)
					continue
				}
				message = producer.AppendJSON(nil, f)
			}
			lines, err := Differences(message, want)
			if err != nil || lines != nil {
				t.Errorf("%s, flow %d: %s %v", c.Name, i, strings.Join(lines, "; "), err)
			}
		}
	}
}
