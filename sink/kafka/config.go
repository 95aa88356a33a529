package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// Shape is what a Kafka message holds.
type Shape string

// The shapes.
const (
	// ShapeFlow is one flow a message.
	ShapeFlow Shape = "flow"
	// ShapeBatch is as many flows a message as fit, one after the other.
	ShapeBatch Shape = "batch"
)

// Format says how flows are joined in a message of ShapeBatch, and what the
// content-type header is.
type Format string

// The formats.
const (
	// FormatProtobuf is length-delimited protobuf, joined without more.
	FormatProtobuf Format = "protobuf"
	// FormatJSON is one JSON object a flow, joined by newlines.
	FormatJSON Format = "json"
	// FormatText is one line a flow, joined by newlines.
	FormatText Format = "text"
)

// Idempotent says whether sets carry sequence numbers.
type Idempotent string

// The choices.
const (
	// IdempotentAuto uses sequence numbers where acks are "all" and the
	// cluster allows it.
	IdempotentAuto Idempotent = "auto"
	// IdempotentOn insists.
	IdempotentOn Idempotent = "on"
	// IdempotentOff does without.
	IdempotentOff Idempotent = "off"
)

// Defaults of a Config's fields that are zero.
const (
	DefaultTopic           = "flow-messages"
	DefaultVersion         = "2.8.0"
	DefaultMaxMessageBytes = 1_000_000
	DefaultLinger          = 100 * time.Millisecond
	DefaultBufferBytes     = 32 << 20
	DefaultRequestTimeout  = 10 * time.Second
	DefaultDialTimeout     = 3 * time.Second
	DefaultGiveBackAfter   = time.Second
	DefaultClientID        = "weir"
)

// TLS is how to encrypt connections. Files are PEM. They are read by New and,
// the client's pair, again for every connection.
type TLS struct {
	Enable   bool
	CA       string // file of authorities, any number of them; empty: the system's
	Cert     string // file of the client's certificate chain
	Key      string // file of the client's key
	Insecure bool   // do not verify the broker's certificate
}

// SASL is how to authenticate.
type SASL struct {
	// Mechanism is none (or empty), plain, scram-sha256 or scram-sha512.
	Mechanism string
	User      string
	Password  string
}

// Config configures a [Sink]. The zero value of a field stands for its
// default.
type Config struct {
	Brokers []string // host:port
	// SRV is a DNS name whose SRV records list the brokers; Brokers is not
	// used then. It is looked up again whenever no known broker answers.
	SRV string
	// Resolver looks names up. Nil is net.DefaultResolver.
	Resolver *net.Resolver
	Topic    string
	Version  string // oldest broker, as 2.8.0; 0.11.0.0 at least
	TLS      TLS
	SASL     SASL

	// MaxMessageBytes is the most that a record set, and in ShapeBatch a
	// message, may have before compression. The broker's message.max.bytes
	// must not be less.
	MaxMessageBytes int
	// FlushBytes is the size at which a set is sent without lingering, if
	// less than MaxMessageBytes.
	FlushBytes int
	// Linger is how long a set waits for more messages.
	Linger time.Duration

	// Hashing puts equal keys, of batches that have Keys, into equal
	// partitions, those that sarama's hash partitioner chooses: FNV-1a of
	// the key's four bytes, 32 bits, as a signed number, modulo the number
	// of partitions, without its sign. In ShapeFlow a key is written with or
	// without Hashing. In ShapeBatch it chooses the partition with or
	// without Hashing, and is not written.
	Hashing bool

	Compression      string // none (or empty), gzip, snappy, lz4, zstd
	CompressionLevel int    // 0: the codec's default; otherwise 1 to 9, for zstd to 22

	// Acks is all (or -1; the default), 1 or 0.
	Acks       string
	Idempotent Idempotent

	Shape       Shape
	Format      Format
	ContentType string // value of the content-type header, if not the Format's
	NoHeaders   bool   // write neither content-type nor weir-records

	// BufferBytes bounds the batches that the sink holds. Sets, which are
	// copies, may take as much again, and compressed sets up to that.
	BufferBytes int
	// RequestTimeout is how long a broker may take for a response.
	RequestTimeout time.Duration
	DialTimeout    time.Duration
	// GiveBackAfter is how long an outage lasts before messages that have
	// not been sent are handed back. Negative: they never are.
	GiveBackAfter time.Duration
	ClientID      string
	Logger        *slog.Logger // nil discards
}

// withDefaults returns c with the defaults filled in.
func (c Config) withDefaults() Config {
	fill(&c.Topic, DefaultTopic)
	fill(&c.Version, DefaultVersion)
	fill(&c.MaxMessageBytes, DefaultMaxMessageBytes)
	if c.FlushBytes <= 0 || c.FlushBytes > c.MaxMessageBytes {
		c.FlushBytes = c.MaxMessageBytes
	}
	fill(&c.Linger, DefaultLinger)
	fill(&c.Acks, "all")
	fill(&c.Idempotent, IdempotentAuto)
	fill(&c.Shape, ShapeFlow)
	fill(&c.Format, FormatProtobuf)
	fill(&c.BufferBytes, DefaultBufferBytes)
	fill(&c.RequestTimeout, DefaultRequestTimeout)
	fill(&c.DialTimeout, DefaultDialTimeout)
	fill(&c.GiveBackAfter, DefaultGiveBackAfter)
	fill(&c.ClientID, DefaultClientID)
	fill(&c.Compression, "none")
	if c.ContentType == "" {
		switch {
		case c.Format == FormatProtobuf:
			c.ContentType = "application/x-protobuf"
		case c.Format == FormatText:
			c.ContentType = "text/plain"
		case c.Shape == ShapeBatch:
			c.ContentType = "application/x-ndjson"
		default:
			c.ContentType = "application/json"
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault of c at once. It reads the TLS files.
func (c Config) Validate() error {
	_, err := c.withDefaults().resolve()
	return err
}

// settings is a Config turned into what the sink works with.
type settings struct {
	Config
	acks     int16
	version  sarama.KafkaVersion
	codec    codec
	tls      *tls.Config // nil: plain
	sarama   *sarama.Config
	bucketed bool // a key chooses the partition
	numbered bool // sequence numbers are wanted
	control  Control
	worked   atomic.Bool // a broker answered once
}

func (c Config) resolve() (*settings, error) {
	s := &settings{Config: c}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if len(c.Brokers) == 0 && c.SRV == "" {
		fault("no brokers and no srv name are given")
	}
	for _, address := range c.Brokers {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			fault("broker %q: want host:port", address)
		}
	}
	if !validTopic(c.Topic) {
		fault("topic %q: want 1 to 249 of a-z A-Z 0-9 . _ -", c.Topic)
	}
	var err error
	if s.version, err = parseVersion(c.Version); err != nil {
		faults = append(faults, err)
	}
	if c.MaxMessageBytes < 1000 || c.MaxMessageBytes > 64<<20 {
		fault("largest message %d: want 1000 to %d bytes", c.MaxMessageBytes, 64<<20)
	}
	if s.codec, err = newCodec(c.Compression, c.CompressionLevel); err != nil {
		faults = append(faults, err)
	} else if s.codec.id == codecZstd && !s.version.IsAtLeast(sarama.V2_1_0_0) {
		fault("compression zstd wants brokers of version 2.1.0 or later, not %s", c.Version)
	}
	switch c.Acks {
	case "all", "-1":
		s.acks = -1
	case "1":
		s.acks = 1
	case "0":
	default:
		fault("acks %q: want all, 1 or 0", c.Acks)
	}
	switch c.Idempotent {
	case IdempotentAuto, IdempotentOn, IdempotentOff:
		s.numbered = c.Idempotent == IdempotentOn || c.Idempotent == IdempotentAuto && s.acks == -1
		if c.Idempotent == IdempotentOn && s.acks != -1 {
			fault("idempotence wants acks all, not %s", c.Acks)
		}
	default:
		fault("idempotent %q: want auto, on or off", c.Idempotent)
	}
	if c.Shape != ShapeFlow && c.Shape != ShapeBatch {
		fault("message %q: want flow or batch", c.Shape)
	}
	if c.Format != FormatProtobuf && c.Format != FormatJSON && c.Format != FormatText {
		fault("format %q: want protobuf, json or text", c.Format)
	}
	for name, d := range map[string]time.Duration{"linger": c.Linger, "request timeout": c.RequestTimeout, "dial timeout": c.DialTimeout} {
		if d < 0 {
			fault("%s %v is negative", name, d)
		}
	}
	if c.TLS.Enable {
		if s.tls, err = c.TLS.load(); err != nil {
			faults = append(faults, err)
		}
	}
	s.bucketed = c.Hashing || c.Shape == ShapeBatch
	if s.sarama, err = saramaConfig(s); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// parseVersion takes what sarama takes, and versions of two numbers. Record
// sets came with 0.11.
func parseVersion(text string) (sarama.KafkaVersion, error) {
	full := text
	if strings.Count(text, ".") == 1 {
		full += ".0"
	}
	v, err := sarama.ParseKafkaVersion(full)
	if err != nil {
		return v, fmt.Errorf("version %q: want one such as 2.8.0", text)
	}
	if !v.IsAtLeast(sarama.V0_11_0_0) {
		return v, fmt.Errorf("version %s is too old: want 0.11.0.0 or later", text)
	}
	return v, nil
}

func validTopic(name string) bool {
	if name == "" || len(name) > 249 || name == "." || name == ".." {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) < 0
}

// load reads the files.
func (t TLS) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read tls authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read tls authorities: %q has no certificate", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("tls client certificate and key: want both or neither")
	}
	if t.Cert != "" {
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			return nil, fmt.Errorf("read tls client certificate: %w", err)
		}
		// Again for every connection: a certificate that was renewed is
		// used without a restart.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
			return &pair, err
		}
	}
	return config, nil
}
