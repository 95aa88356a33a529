package kafkalive

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/internal/weirtest"
)

// source is something to send to weir, the same each time.
type source struct {
	name     string
	numbered bool // its flows have numbers
	send     func(t *testing.T, to string) (datagrams uint64)
}

// synthetic is the generator's mix of protocols.
func synthetic(datagrams, pps int) source {
	return source{name: "synthetic", numbered: true, send: func(t *testing.T, to string) uint64 {
		t.Helper()
		g := startGen(t, nil, to, "-workload", "mix", "-exporters", "40", "-clock", "sim",
			"-count", fmt.Sprint(datagrams), "-pps", fmt.Sprint(pps))
		return g.end().Datagrams
	}}
}

// captures are those of the corpus.
func captures(t *testing.T) source {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	files, err := filepath.Glob(filepath.Join(dir, "pcap", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Logf("no corpus of captures in %s (set WEIR_CORPUS to its folder)", dir)
		return source{}
	}
	return source{name: "corpus", send: func(t *testing.T, to string) uint64 {
		t.Helper()
		args := append([]string{"-keep-source", "-pps", "3000", "-to", to}, files...)
		cmd := exec.Command(replayProgram, args...)
		var errs weirtest.Output
		cmd.Stderr = &errs
		out, err := cmd.Output()
		var s struct {
			Datagrams uint64 `json:"datagrams"`
			Errors    uint64 `json:"errors"`
		}
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err != nil || s.Errors > 0 {
			t.Fatalf("replay: %v, %s: %s", err, out, errs.String())
		}
		return s.Datagrams
	}}
}

// way is one way to deliver.
type way struct {
	name       string
	args, env  []string
	batch, key bool
}

// ways are all that must deliver every record once.
func ways(k *kafkatest.Cluster) []way {
	var list []way
	for _, shape := range []string{"flow", "batch"} {
		for _, hashing := range []bool{false, true} {
			for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				w := way{
					name:  fmt.Sprintf("%s %s hashing %v", shape, compression, hashing),
					args:  []string{"-transport.kafka.brokers", k.Plain, "-transport.kafka.message", shape, "-transport.kafka.compression", compression},
					batch: shape == "batch",
				}
				if hashing {
					w.args, w.key = append(w.args, "-transport.kafka.hashing", "-format.hash", "sampler_address"), true
				}
				list = append(list, w)
			}
		}
	}
	ca := []string{"-transport.kafka.tls", "-transport.kafka.tls.ca", k.CA}
	list = append(list,
		way{name: "tls", args: append([]string{"-transport.kafka.brokers", k.TLS}, ca...)},
		way{name: "mtls", args: append([]string{"-transport.kafka.brokers", k.MTLS, "-transport.kafka.tls.client", k.Cert, "-transport.kafka.tls.key", k.Key}, ca...)})
	for _, mechanism := range []string{"plain", "scram-sha256", "scram-sha512"} {
		sasl := []string{"-transport.kafka.sasl", mechanism}
		env := []string{"KAFKA_SASL_USER=" + k.User, "KAFKA_SASL_PASS=" + k.Password}
		list = append(list,
			way{name: mechanism, args: append([]string{"-transport.kafka.brokers", k.SASL}, sasl...), env: env},
			way{name: mechanism + " over tls", args: append(append([]string{"-transport.kafka.brokers", k.SASLTLS}, sasl...), ca...), env: env})
	}
	return list
}

// brief are the ways of the short form, which have everything between them.
var brief = []string{"flow none hashing false", "batch zstd hashing true", "flow lz4 hashing true", "mtls", "scram-sha512 over tls", "plain"}

// TestEveryRecordOnce sends the corpus and synthetic flows to a weir that writes
// a file, and then to one that writes to Kafka, in every way.
func TestEveryRecordOnce(t *testing.T) {
	k := cluster(t, 1)
	datagrams, pps := 12_000, 6_000
	if full() {
		datagrams, pps = 160_000, 12_000 // some two million flows
	}
	sources := []source{synthetic(datagrams, pps)}
	if c := captures(t); c.send != nil {
		sources = append(sources, c)
	}
	want := map[string]records{}
	for _, s := range sources {
		want[s.name] = toFile(t, s)
		t.Logf("%s: %d records", s.name, len(want[s.name]))
	}
	for _, w := range ways(k) {
		if !full() && !contains(brief, w.name) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			for _, s := range sources {
				topic := newTopic(t, k, 8, nil)
				weir := startWeir(t, nil, w.env, append([]string{"-transport.kafka.topic", topic, "-spool.dir", t.TempDir()}, w.args...)...)
				datagrams := s.send(t, weir.listen)
				m := weir.settled(datagrams)
				weir.stop()
				if b := m.books(); b.dropped != 0 || b.acked != b.produced || b.acked != uint64(len(want[s.name])) || weir.memoryPeak > memoryLimit {
					t.Errorf("%s: %+v, %d in the file, %d MiB of memory", s.name, b, len(want[s.name]), weir.memoryPeak>>20)
				}
				compare(t, topicRecords(t, k, topic, w.batch, w.key, s.numbered), want[s.name])
			}
		})
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// settled waits until weir has received so many datagrams and its output has
// all of them, and returns the metrics.
func (w *weir) settled(datagrams uint64) (m metrics) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("weir has %d datagrams and delivers them", datagrams), 2*time.Minute, func() bool {
		m = w.scrape()
		b := m.books()
		return m.sum("datagrams_received_total{") == datagrams && b.inFlight+b.spooled == 0
	})
	w.memoryPeak = w.memory("VmHWM")
	return m
}

// toFile has weir write what a source sends to a file.
func toFile(t *testing.T, s source) records {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flows.bin")
	w := startWeir(t, nil, nil, "-transport", "file", "-transport.file", path, "-transport.file.sep", "")
	w.settled(s.send(t, w.listen))
	w.stop()
	return fileRecords(t, path)
}

// TestMistakes: each mistake is named within ten seconds, weir stays up and
// keeps what it receives, and delivers it when the mistake is fixed.
func TestMistakes(t *testing.T) {
	k, strict := cluster(t, 1), cluster(t, 3) // the one of 3 makes no topics
	user := []string{"KAFKA_SASL_USER=" + k.User, "KAFKA_SASL_PASS=" + k.Password}
	sasl := []string{"-transport.kafka.brokers", k.SASL, "-transport.kafka.sasl", "scram-sha256"}
	tls := []string{"-transport.kafka.brokers", k.TLS, "-transport.kafka.tls", "-transport.kafka.tls.ca"}
	for _, tc := range []struct {
		name       string
		k          *kafkatest.Cluster
		wrong, env []string
		right      []string // nil: as before
		mend       func(topic string) error
		limit      string // max.message.bytes of the topic; empty: the default
		noTopic    bool
		kind, says string
		takes      bool // the cluster takes what it can
	}{
		{name: "wrong password", k: k, wrong: sasl, env: []string{"KAFKA_SASL_USER=" + k.User, "KAFKA_SASL_PASS=wrong"}, right: sasl,
			kind: "authentication", says: "SCRAM-SHA-256"},
		{name: "wrong ca", k: k, wrong: append(tls[:len(tls):len(tls)], k.OtherCA), right: append(tls[:len(tls):len(tls)], k.CA),
			kind: "tls", says: "unknown authority"},
		{name: "unknown topic", k: strict, wrong: []string{"-transport.kafka.brokers", strict.Plain}, noTopic: true,
			mend: func(topic string) error { return strict.Topic(topic, 4, nil) }, kind: "topic", says: "does not exist"},
		{name: "message too large", k: k, wrong: []string{"-transport.kafka.brokers", k.Plain, "-transport.kafka.message", "batch"}, limit: "3000",
			kind: "too_large", says: "max.message.bytes", takes: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			topic := topicName()
			if !tc.noTopic {
				config := map[string]string{}
				if tc.limit != "" {
					config["max.message.bytes"] = tc.limit
				}
				if err := tc.k.Topic(topic, 4, config); err != nil {
					t.Fatal(err)
				}
			}
			common := []string{"-transport.kafka.topic", topic, "-spool.dir", t.TempDir()}
			began := time.Now()
			w := startWeir(t, nil, tc.env, append(common, tc.wrong...)...)
			g := startGen(t, nil, w.listen, "-count", "1000", "-pps", "500")
			eventually(t, "weir names "+tc.kind, 10*time.Second-time.Since(began), func() bool {
				return strings.Contains(w.log.String(), "kind="+tc.kind) && strings.Contains(w.log.String(), tc.says)
			})
			sent := g.end()
			var b books
			eventually(t, "weir has all in its spool, or delivered", patience, func() bool {
				b = w.scrape().books()
				return b.produced == sent.Records && b.inFlight == 0 && (b.spooled == 0) == tc.takes
			})
			if tc.takes && b.acked != sent.Records || !tc.takes && b.spooled != sent.Records || b.dropped != 0 {
				t.Fatalf("%+v", b)
			}
			if w.scrape().get(`kafka_errors_total{kind="`+tc.kind+`"}`) == 0 {
				t.Error("the error is not counted")
			}
			if tc.right != nil {
				w.stop()
				w = startWeir(t, nil, user, append(common, tc.right...)...)
			} else if tc.mend != nil {
				if err := tc.mend(topic); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "weir delivers", patience, func() bool {
				b = w.scrape().books()
				return b.acked == sent.Records && b.spooled == 0
			})
			w.stop()
			if a := count(t, tc.k, topic, sent.FirstID, sent.NextID); a.missing != 0 || a.repeated != 0 {
				t.Errorf("%d flows are missing, %d repeated", a.missing, a.repeated)
			}
		})
	}
}
