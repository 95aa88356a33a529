// Command consumer reads flows from Kafka, whatever their message's shape: a
// message is one length-delimited FlowMessage, or many, one after the other,
// and the same loop reads both.
//
//	go run ./docs/pipelines/consumer -brokers 127.0.0.1:9092 -topic flow-messages
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/IBM/sarama"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/producer/flowpb"
)

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "brokers, separated by commas")
	topic := flag.String("topic", "flow-messages", "topic")
	group := flag.String("group", "consumer-go", "consumer group")
	limit := flag.Int("flows", 0, "end after this many flows; 0: never")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := &consumer{limit: *limit, out: os.Stdout}
	if err := c.run(ctx, strings.Split(*brokers, ","), *group, *topic); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
	fmt.Printf("flows %d bytes %d\n", c.flows, c.bytes)
}

// consumer is a handler of a consumer group. It reads one partition after the
// other, so that it needs no lock.
type consumer struct {
	limit int
	out   io.Writer
	flows int
	bytes uint64
	turn  chan struct{}
	done  context.CancelFunc
}

func (c *consumer) run(ctx context.Context, brokers []string, group, topic string) error {
	config := sarama.NewConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	g, err := sarama.NewConsumerGroup(brokers, group, config)
	if err != nil {
		return err
	}
	defer g.Close()
	ctx, c.done = context.WithCancel(ctx)
	defer c.done()
	c.turn = make(chan struct{}, 1)
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, c); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

func (c *consumer) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			c.turn <- struct{}{}
			err := c.message(m.Value)
			<-c.turn
			if err != nil {
				return fmt.Errorf("message %d of partition %d: %w", m.Offset, m.Partition, err)
			}
			session.MarkMessage(m, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

// message reads the flows of a message.
func (c *consumer) message(value []byte) error {
	r := bytes.NewReader(value)
	for {
		var flow flowpb.FlowMessage
		err := protodelim.UnmarshalFrom(r, &flow)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.flow(&flow)
	}
}

func (c *consumer) flow(f *flowpb.FlowMessage) {
	c.flows++
	c.bytes += f.Bytes
	if c.limit == 0 {
		src, _ := netip.AddrFromSlice(f.SrcAddr)
		dst, _ := netip.AddrFromSlice(f.DstAddr)
		fmt.Fprintln(c.out, src, dst, f.Proto, f.SrcPort, f.DstPort, f.Bytes)
	} else if c.flows >= c.limit {
		c.done()
	}
}
