package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/sink/kafka"
)

// checkpointEvery is how often the place in a topic is committed. After a crash
// what was read since is read again.
const checkpointEvery = 5 * time.Second

// kafkaSource reads messages from the partitions of a topic that its group gives
// it. The place in a partition is committed only when the output has what was
// read up to there: each message is written at least once.
type kafkaSource struct {
	topic  string
	format string
	log    *slog.Logger
	group  sarama.ConsumerGroup

	messages    chan taken
	checkpoints chan chan error // requests of a session that ends
	done        chan struct{}   // closed when Consume returned for good

	// Of the feed's goroutine.
	session sarama.ConsumerGroupSession
	offsets map[int32]int64 // next to read, by partition
	at      time.Time       // of the last checkpoint
}

// taken is a message and the session that it was read in.
type taken struct {
	*sarama.ConsumerMessage
	session sarama.ConsumerGroupSession
}

func newKafkaSource(cluster *kafka.Cluster, groupName, format string, log *slog.Logger) (*kafkaSource, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	brokers, conf, err := cluster.Config().Client(ctx)
	if err != nil {
		return nil, fmt.Errorf("open kafka input: %w", err)
	}
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Consumer.Offsets.AutoCommit.Enable = false
	conf.Consumer.Return.Errors = true
	conf.Consumer.Fetch.Default = 4 << 20
	conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	// Joining a group takes as long as the others of it take to end what they do.
	conf.Net.ReadTimeout = conf.Consumer.Group.Rebalance.Timeout + 10*time.Second
	group, err := sarama.NewConsumerGroup(brokers, groupName, conf)
	if err != nil {
		return nil, fmt.Errorf("open kafka input: %w", err)
	}
	return &kafkaSource{
		topic: cluster.Topic, format: format, log: log, group: group,
		messages: make(chan taken, 1024), checkpoints: make(chan chan error),
		done: make(chan struct{}), offsets: map[int32]int64{}, at: time.Now(),
	}, nil
}

func (k *kafkaSource) start(ctx context.Context) {
	go func() {
		for err := range k.group.Errors() {
			k.log.Warn("kafka input", "error", err)
		}
	}()
	go func() {
		defer close(k.done)
		for ctx.Err() == nil {
			err := k.group.Consume(ctx, []string{k.topic}, k)
			if errors.Is(err, sarama.ErrClosedConsumerGroup) || ctx.Err() != nil {
				return
			}
			if err != nil {
				k.log.Warn("kafka input", "error", err)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		}
	}()
}

// Setup implements sarama.ConsumerGroupHandler.
func (k *kafkaSource) Setup(s sarama.ConsumerGroupSession) error {
	k.log.Info("reading", "topic", k.topic, "partitions", s.Claims()[k.topic])
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler: the partitions go to others, who
// begin where the last checkpoint was.
func (k *kafkaSource) Cleanup(sarama.ConsumerGroupSession) error {
	done := make(chan error, 1)
	select {
	case k.checkpoints <- done:
		return <-done
	case <-time.After(settleLimit):
		return errors.New("commit place in topic: the output is too slow")
	}
}

// ConsumeClaim implements sarama.ConsumerGroupHandler.
func (k *kafkaSource) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			select {
			case k.messages <- taken{m, s}:
			case <-s.Context().Done():
				return nil
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func (k *kafkaSource) step(ctx context.Context, f *feed) error {
	wait := time.NewTimer(f.linger)
	defer wait.Stop()
	select {
	case m := <-k.messages:
		if err := k.take(f, m); err != nil {
			return err
		}
		for range len(k.messages) {
			if err := k.take(f, <-k.messages); err != nil {
				return err
			}
		}
	case done := <-k.checkpoints:
		err := k.checkpoint(f)
		done <- err
		if err != nil {
			return err
		}
	case <-wait.C:
	case <-f.hub.Closed():
	case <-ctx.Done():
		return nil
	}
	f.tick()
	if time.Since(k.at) >= checkpointEvery {
		if err := k.checkpoint(f); err != nil {
			return err
		}
	}
	return f.closed()
}

// take enriches the flows of one message.
func (k *kafkaSource) take(f *feed, m taken) error {
	if k.session != m.session {
		k.session = m.session
		clear(k.offsets)
	}
	c := &f.transformer.Counts
	c.Bytes += uint64(len(m.Value))
	s := splitterFor(k.format)
	for data := m.Value; len(data) > 0; {
		msg, n, err := s.Next(data, true)
		if err != nil { // the rest of this one message is lost
			c.Messages++
			c.Malformed++
			k.log.Warn("message of the topic is malformed", "partition", m.Partition, "offset", m.Offset, "error", err)
			break
		}
		if n == 0 {
			break
		}
		if len(msg) > 0 {
			if err := f.add(s.Encoding, msg); err != nil {
				return err
			}
		}
		data = data[n:]
	}
	k.offsets[m.Partition] = m.Offset + 1
	return nil
}

// checkpoint waits until the output has everything, and then commits the place.
func (k *kafkaSource) checkpoint(f *feed) error {
	k.at = time.Now()
	if len(k.offsets) == 0 {
		return nil
	}
	if err := f.settle(); err != nil {
		return fmt.Errorf("commit place in topic %s: %w", k.topic, err)
	}
	for partition, offset := range k.offsets {
		k.session.MarkOffset(k.topic, partition, offset, "")
	}
	k.session.Commit()
	clear(k.offsets)
	k.at = time.Now()
	return nil
}

// stop ends the session. Its Cleanup asks for a last checkpoint.
func (k *kafkaSource) stop(f *feed) error {
	var err error
	for {
		select {
		case m := <-k.messages:
			err = errors.Join(err, k.take(f, m))
		case done := <-k.checkpoints:
			e := k.checkpoint(f)
			err = errors.Join(err, e)
			done <- e
		case <-k.done:
			return errors.Join(err, k.group.Close())
		}
	}
}

var _ sarama.ConsumerGroupHandler = (*kafkaSource)(nil)
