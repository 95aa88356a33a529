package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/producer"
)

func saramaConfig(s setup) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	if err := c.Producer.Compression.UnmarshalText([]byte(s.compression)); err != nil {
		return nil, err
	}
	if s.level > 0 {
		c.Producer.CompressionLevel = s.level
	}
	if s.acks == "all" {
		c.Producer.RequiredAcks = sarama.WaitForAll
	}
	return c, nil
}

// async is sarama's AsyncProducer, as goflow2 uses it but for the flush, which
// is at 1 MB or 100 ms.
type async struct{ producer sarama.AsyncProducer }

func newAsync(s setup) (client, error) {
	c, err := saramaConfig(s)
	if err != nil {
		return nil, err
	}
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	c.Producer.Flush.Bytes = 1 << 20
	c.Producer.Flush.Frequency = 100 * time.Millisecond
	p, err := sarama.NewAsyncProducer(s.brokers, c)
	if err != nil {
		return nil, err
	}
	return &asyncClient{async{p}, s}, nil
}

type asyncClient struct {
	async
	setup setup
}

func (a *asyncClient) deliver(batches []*producer.Batch) error {
	total := len(batches)
	if a.setup.shape == "flow" {
		total = 0
		for _, b := range batches {
			total += b.Records()
		}
	}
	result := make(chan error)
	go func() {
		var first error
		for range total {
			select {
			case <-a.producer.Successes():
			case err := <-a.producer.Errors():
				first = errors.Join(first, err)
			}
		}
		result <- first
	}()
	for _, b := range batches {
		if a.setup.shape != "flow" {
			a.producer.Input() <- &sarama.ProducerMessage{Topic: a.setup.topic, Value: sarama.ByteEncoder(b.Buf)}
			continue
		}
		for i := range b.Ends {
			a.producer.Input() <- &sarama.ProducerMessage{Topic: a.setup.topic, Value: sarama.ByteEncoder(b.Message(i))}
		}
	}
	return <-result
}

func (a *asyncClient) close() { a.producer.Close() }

// broker is Broker.AsyncProduce with record sets of about 800 kB.
type broker struct {
	client    sarama.Client
	setup     setup
	partition int32
	count     int32
}

func newBroker(s setup) (client, error) {
	c, err := saramaConfig(s)
	if err != nil {
		return nil, err
	}
	k, err := sarama.NewClient(s.brokers, c)
	if err != nil {
		return nil, err
	}
	partitions, err := k.Partitions(s.topic)
	if err != nil {
		return nil, err
	}
	return &broker{client: k, setup: s, count: int32(len(partitions))}, nil
}

func (k *broker) deliver(batches []*producer.Batch) error {
	const together = 3 // batches of 256 KiB in a set
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		first = errors.Join(first, err)
	}
	conf := k.client.Config()
	for i := 0; i < len(batches); i += together {
		now := time.Now()
		set := &sarama.RecordBatch{
			Version: 2, FirstTimestamp: now, MaxTimestamp: now, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
			Codec: conf.Producer.Compression, CompressionLevel: conf.Producer.CompressionLevel,
		}
		var records []sarama.Record
		for _, b := range batches[i:min(i+together, len(batches))] {
			if k.setup.shape != "flow" {
				records = append(records, sarama.Record{Value: b.Buf, OffsetDelta: int64(len(records))})
				continue
			}
			if records == nil {
				records = make([]sarama.Record, 0, (b.Records()+10)*together)
			}
			for m := range b.Ends {
				records = append(records, sarama.Record{Value: b.Message(m), OffsetDelta: int64(len(records))})
			}
		}
		set.Records = make([]*sarama.Record, len(records))
		for m := range records {
			set.Records[m] = &records[m]
		}
		set.LastOffsetDelta = int32(len(records) - 1)
		request := &sarama.ProduceRequest{Version: 7, RequiredAcks: conf.Producer.RequiredAcks, Timeout: 10000}
		partition := k.partition
		k.partition = (k.partition + 1) % k.count
		request.AddBatch(k.setup.topic, partition, set)
		leader, err := k.client.Leader(k.setup.topic, partition)
		if err != nil {
			return err
		}
		wg.Add(1)
		err = leader.AsyncProduce(request, func(r *sarama.ProduceResponse, err error) {
			defer wg.Done()
			if err != nil {
				fail(err)
				return
			}
			if block := r.GetBlock(k.setup.topic, partition); block == nil || block.Err != sarama.ErrNoError {
				fail(fmt.Errorf("partition %d: %v", partition, block))
			}
		})
		if err != nil {
			return err
		}
	}
	wg.Wait()
	return first
}

func (k *broker) close() { k.client.Close() }
