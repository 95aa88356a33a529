package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// leadership is what a request for metadata came back with.
type leadership struct {
	brokers map[int32]string // addresses
	leaders []int32          // of each partition, -1 if there is none
	topic   error            // why the topic cannot be used
	err     error            // why there is no answer
	code    sarama.KError    // of the topic

	// The result of a request for a producer id, if there was one.
	asked    bool
	producer int64
	epoch    int16
	idErr    error
}

// resolve returns the addresses to begin with.
func (s *settings) seeds(ctx context.Context) ([]string, error) {
	if s.SRV == "" {
		return s.Brokers, nil
	}
	resolver := s.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	_, records, err := resolver.LookupSRV(ctx, "", "", s.SRV)
	if err != nil {
		return nil, fmt.Errorf("look up brokers: %w", err)
	}
	var list []string
	for _, r := range records {
		list = append(list, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return list, nil
}

// ask asks the known brokers, then those of the configuration, until one
// answers. It blocks, at most some seconds for every broker that does not
// answer; report hears of each of those.
func (s *settings) ask(ctx context.Context, known []string, wantID bool, report func(error)) leadership {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tried := make(map[string]bool)
	var last error
	try := func(list []string) (leadership, bool) {
		for _, address := range list {
			if tried[address] || ctx.Err() != nil {
				continue
			}
			tried[address] = true
			answer, err := s.askOne(ctx, address, wantID)
			if err == nil {
				return answer, true
			}
			last = err
			report(err)
		}
		return leadership{}, false
	}
	if answer, ok := try(known); ok {
		return answer
	}
	seeds, err := s.seeds(ctx)
	if err != nil {
		report(err)
		return leadership{err: err}
	}
	if answer, ok := try(seeds); ok {
		return answer
	}
	if last == nil {
		last = ctx.Err()
	}
	return leadership{err: last}
}

func (s *settings) askOne(ctx context.Context, address string, wantID bool) (leadership, error) {
	b, conn, measured, err := s.open(ctx, address)
	if err != nil {
		return leadership{}, err
	}
	defer func() {
		s.control.take(measured)
		b.Close()
	}()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	request := sarama.NewMetadataRequest(s.version, []string{s.Topic})
	request.AllowAutoTopicCreation = true
	answer, err := b.GetMetadata(request)
	if err != nil {
		return leadership{}, fmt.Errorf("ask %s for metadata: %w", address, s.remark(err))
	}
	s.worked.Store(true)
	if len(answer.Brokers) == 0 {
		// So says a broker that is starting.
		return leadership{}, &fault{KindBroker, fmt.Errorf("ask %s for metadata: it knows of no brokers yet", address)}
	}
	result := s.read(answer)
	if wantID {
		result.asked = true
		result.producer, result.epoch, result.idErr = s.askID(b)
	}
	return result, nil
}

// read takes what it needs out of a response.
func (s *settings) read(answer *sarama.MetadataResponse) leadership {
	result := leadership{brokers: make(map[int32]string)}
	for _, b := range answer.Brokers {
		result.brokers[b.ID()] = b.Addr()
	}
	result.code = sarama.ErrUnknownTopicOrPartition
	for _, t := range answer.Topics {
		if t.Name != s.Topic {
			continue
		}
		result.code = t.Err
		highest := int32(-1)
		for _, p := range t.Partitions {
			highest = max(highest, p.ID)
		}
		if int(highest) >= len(t.Partitions) {
			result.code = sarama.ErrUnknown // a gap: not to be believed
			break
		}
		result.leaders = make([]int32, highest+1)
		for i := range result.leaders {
			result.leaders[i] = -1
		}
		for _, p := range t.Partitions {
			if p.ID >= 0 && p.Err != sarama.ErrLeaderNotAvailable {
				result.leaders[p.ID] = p.Leader
			}
		}
	}
	if result.code != sarama.ErrNoError {
		result.topic = fmt.Errorf("topic %s: %w", s.Topic, result.code)
	}
	return result
}

// askID asks for a producer id. Any broker gives one where there is no
// transaction.
func (s *settings) askID(b *sarama.Broker) (int64, int16, error) {
	request := &sarama.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1}
	switch {
	case s.version.IsAtLeast(sarama.V2_5_0_0):
		request.Version = 3
	case s.version.IsAtLeast(sarama.V2_4_0_0):
		request.Version = 2
	case s.version.IsAtLeast(sarama.V2_0_0_0):
		request.Version = 1
	}
	answer, err := b.InitProducerID(request)
	if err == nil && answer.Err != sarama.ErrNoError {
		err = answer.Err
	}
	if err != nil {
		return -1, -1, fmt.Errorf("ask for a producer id: %w", err)
	}
	return answer.ProducerID, answer.ProducerEpoch, nil
}

// cannotNumber says that the cluster will not give producer ids to us.
func cannotNumber(err error) bool {
	return errors.Is(err, sarama.ErrUnsupportedVersion) || errors.Is(err, sarama.ErrClusterAuthorizationFailed) ||
		errors.Is(err, sarama.ErrTransactionalIDAuthorizationFailed)
}
