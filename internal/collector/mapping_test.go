package collector

import (
	"testing"

	"github.com/weirflow/weir/producer"
)

// TestProgramChange replaces the mapping under a worker, again and again: no
// record is lost, the known templates go on, and no batch holds messages of two
// mappings.
func TestProgramChange(t *testing.T) {
	var all []*producer.Program
	for _, m := range []*producer.Mapping{
		nil,
		{
			Key:       []string{"src_addr"},
			Custom:    []producer.Custom{{Name: "octets", Number: 1000, Type: producer.CustomVarint}},
			NetFlowV9: []producer.ElementRule{{ID: 1, Destination: "octets"}},
		},
	} {
		p, err := producer.NewProgram(m, producer.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	programs := producer.NewPrograms(all[0])
	r := newRig(t, rigConfig{programs: programs, depth: 64})
	r.start()
	r.send(v9Template())
	r.waitReceived(1)

	const changes, each = 20, 5
	sent := 1
	for i := range changes {
		programs.Set(all[i%2])
		for range each {
			r.send(v9Data())
			sent++
		}
		r.waitReceived(sent)
	}
	r.end()
	records, size := 0, map[bool]int{}
	for {
		b, ok := r.lane.Full.Pop()
		if !ok {
			break
		}
		keyed := len(b.Keys) > 0
		if keyed && len(b.Keys) != b.Records() {
			t.Fatalf("%d keys of %d messages", len(b.Keys), b.Records())
		}
		for i := range b.Records() {
			n := len(b.Message(i))
			if size[keyed] == 0 {
				size[keyed] = n
			}
			if n != size[keyed] {
				t.Errorf("a batch holds messages of two mappings: %d and %d bytes", n, size[keyed])
			}
		}
		records += b.Records()
	}
	if records != changes*each {
		t.Errorf("%d records, want %d", records, changes*each)
	}
	if size[true] <= size[false] || size[false] == 0 {
		t.Errorf("messages of %d bytes with the mapping, %d without", size[true], size[false])
	}
}
