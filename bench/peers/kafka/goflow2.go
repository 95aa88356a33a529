package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/netsampler/goflow2/v2/transport"
	_ "github.com/netsampler/goflow2/v2/transport/kafka" // adds itself

	"github.com/weirflow/weir/producer"
)

// goflow2 is its Kafka transport with the defaults of its flags.
type goflow2 struct {
	transport *transport.Transport
	errs      chan error
	done      chan struct{}
}

func newGoflow2(o options) (*goflow2, error) {
	for name, value := range map[string]string{
		"transport.kafka.brokers": o.brokers, "transport.kafka.topic": o.topic, "transport.kafka.compression": o.compression,
	} {
		if err := flag.Set(name, value); err != nil {
			return nil, fmt.Errorf("set -%s: %w", name, err)
		}
	}
	t, err := transport.FindTransport("kafka")
	if err != nil {
		return nil, fmt.Errorf("open goflow2's transport: %w", err)
	}
	g := &goflow2{transport: t, errs: make(chan error, 1), done: make(chan struct{})}
	from := t.TransportDriver.(interface{ Errors() <-chan error }).Errors()
	go func() {
		for {
			select {
			case err := <-from:
				select {
				case g.errs <- err:
				default:
				}
			case <-g.done:
				return
			}
		}
	}()
	return g, nil
}

func (g *goflow2) deliver(load []*producer.Batch) error {
	for _, b := range load {
		for i := range b.Ends {
			if err := g.transport.Send(nil, b.Message(i)); err != nil {
				return fmt.Errorf("send by goflow2: %w", err)
			}
		}
	}
	return nil
}

func (g *goflow2) close() error {
	err := g.transport.Close()
	close(g.done)
	select {
	case failed := <-g.errs:
		err = errors.Join(err, failed)
	default:
	}
	return err
}
