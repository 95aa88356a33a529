package kafka

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

func TestConfigFaults(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Config{Brokers: []string{"127.0.0.1:9092"}}
	if err := good.Validate(); err != nil {
		t.Errorf("the least configuration: %v", err)
	}
	for want, change := range map[string]func(c *Config){
		"no brokers":                        func(c *Config) { c.Brokers = nil },
		`broker "kafka": want host:port`:    func(c *Config) { c.Brokers = []string{"kafka"} },
		`broker "": want host:port`:         func(c *Config) { c.Brokers = []string{""} },
		`topic "a b"`:                       func(c *Config) { c.Topic = "a b" },
		`topic ".."`:                        func(c *Config) { c.Topic = ".." },
		`version "new": want one such`:      func(c *Config) { c.Version = "new" },
		"version 0.10.2.0 is too old":       func(c *Config) { c.Version = "0.10.2.0" },
		"largest message 10: want 1000":     func(c *Config) { c.MaxMessageBytes = 10 },
		`compression "rar"`:                 func(c *Config) { c.Compression = "rar" },
		"compression level 10: want 1 to 9": func(c *Config) { c.Compression, c.CompressionLevel = "lz4", 10 },
		"zstd wants brokers of version":     func(c *Config) { c.Compression, c.Version = "zstd", "2.0.0" },
		`acks "2"`:                          func(c *Config) { c.Acks = "2" },
		"idempotence wants acks all, not 1": func(c *Config) { c.Acks, c.Idempotent = "1", IdempotentOn },
		`idempotent "yes"`:                  func(c *Config) { c.Idempotent = "yes" },
		`message "json"`:                    func(c *Config) { c.Shape = "json" },
		`format "flow"`:                     func(c *Config) { c.Format = "flow" },
		"linger -1ns is negative":           func(c *Config) { c.Linger = -1 },
		`sasl mechanism "gssapi"`:           func(c *Config) { c.SASL = SASL{"gssapi", "a", "b"} },
		"sasl plain wants a user":           func(c *Config) { c.SASL = SASL{Mechanism: "plain", User: "a"} },
		"read tls authorities":              func(c *Config) { c.TLS = TLS{Enable: true, CA: dir + "/none"} },
		"has no certificate":                func(c *Config) { c.TLS = TLS{Enable: true, CA: empty} },
		"want both or neither":              func(c *Config) { c.TLS = TLS{Enable: true, Cert: empty} },
		"read tls client certificate":       func(c *Config) { c.TLS = TLS{Enable: true, Cert: empty, Key: empty} },
	} {
		c := good
		change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, got: %v", want, err)
		}
		if _, newErr := New(c); newErr == nil || !strings.HasPrefix(newErr.Error(), "configure kafka: ") {
			t.Errorf("New: %v", newErr)
		}
	}
	all := Config{Acks: "7", Topic: "!", Compression: "rar"}
	if err := all.Validate(); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("four faults: %v", err)
	}
}

func TestVarint(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 8191, 8192, 1 << 30, -1 << 40, math.MaxInt64, math.MinInt64} {
		got := appendVarint(nil, v)
		if want := binary.AppendVarint(nil, v); !slices.Equal(got, want) || varintSize(v) != len(want) {
			t.Errorf("%d: % x of size %d, want % x", v, got, varintSize(v), want)
		}
	}
}

// TestBucket holds the partitions against sarama's own partitioner.
func TestBucket(t *testing.T) {
	for _, n := range []int{1, 2, 7, 8, 100} {
		p := sarama.NewHashPartitioner("")
		for range 1000 {
			key := rand.Uint32()
			written := binary.BigEndian.AppendUint32(nil, key)
			want, err := p.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(written)}, int32(n))
			if got := bucket(key, n); err != nil || got != int(want) {
				t.Fatalf("key %x of %d: partition %d, sarama's is %d: %v", key, n, got, want, err)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	for _, tc := range []struct {
		err  error
		kind string
	}{
		{io.EOF, KindConnection},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, KindConnection},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, KindTLS},
		{x509.UnknownAuthorityError{}, KindTLS},
		{&net.DNSError{Err: "no such host", IsTimeout: true}, KindDNS},
		{os.ErrDeadlineExceeded, KindTimeout},
		{context.DeadlineExceeded, KindTimeout},
		{errSilent, KindTimeout},
		{errResponse, KindBroker},
		{sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("x")), KindAuthentication},
		{sarama.ErrUnsupportedSASLMechanism, KindAuthentication},
		{sarama.ErrTopicAuthorizationFailed, KindAuthorization},
		{sarama.ErrUnknownTopicOrPartition, KindTopic},
		{sarama.ErrNotLeaderForPartition, KindLeader},
		{sarama.ErrNotEnoughReplicas, KindReplicas},
		{sarama.ErrMessageSizeTooLarge, KindTooLarge},
		{sarama.ErrOutOfOrderSequenceNumber, KindSequence},
		{sarama.ErrInvalidRecord, KindRefused},
		{sarama.ErrUnknown, KindBroker},
		{&fault{KindReplicas, io.EOF}, KindReplicas},
	} {
		if got := kindOf(fmt.Errorf("do: %w", tc.err)); got != tc.kind {
			t.Errorf("%v: kind %s, want %s", tc.err, got, tc.kind)
		}
		if !slices.Contains(kinds[:], tc.kind) {
			t.Errorf("%s is not counted", tc.kind)
		}
	}
}

// TestVerdicts: no code that says that nothing was written may count as
// written, and the other way round.
func TestVerdicts(t *testing.T) {
	want := map[sarama.KError]verdict{
		sarama.ErrNoError: taken, sarama.ErrDuplicateSequenceNumber: taken,
		sarama.ErrRequestTimedOut: maybe, sarama.ErrNotEnoughReplicasAfterAppend: maybe, sarama.ErrUnknown: maybe,
		sarama.ErrNetworkException: maybe, sarama.ErrKafkaStorageError: maybe,
		sarama.ErrMessageSizeTooLarge: split, sarama.ErrMessageSetSizeTooLarge: split,
		sarama.ErrOutOfOrderSequenceNumber: lostPace, sarama.ErrUnknownProducerID: lostPace,
		sarama.ErrInvalidProducerEpoch: lostPace, sarama.ErrInvalidProducerIDMapping: lostPace, sarama.ErrProducerFenced: lostPace,
		sarama.ErrInvalidRecord: refused, sarama.ErrInvalidTimestamp: refused, sarama.ErrUnsupportedForMessageFormat: refused,
		sarama.ErrUnsupportedCompressionType: refused, sarama.ErrPolicyViolation: refused,
		sarama.ErrTopicAuthorizationFailed: needsHelp, sarama.ErrClusterAuthorizationFailed: needsHelp, sarama.ErrInvalidTopic: needsHelp,
		sarama.ErrSASLAuthenticationFailed: needsHelp, sarama.ErrUnsupportedSASLMechanism: needsHelp, sarama.ErrIllegalSASLState: needsHelp,
		sarama.ErrInvalidRequiredAcks: needsHelp, sarama.ErrUnsupportedVersion: needsHelp,
	}
	for _, acks := range []int16{-1, 1} {
		for code := sarama.KError(-1); code < 120; code++ {
			w, ok := want[code]
			switch {
			case ok:
			case acks == -1 && code != sarama.ErrNotEnoughReplicas:
				w = maybe // the replicas are waited for after writing
			default:
				w = again
			}
			if got := judge(code, acks); got != w {
				t.Errorf("%d (%v) with acks %d: verdict %d, want %d", code, code, acks, got, w)
			}
		}
	}
}

// TestResponse reads responses of every version, and pieces of them.
func TestResponse(t *testing.T) {
	for _, version := range []int16{3, 7} {
		var b []byte
		b = be.AppendUint32(b, 2)
		for _, name := range []string{"other", topic} {
			b = be.AppendUint16(b, uint16(len(name)))
			b = append(b, name...)
			b = be.AppendUint32(b, 2)
			for p := range 2 {
				b = be.AppendUint32(b, uint32(p))
				b = be.AppendUint16(b, uint16(40+p))
				b = append(b, make([]byte, 16)...)
				if version >= 5 {
					b = append(b, make([]byte, 8)...)
				}
			}
		}
		whole := len(b)
		b = be.AppendUint32(b, 0)
		for n := range len(b) + 1 {
			var got []int16
			err := parseResponse(b[:n], version, topic, func(p int32, code int16) { got = append(got, int16(p), code) })
			if (err == nil) != (n >= whole) {
				t.Errorf("version %d, %d of %d bytes: %v", version, n, whole, err)
			}
			if err == nil && !slices.Equal(got, []int16{0, 40, 1, 41}) {
				t.Errorf("version %d: %v", version, got)
			}
		}
	}
	// Numbers that would have us loop or allocate.
	huge := []byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0x7f, 0xff, 0xff, 0xff}
	if err := parseResponse(huge, 7, topic, nil); !errors.Is(err, errResponse) {
		t.Errorf("a huge response: %v", err)
	}
}

var be = binary.BigEndian

func FuzzResponse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 5, 'f', 'l', 'o', 'w', 's', 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		parseResponse(b, 7, topic, func(int32, int16) { n++ })
		if n > len(b)/30 {
			t.Fatalf("%d partitions in %d bytes", n, len(b))
		}
	})
}

// encoderLoop returns a loop that encodes and sends nothing.
func encoderLoop(t testing.TB, c Config) *loop {
	c.Brokers = []string{"127.0.0.1:9"}
	set, err := c.withDefaults().resolve()
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{onDone: func() {}, set: set, done: make(chan sink.Done, 16)}
	s.loop.init(s)
	for i := range 8 {
		s.loop.parts = append(s.loop.parts, &partition{id: int32(i)})
	}
	return &s.loop
}

// passBatch encodes a batch and has all of it acknowledged.
func passBatch(l *loop, b *producer.Batch, now time.Time) {
	l.s.count.Add(1)
	l.accept(b, now)
	l.sealAll()
	for _, p := range l.parts {
		for len(p.queue) > 0 {
			s := p.queue[0]
			p.queue = pop(p.queue)
			l.waiting -= s.raw
			l.settle(s, nil, now)
		}
	}
	for len(l.queue) > 0 {
		s := l.queue[0]
		l.queue = pop(l.queue)
		l.waiting -= s.raw
		l.settle(s, nil, now)
	}
	<-l.s.done
}

var encoderConfigs = map[string]Config{
	"flow":        {Shape: ShapeFlow},
	"flow keyed":  {Shape: ShapeFlow, Hashing: true},
	"batch":       {Shape: ShapeBatch},
	"batch keyed": {Shape: ShapeBatch, Hashing: true},
	"batch json":  {Shape: ShapeBatch, Format: FormatJSON},
}

func encoderBatch(c Config) *producer.Batch {
	if c.Hashing {
		return keyBatch(0, 1500, c.Format == FormatJSON)
	}
	return fillBatch(0, 1500, c.Format == FormatJSON)
}

func TestEncodeAllocs(t *testing.T) {
	for name, c := range encoderConfigs {
		l := encoderLoop(t, c)
		b := encoderBatch(c)
		now := time.Now()
		for range 20 {
			passBatch(l, b, now)
		}
		// A batch may cost a few; a flow none.
		if n := testing.AllocsPerRun(50, func() { passBatch(l, b, now) }); n > 20 {
			t.Errorf("%s: %v allocations a batch of 1500 flows", name, n)
		}
		if l.waiting != 0 {
			t.Errorf("%s: %d bytes wait", name, l.waiting)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, c := range encoderConfigs {
		b.Run(name, func(b *testing.B) {
			l := encoderLoop(b, c)
			batch := encoderBatch(c)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				passBatch(l, batch, now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1500, "ns/flow")
		})
	}
}

// TestSecrets: what is missing is named, and where it may come from.
func TestSecrets(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "sasl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		cluster Cluster
		environ []string
		want    string // of the fault; "" for none
	}{
		{Cluster{SASL: "none"}, nil, ""},
		{Cluster{SASL: "plain"}, nil, "no user"},
		{Cluster{SASL: "plain"}, []string{"KAFKA_SASL_PASS=p"}, "no user"},
		{Cluster{SASL: "plain"}, []string{"KAFKA_SASL_USER=u"}, "no password"},
		{Cluster{SASL: "plain"}, []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS="}, "no password"},
		{Cluster{SASL: "plain"}, []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=p"}, ""},
		{Cluster{SASL: "plain", SASLFile: file("u\np\n")}, nil, ""},
		{Cluster{SASL: "plain", SASLFile: file("\np\n")}, nil, "no user"},
		{Cluster{SASL: "plain", SASLFile: file("u\n")}, nil, "not two lines"},
		{Cluster{SASL: "plain", SASLFile: filepath.Join(t.TempDir(), "none")}, nil, "cannot read the file"},
	} {
		faults := test.cluster.Secrets(test.environ, "prefix.")
		if test.want == "" {
			if len(faults) > 0 || test.cluster.SASL != "none" && (test.cluster.SASLUser != "u" || test.cluster.SASLPassword != "p") {
				t.Errorf("%+v, %v: %v", test.cluster, test.environ, faults)
			}
			continue
		}
		if len(faults) != 1 {
			t.Errorf("%+v, %v: %d faults, want %q", test.cluster, test.environ, len(faults), test.want)
			continue
		}
		var p *option.Problem
		if !errors.As(faults[0].Err, &p) || !strings.HasPrefix(p.Text, test.want) || faults[0].Option != "prefix.sasl" {
			t.Errorf("%+v, %v: %+v, want %q", test.cluster, test.environ, faults[0], test.want)
		}
		if p != nil && strings.HasPrefix(test.want, "no ") && (!strings.Contains(p.Allowed, "KAFKA_SASL_PASS") || !strings.Contains(p.Allowed, "-prefix.sasl.file")) {
			t.Errorf("%s: %q does not say where both may come from", test.want, p.Allowed)
		}
	}
}

// TestSpread: messages without a key are shared among partitions, those of a burst and those of
// a steady flow, and sets do not become small where many come.
func TestSpread(t *testing.T) {
	var s spread
	now := time.Unix(1_700_000_000, 0)
	if got := s.share(now, 568, 3); got != leastShare {
		t.Errorf("a burst: %d together", got)
	}
	for i := range 30 { // 3 s of 100,000 a second
		now = now.Add(100 * time.Millisecond)
		got := s.share(now, 10_000, 4)
		if i > 20 && (got < 10_000 || got > 14_000) {
			t.Errorf("100,000 a second for 4 partitions: %d together", got)
		}
	}
	if got := s.share(now.Add(time.Hour), 5, 4); got != leastShare {
		t.Errorf("after a pause: %d together", got)
	}
}
