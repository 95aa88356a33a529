package kafka

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

const root = "../.."

// missing skips a part that needs something that is not here, or fails it
// where CI=true.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI must not skip this: %v", what, err)
	}
	t.Skipf("%s is missing: %v", what, err)
}

func runOutput(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var complaints strings.Builder
	cmd.Dir, cmd.Stderr = dir, &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", filepath.Base(name), err, out, complaints.String())
	}
	return string(out)
}

// flowBatch returns a batch of real FlowMessages and the sum of their bytes.
func flowBatch(n int) (b *producer.Batch, octets uint64) {
	b = producer.NewBatch(0, 64<<10)
	b.FirstNs = time.Now().UnixNano()
	var buf bytes.Buffer
	for i := range n {
		f := &flowpb.FlowMessage{
			Type: flowpb.FlowMessage_IPFIX, TimeReceivedNs: uint64(b.FirstNs), SequenceNum: uint32(i),
			SamplerAddress: []byte{192, 0, 2, 1}, SrcAddr: []byte{198, 51, 100, byte(i)}, DstAddr: []byte{203, 0, 113, byte(i >> 8)},
			Bytes: uint64(i)*1000 + 7, Packets: uint64(i + 1), Etype: 0x800, Proto: 6, SrcPort: 443, DstPort: uint32(i),
			AsPath: []uint32{64512, uint32(i)},
		}
		if i%3 == 0 {
			f.SrcAddr = []byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)}
			f.Etype = 0x86dd
		}
		octets += f.Bytes
		if _, err := protodelim.MarshalTo(&buf, f); err != nil {
			panic(err)
		}
		b.Ends = append(b.Ends, uint32(buf.Len()))
	}
	b.Buf = append(b.Buf, buf.Bytes()...)
	return b, octets
}

// TestRealPipelines runs what docs/pipelines.md says on topics of both shapes.
func TestRealPipelines(t *testing.T) {
	const flows = 600
	k := cluster(t, 1)
	for _, c := range []Config{{Shape: ShapeFlow}, {Shape: ShapeBatch, MaxMessageBytes: 10_000, Compression: "zstd"}} {
		c.Brokers, c.Topic = k.Brokers(), newTopic(t, k, 2, nil)
		s, _ := open(t, c)
		b, octets := flowBatch(flows)
		eventually(t, "availability", s.Available)
		if !s.Submit(b) {
			t.Fatal("the batch is not taken")
		}
		flush(t, s)
		if done := <-s.Done(); done.Err != nil {
			t.Fatal(done.Err)
		}
		messages := int(s.Counters().Messages())
		if want := map[Shape]int{ShapeFlow: flows}[c.Shape]; want != 0 && messages != want || want == 0 && messages < 3 {
			t.Fatalf("%d messages", messages)
		}
		sum := fmt.Sprintf("flows %d bytes %d\n", flows, octets)

		t.Run(string(c.Shape)+"/kcat", func(t *testing.T) {
			kcat, err := exec.LookPath("kcat")
			if err != nil {
				missing(t, "kcat (Debian: apt-get install kcat)", err)
			}
			headers := runOutput(t, ".", kcat, "-q", "-b", k.Plain, "-C", "-t", c.Topic, "-o", "beginning", "-e", "-f", "%h %S\n")
			if n := strings.Count(headers, "content-type=application/x-protobuf,weir-records="); n != messages {
				t.Errorf("kcat shows %d messages of %d:\n%.300s", n, messages, headers)
			}
			values := runOutput(t, ".", kcat, "-q", "-b", k.Plain, "-C", "-t", c.Topic, "-o", "beginning", "-e", "-D", "", "-f", "%s")
			if len(values) != len(b.Buf) {
				t.Errorf("kcat gives %d bytes of %d", len(values), len(b.Buf))
			}
		})
		t.Run(string(c.Shape)+"/go", func(t *testing.T) {
			got := runOutput(t, root, "go", "run", "./docs/pipelines/consumer", "-brokers", k.Plain, "-topic", c.Topic,
				"-group", "go-"+c.Topic, "-flows", fmt.Sprint(flows))
			if got != sum {
				t.Errorf("got %q, want %q", got, sum)
			}
		})
		t.Run(string(c.Shape)+"/python", func(t *testing.T) {
			py := python(t)
			dir := t.TempDir()
			runOutput(t, root, py, "-m", "grpc_tools.protoc", "-I", "producer/flowpb", "--python_out="+dir, "flow.proto")
			script, err := filepath.Abs(root + "/docs/pipelines/consumer.py")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(py, script, k.Plain, c.Topic, fmt.Sprint(flows))
			cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
			got, err := cmd.CombinedOutput()
			if err != nil || string(got) != sum {
				t.Errorf("got %q, want %q: %v", got, sum, err)
			}
		})
		t.Run(string(c.Shape)+"/clickhouse", func(t *testing.T) {
			got := runOutput(t, root, python(t), "docs/pipelines/clickhouse.py", k.Plain, c.Topic, "producer/flowpb/flow.proto")
			// 256 last octets, of which those divisible by 3 have IPv6 too.
			want := fmt.Sprintf("%d\t%d\t", flows, octets)
			if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\t::ffff:198.51.100.0\n") {
				t.Errorf("got %q, want %q...", got, want)
			}
		})
	}
}

// python returns a Python with the packages of docs/pipelines.
func python(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, "Python 3 (Debian: apt-get install python3-venv)", err)
	}
	cmd := exec.Command(root+"/scripts/kafka", "python")
	out, err := cmd.Output()
	if err != nil {
		missing(t, "a Python with chdb, confluent-kafka and grpcio-tools", err)
	}
	return strings.TrimSpace(string(out))
}
