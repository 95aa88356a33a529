package kafka

import (
	"context"

	"github.com/IBM/sarama"
)

// Client returns the addresses of the brokers to begin with, and what a client
// of sarama's needs to speak to them: versions, TLS and SASL, for programs that
// read what this package writes. It looks up the SRV name, if there is one, and
// reads the files of TLS.
func (c Config) Client(ctx context.Context) (brokers []string, config *sarama.Config, err error) {
	s, err := c.withDefaults().resolve()
	if err != nil {
		return nil, nil, err
	}
	if brokers, err = s.seeds(ctx); err != nil {
		return nil, nil, err
	}
	conf := *s.sarama
	conf.Net.Proxy.Enable = false
	conf.Net.TLS.Enable, conf.Net.TLS.Config = s.tls != nil, s.tls
	return brokers, &conf, nil
}
