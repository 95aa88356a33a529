package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
)

// deliverTo sends flows through a sink of c into a new topic of a real
// cluster and checks what a consumer finds.
func deliverTo(t *testing.T, k *kafkatest.Cluster, c Config, flows uint64) *Sink {
	t.Helper()
	if c.Topic == "" {
		c.Topic = newTopic(t, k, 8, nil)
	}
	if c.Brokers == nil {
		c.Brokers = k.Brokers()
	}
	c.Linger = 20 * time.Millisecond
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(flows, 700)
	d.finish()
	d.check(reader(t, k, c.Topic))
	return s
}

func TestRealEveryWay(t *testing.T) {
	k := cluster(t, 1)
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		for _, hashing := range []bool{false, true} {
			for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				for _, level := range []int{0, 9} {
					if level > 0 && (compression == "none" || hashing) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s:%d/hashing=%v", shape, compression, level, hashing), func(t *testing.T) {
						c := Config{Shape: shape, Compression: compression, CompressionLevel: level, Hashing: hashing}
						s := deliverTo(t, k, c, 10_000)
						n := s.Counters()
						if packed := n.Bytes() < n.RawBytes(); packed != (compression != "none") {
							t.Errorf("%d bytes sent for %d", n.Bytes(), n.RawBytes())
						}
					})
				}
			}
		}
	}
	t.Run("json", func(t *testing.T) {
		deliverTo(t, k, Config{Format: FormatJSON, Shape: ShapeBatch, MaxMessageBytes: 50_000}, 5000)
		deliverTo(t, k, Config{Format: FormatJSON}, 5000)
	})
	t.Run("acks", func(t *testing.T) {
		deliverTo(t, k, Config{Acks: "1"}, 5000)
		deliverTo(t, k, Config{Acks: "all", Idempotent: IdempotentOff}, 5000)
		deliverTo(t, k, Config{NoHeaders: true}, 5000)
	})
}

// TestRealVersions: what an operator says about the broker's version.
func TestRealVersions(t *testing.T) {
	k := cluster(t, 1)
	for _, version := range []string{"0.11.0.0", "1.0.0", "2.0.0", "2.1.0", "2.4.0", "2.5", "2.8.0", "3.9.0", "4.0.0"} {
		t.Run(version, func(t *testing.T) { deliverTo(t, k, Config{Version: version}, 1000) })
	}
}

// TestRealAutoCreate: the topic is made when it is first asked for.
func TestRealAutoCreate(t *testing.T) {
	k := cluster(t, 1)
	s := deliverTo(t, k, Config{Topic: topicName()}, 1000)
	if n := s.Counters().Errors(KindTopic); n > 0 {
		t.Errorf("%d errors for a topic that came", n)
	}
}

func list(s string) []string { return strings.Split(s, ",") }

func TestRealSecurity(t *testing.T) {
	k := cluster(t, 1)
	tls := TLS{Enable: true, CA: k.CA}
	mtls := TLS{Enable: true, CA: k.CA, Cert: k.Cert, Key: k.Key}
	sasl := func(mechanism string) SASL { return SASL{mechanism, k.User, k.Password} }
	for name, c := range map[string]Config{
		"tls":              {Brokers: list(k.TLS), TLS: tls},
		"tls insecure":     {Brokers: list(k.TLS), TLS: TLS{Enable: true, CA: k.OtherCA, Insecure: true}},
		"mtls":             {Brokers: list(k.MTLS), TLS: mtls},
		"plain":            {Brokers: list(k.SASL), SASL: sasl("plain")},
		"scram 256":        {Brokers: list(k.SASL), SASL: sasl("scram-sha256")},
		"scram 512":        {Brokers: list(k.SASL), SASL: sasl("scram-sha512")},
		"plain on tls":     {Brokers: list(k.SASLTLS), TLS: tls, SASL: sasl("plain")},
		"scram 256 on tls": {Brokers: list(k.SASLTLS), TLS: tls, SASL: sasl("scram-sha256")},
		"scram 512 on tls": {Brokers: list(k.SASLTLS), TLS: tls, SASL: sasl("scram-sha512")},
	} {
		t.Run(name, func(t *testing.T) { deliverTo(t, k, c, 5000) })
	}
}

// TestRealRefusals: each mistake is named within ten seconds, and the sink
// stays up.
func TestRealRefusals(t *testing.T) {
	k := cluster(t, 1)
	tls := TLS{Enable: true, CA: k.CA}
	for name, tc := range map[string]struct {
		c          Config
		kind, says string
	}{
		"wrong password plain": {Config{Brokers: list(k.SASL), SASL: SASL{"plain", k.User, "wrong"}},
			KindAuthentication, "Invalid username or password"},
		"wrong password scram 256": {Config{Brokers: list(k.SASL), SASL: SASL{"scram-sha256", k.User, "wrong"}},
			KindAuthentication, "SCRAM-SHA-256"},
		"wrong password scram 512": {Config{Brokers: list(k.SASLTLS), TLS: tls, SASL: SASL{"scram-sha512", k.User, "wrong"}},
			KindAuthentication, "SCRAM-SHA-512"},
		"wrong user":                {Config{Brokers: list(k.SASL), SASL: SASL{"scram-sha512", "nobody", "x"}}, KindAuthentication, ""},
		"wrong ca":                  {Config{Brokers: list(k.TLS), TLS: TLS{Enable: true, CA: k.OtherCA}}, KindTLS, "unknown authority"},
		"no client certificate":     {Config{Brokers: list(k.MTLS), TLS: tls}, KindTLS, "certificate"},
		"tls to a plain listener":   {Config{Brokers: k.Brokers(), TLS: tls}, KindTLS, ""},
		"plain to a tls listener":   {Config{Brokers: list(k.TLS)}, KindConnection, "does the listener want tls"},
		"no sasl to a sasl one":     {Config{Brokers: list(k.SASL)}, KindConnection, "does the listener want tls or sasl"},
		"nobody listens":            {Config{Brokers: []string{"127.0.0.1:1"}}, KindConnection, "refused"},
		"no such name":              {Config{Brokers: []string{"kafka.invalid:9092"}}, KindDNS, "kafka.invalid"},
		"no such srv":               {Config{SRV: "_kafka._tcp.kafka.invalid"}, KindDNS, "kafka.invalid"},
		"nobody answers (discards)": {Config{Brokers: []string{silent(t)}}, KindTimeout, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.c.Topic = "test-refusals"
			s, log := open(t, tc.c)
			eventually(t, "the complaint", func() bool {
				return strings.Contains(log.String(), "kind="+tc.kind) && s.Counters().Errors(tc.kind) > 0
			})
			if !strings.Contains(log.String(), tc.says) {
				t.Errorf("the log does not say %q:\n%s", tc.says, log)
			}
			if s.Available() || s.Submit(fillBatch(0, 1, false)) {
				t.Error("available")
			}
		})
	}
}

// TestRealNoTopic: the cluster makes no topics. When the operator does, all
// goes on.
func TestRealNoTopic(t *testing.T) {
	k := cluster(t, 3)
	name := topicName()
	s, log := open(t, Config{Brokers: k.Brokers(), Topic: name})
	eventually(t, "the complaint", func() bool { return strings.Contains(log.String(), "kind=topic") })
	d := drive(t, s)
	d.add(1000, 100)
	if err := k.Topic(name, 4, nil); err != nil {
		t.Fatal(err)
	}
	d.finish()
	d.check(reader(t, k, name))
}

// TestRealTooLarge: the topic takes less than the sink's sets have.
func TestRealTooLarge(t *testing.T) {
	k := cluster(t, 1)
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		name := newTopic(t, k, 2, map[string]string{"max.message.bytes": "5000"})
		s, log := open(t, Config{Brokers: k.Brokers(), Topic: name, Shape: shape, Hashing: true})
		d := drive(t, s)
		d.add(3000, 500)
		big := fillBatch(0, 0, false) // one flow that never fits
		d.queue = append(d.queue, big)
		big.Buf = append(appendHugeFlow(big.Buf, d.next, 6000), big.Buf...)
		big.Ends = append(big.Ends, uint32(len(big.Buf)))
		d.next++
		d.add(500, 500)
		start := time.Now()
		d.finish()
		if d.refused != 1 {
			t.Errorf("%s: %d flows refused, want 1", shape, d.refused)
		}
		if !strings.Contains(log.String(), "kind=too_large") || time.Since(start) > 20*time.Second {
			t.Errorf("%s: after %v the log says\n%s", shape, time.Since(start), log)
		}
		d.check(reader(t, k, name))
	}
}
