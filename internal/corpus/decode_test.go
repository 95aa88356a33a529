package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/app"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// corpusDir returns the folder of the larger corpus, or skips the test.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		t.Skipf("no corpus of captures: %v (set WEIR_CORPUS to its folder)", err)
	}
	return dir
}

// decode runs weir decode on a capture and returns its output and statistics.
func decode(t *testing.T, name, format string) ([]byte, *app.Stats) {
	t.Helper()
	dir := t.TempDir()
	out, stats := filepath.Join(dir, "flows"), filepath.Join(dir, "stats")
	args := []string{"decode", "-format", format, "-transport.file", out, "-stats", stats}
	if format == "bin" {
		args = append(args, "-transport.file.sep", "")
	}
	var stdout, stderr bytes.Buffer
	code := app.Main(app.Env{Args: append(args, name), Stdout: &stdout, Stderr: &stderr})
	// A capture that was cut off is decoded as far as it goes, and that is said.
	cut := code == app.ExitError && strings.Count(stderr.String(), "\n") == 1 && strings.Contains(stderr.String(), "capture not read to its end")
	if code != app.ExitOK && !cut || stdout.Len() > 0 {
		t.Fatalf("weir decode: exit %d, output %q, errors %q", code, stdout.Bytes(), stderr.Bytes())
	}
	flows, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // no flow, no file
		t.Fatal(err)
	}
	text, err := os.ReadFile(stats)
	if err != nil {
		t.Fatal(err)
	}
	var s app.Stats
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("statistics %s: %v", text, err)
	}
	return flows, &s
}

// messages cuts delimited messages.
func messages(t *testing.T, b []byte) []*flowpb.FlowMessage {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(b))
	var all []*flowpb.FlowMessage
	for {
		m := new(flowpb.FlowMessage)
		err := protodelim.UnmarshalFrom(in, m)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("message %d: %v", len(all), err)
		}
		all = append(all, m)
	}
}

// checkLedger checks the sums that must hold of any run.
func checkLedger(t *testing.T, s *app.Stats) {
	t.Helper()
	sum := func(m map[string]uint64) (n uint64) {
		for _, v := range m {
			n += v
		}
		return n
	}
	if got := s.DatagramsDecoded + sum(s.DatagramsFailed); got != s.DatagramsReceived {
		t.Errorf("received %d datagrams, decoded %d, failed %v", s.DatagramsReceived, s.DatagramsDecoded, s.DatagramsFailed)
	}
	if got := sum(s.DatagramsByProtocol); got != s.DatagramsReceived {
		t.Errorf("received %d datagrams, by protocol %d", s.DatagramsReceived, got)
	}
	if got := sum(s.RecordsByProtocol); got != s.RecordsProduced {
		t.Errorf("produced %d records, by protocol %d", s.RecordsProduced, got)
	}
	if got := s.DatagramsReceived + s.Capture.OtherPorts; got != s.Capture.UDPDatagrams {
		t.Errorf("%d datagrams in the capture, %d accounted for", s.Capture.UDPDatagrams, got)
	}
	for _, m := range []map[string]uint64{s.DatagramsFailed, s.DatagramsIncomplete} {
		for reason, n := range m {
			if s.Faults[reason] < n {
				t.Errorf("%d datagrams for %s, which is counted %d times", n, reason, s.Faults[reason])
			}
		}
	}
}

// indexed is a line of the corpus's index.
type indexed struct {
	name            string // without folder and ending
	flows           uint64 // records and flow samples, counted by lengths
	options         uint64
	packets         uint64
	otherTransport  bool
	hasOptionsCount bool
}

var (
	ownRecords = regexp.MustCompile(`own-count:[^;]*\brec=(\d+)`)
	ownOptions = regexp.MustCompile(`own-count:[^;]*\bopt=(\d+)`)
	ownSamples = regexp.MustCompile(`samples\{([^}]*)\}`)
)

// index reads the corpus's index.
func index(t *testing.T, dir string) []indexed {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("index: %v", err)
		}
		return n
	}
	var all []indexed
	for _, line := range strings.Split(string(text), "\n")[1:] {
		columns := strings.Split(line, "\t")
		if len(columns) < 8 {
			continue
		}
		notes := columns[7]
		c := indexed{
			name:           strings.TrimSuffix(strings.TrimPrefix(columns[0], "pcap/"), ".pcap"),
			packets:        number(columns[5]),
			otherTransport: strings.Contains(notes, "ipfix-over-tcp"),
		}
		if m := ownRecords.FindStringSubmatch(notes); m != nil {
			c.flows += number(m[1])
		}
		if m := ownOptions.FindStringSubmatch(notes); m != nil {
			c.options, c.hasOptionsCount = number(m[1]), true
		}
		if m := ownSamples.FindStringSubmatch(notes); m != nil {
			for _, kind := range strings.Fields(m[1]) {
				name, n, _ := strings.Cut(kind, ":")
				if name == "flow" || name == "flow-exp" {
					c.flows += number(n)
				}
			}
		}
		all = append(all, c)
	}
	if len(all) < 80 {
		t.Fatalf("index has %d lines", len(all))
	}
	return all
}

// skipLarge skips captures of many records in builds that take long over them.
func (c indexed) skipLarge(t *testing.T) {
	if (raceDetector || testing.Short()) && c.flows > 1000 {
		t.Skipf("%d records take long with -race, and are left out with -short", c.flows)
	}
}

// TestCounts decodes each capture of the corpus and compares the number of
// records with a count by the lengths on the wire.
func TestCounts(t *testing.T) {
	dir := corpusDir(t)
	for _, c := range index(t, dir) {
		t.Run(c.name, func(t *testing.T) {
			if c.otherTransport {
				t.Skip("IPFIX over TCP is not decoded")
			}
			c.skipLarge(t)
			flows, stats := decode(t, filepath.Join(dir, "pcap", c.name+".pcap"), "bin")
			checkLedger(t, stats)
			all := messages(t, flows)
			if uint64(len(all)) != stats.RecordsProduced {
				t.Errorf("wrote %d messages, counted %d", len(all), stats.RecordsProduced)
			}
			if n := len(forward([][]*flowpb.FlowMessage{all})[0]); uint64(n) != c.flows {
				t.Errorf("got %d records, want %d (%+v)", n, c.flows, stats.Faults)
			}
			if c.hasOptionsCount && stats.OptionsRecords != c.options {
				t.Errorf("got %d options records, want %d", stats.OptionsRecords, c.options)
			}
			if stats.DatagramsReceived != c.packets {
				t.Errorf("got %d datagrams, want %d", stats.DatagramsReceived, c.packets)
			}
		})
	}
}

// TestGolden decodes the captures of this folder. Their receive times are those
// of the capture, so that the output is always the same.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	if err != nil || len(names) < 10 {
		t.Fatalf("got %v, %v", names, err)
	}
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".pcap")
		t.Run(base, func(t *testing.T) {
			lines, stats := decode(t, name, "json")
			checkLedger(t, stats)
			if stats.RecordsProduced == 0 || stats.DatagramsDecoded != stats.DatagramsReceived {
				t.Errorf("got %d records, %d of %d datagrams", stats.RecordsProduced, stats.DatagramsDecoded, stats.DatagramsReceived)
			}
			compareOrUpdate(t, base+".json", lines)
			stats.Seconds = 0
			text, err := json.MarshalIndent(stats, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compareOrUpdate(t, base+".stats.json", append(text, '\n'))
		})
	}
}

// perDatagram decodes a capture datagram by datagram, checks that weir decode
// writes the same, and returns the flows of each.
func perDatagram(t *testing.T, name string) [][]*flowpb.FlowMessage {
	t.Helper()
	list, _, err := capture.Load(name)
	if err != nil && len(list) == 0 {
		t.Fatal(err)
	}
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	var all [][]*flowpb.FlowMessage
	var whole []byte
	for _, d := range list {
		batch.Reset()
		p.Datagram(batch, producer.Meta{Source: d.Src, ReceivedNs: d.TimeNs, Truncated: d.Cut}, d.Payload)
		whole = append(whole, batch.Buf...)
		all = append(all, messages(t, batch.Buf))
	}
	if flows, _ := decode(t, name, "bin"); !bytes.Equal(flows, whole) {
		t.Fatalf("weir decode wrote %d bytes, the producer %d", len(flows), len(whole))
	}
	return all
}
