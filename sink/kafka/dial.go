package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	metrics "github.com/rcrowley/go-metrics"
)

// handshakeTimeout is how long a broker may take for each answer before a
// connection is ready, and for metadata.
const handshakeTimeout = 4 * time.Second

// saramaConfig is what sarama needs to open connections.
func saramaConfig(s *settings) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = s.ClientID
	c.Version = s.version
	c.Net.DialTimeout = max(s.DialTimeout, time.Millisecond)
	c.Net.ReadTimeout = handshakeTimeout
	c.Net.WriteTimeout = handshakeTimeout
	c.Net.Proxy.Enable = true // our own dialer; see open
	c.Net.Proxy.Dialer = &dialer{}
	switch s.SASL.Mechanism {
	case "", "none":
		return c, nil
	case "plain":
		c.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	case "scram-sha256":
		c.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA256
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram256} }
	case "scram-sha512":
		c.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram512} }
	default:
		return nil, fmt.Errorf("sasl mechanism %q: want none, plain, scram-sha256 or scram-sha512", s.SASL.Mechanism)
	}
	c.Net.SASL.Enable = true
	c.Net.SASL.User = s.SASL.User
	c.Net.SASL.Password = s.SASL.Password
	if s.SASL.User == "" || s.SASL.Password == "" {
		return nil, fmt.Errorf("sasl %s wants a user and a password", s.SASL.Mechanism)
	}
	return c, nil
}

// A dialer makes one connection for sarama and remembers it.
type dialer struct {
	ctx      context.Context
	timeout  time.Duration
	resolver *net.Resolver
	tls      *tls.Config
	conn     atomic.Pointer[link]
}

// Dial is called by sarama.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout)
	defer cancel()
	conn, err := (&net.Dialer{KeepAlive: 30 * time.Second, Resolver: d.resolver}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.tls != nil {
		config := d.tls.Clone()
		if host, _, err := net.SplitHostPort(address); err == nil && config.ServerName == "" {
			config.ServerName = host
		}
		ctx, cancel := context.WithTimeout(d.ctx, handshakeTimeout)
		defer cancel()
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			err = fmt.Errorf("tls handshake: %w", err)
			if ctx.Err() == nil {
				err = &fault{KindTLS, err}
			}
			return nil, err
		}
		conn = secure
	}
	l := &link{Conn: conn}
	d.conn.Store(l)
	return l, nil
}

// A link is a connection that gives up for good when a read times out: sarama
// goes on after a broker that does not say which versions it has.
type link struct {
	net.Conn
	answered atomic.Bool
	failed   atomic.Pointer[error] // the first error of a read
}

func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 {
		l.answered.Store(true)
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errSilent, err)
			l.Conn.Close()
		}
		l.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// open returns a connection to a broker, ready for requests, the sarama broker
// that opened it and whose Close closes it, and where that one measures its
// requests, which is for s.control before Close. Until then sarama does nothing
// on the connection of itself.
func (s *settings) open(ctx context.Context, address string) (*sarama.Broker, net.Conn, metrics.Registry, error) {
	d := &dialer{ctx: ctx, timeout: s.DialTimeout, resolver: s.Resolver, tls: s.tls}
	conf := *s.sarama
	conf.Net.Proxy.Dialer = d
	// One for each connection: sarama forgets what is in it at Close.
	conf.MetricRegistry = metrics.NewRegistry()
	b := sarama.NewBroker(address)
	if err := b.Open(&conf); err != nil {
		return nil, nil, nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	// A cancelled context ends the handshake.
	stop := context.AfterFunc(ctx, func() {
		if l := d.conn.Load(); l != nil {
			l.Close()
		}
	})
	ok, err := b.Connected()
	stop()
	l := d.conn.Load()
	if l != nil {
		// The error of the connection is clearer than what sarama makes of it.
		first := l.failed.Load()
		var code sarama.KError
		switch {
		case first != nil && !errors.As(err, &code):
			err = *first
		case err == nil && !l.answered.Load():
			err = errSilent
		}
	}
	if err == nil && !ok {
		err = sarama.ErrNotConnected
	}
	if err != nil {
		s.control.take(conf.MetricRegistry)
		b.Close()
		return nil, nil, nil, fmt.Errorf("connect to %s: %w", address, s.remark(err))
	}
	return b, l.Conn, conf.MetricRegistry, nil
}
