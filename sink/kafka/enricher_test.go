package kafka

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/internal/mmdbtest"
	"github.com/weirflow/weir/producer/flowpb"
)

// TestRealEnricher has the enricher read one topic and write another: each flow
// once if it is stopped in good order, at least once if it is killed.
func TestRealEnricher(t *testing.T) {
	const flows = 600
	k := cluster(t, 1)
	dir := t.TempDir()
	program, asn := filepath.Join(dir, "enricher"), filepath.Join(dir, "asn.mmdb")
	runOutput(t, root, "go", "build", "-o", program, "./cmd/enricher")
	if err := mmdbtest.WriteASN(asn, map[string]uint32{"::/0": 64500}); err != nil {
		t.Fatal(err)
	}
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		t.Run(string(shape), func(t *testing.T) {
			from, to := newTopic(t, k, 3, nil), newTopic(t, k, 2, nil)
			s, _ := open(t, Config{Shape: shape, MaxMessageBytes: 10_000, Brokers: k.Brokers(), Topic: from})
			eventually(t, "availability", s.Available)
			submit := func() {
				t.Helper()
				b, _ := flowBatch(flows)
				if !s.Submit(b) {
					t.Fatal("the batch is not taken")
				}
				flush(t, s)
				if done := <-s.Done(); done.Err != nil {
					t.Fatal(done.Err)
				}
			}
			start := func() (*exec.Cmd, *bytes.Buffer) {
				t.Helper()
				var log bytes.Buffer
				cmd := exec.Command(program, "-input", "kafka", "-input.kafka.brokers", k.Plain, "-input.kafka.topic", from,
					"-input.kafka.group", "enricher-"+from, "-db.asn", asn,
					"-format", "bin", "-transport", "kafka", "-transport.kafka.brokers", k.Plain, "-transport.kafka.topic", to)
				cmd.Stderr = &log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
				return cmd, &log
			}

			submit()
			cmd, log := start()
			eventually(t, "all flows", func() bool { return len(enrichedFlows(t, k, to)) >= flows })
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("enricher: %v\n%s", err, log)
			}
			submit()
			cmd, _ = start()
			eventually(t, "all flows twice", func() bool { return len(enrichedFlows(t, k, to)) >= 2*flows })
			all := enrichedFlows(t, k, to)
			if len(all) != 2*flows {
				t.Errorf("%d flows, want %d: the place in the topic was not kept", len(all), 2*flows)
			}
			for i, f := range all {
				if f.SrcAs != 64500 || f.DstAs != 64500 || f.Packets == 0 {
					t.Fatalf("flow %d: %v", i, f)
				}
			}
			// Killed: what was not yet committed is read again.
			submit()
			eventually(t, "some of the third", func() bool { return len(enrichedFlows(t, k, to)) > 2*flows })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed
			start()
			eventually(t, "each flow three times", func() bool {
				counts := map[uint64]int{}
				for _, f := range enrichedFlows(t, k, to) {
					counts[f.Packets]++
				}
				for i := range flows {
					if counts[uint64(i+1)] < 3 {
						return false
					}
				}
				return true
			})
		})
	}
}

// enrichedFlows returns the flows in a topic.
func enrichedFlows(t *testing.T, k *kafkatest.Cluster, topic string) (all []*flowpb.FlowMessage) {
	t.Helper()
	err := k.Read(topic, func(m kafkatest.Message) {
		for r := bytes.NewReader(m.Value); r.Len() > 0; {
			f := &flowpb.FlowMessage{}
			if err := protodelim.UnmarshalFrom(r, f); err != nil {
				t.Errorf("message of %d bytes: %v", len(m.Value), err)
				return
			}
			all = append(all, f)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
