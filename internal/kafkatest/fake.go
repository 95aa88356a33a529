package kafkatest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Codes that the fake uses (the protocol's error codes).
const (
	codeNone            = 0
	codeCorrupt         = 2
	codeUnknownTopic    = 3
	codeNotLeader       = 6
	codeTooLarge        = 10
	codeOutOfOrder      = 45
	codeInvalidEpoch    = 47
	codeUnknownProducer = 59
)

// A Message is what a Kafka message holds.
type Message struct {
	Partition int32
	Offset    int64
	Time      time.Time
	Key       []byte
	Value     []byte
	Headers   map[string]string
}

// A Reaction is what the fake does with a set of records.
type Reaction struct {
	Code      int16         // answer this and do not append; 0: no
	Hang      bool          // append, and never answer anything on the connection
	Cut       bool          // close the connection without an answer
	Append    bool          // with Cut or Code: append nevertheless
	Delay     time.Duration // before the answer
	Forget    bool          // forget all producers before
	ThenLeads int32         // the partition moves to this broker (from 1 on) before; 0: it does not
}

// A Fake is a cluster in the test's process. It understands producers that
// say they are of Kafka 1.1.0, and the newer ones that ask for versions.
type Fake struct {
	t testing.TB

	mu        sync.Mutex
	brokers   []*fakeBroker
	topic     string
	logs      [][]Message
	leaders   []int32
	producers []map[int64]*producerState
	nextID    int64
	react     func(partition int32, sets int) Reaction
	sets      []int // offered, of each partition
	topicCode int16
	idCode    int16
	maxSet    int
	faults    []string
}

type producerState struct {
	epoch int16
	last  []span // newest last, five at most
}

type span struct{ first, last int32 }

type fakeBroker struct {
	id       int32
	address  string
	listener net.Listener
	conns    map[net.Conn]bool
}

// NewFake returns a cluster of brokers with one topic. It ends with the test.
func NewFake(t testing.TB, brokers int, topic string, partitions int) *Fake {
	f := &Fake{t: t, topic: topic, nextID: 4000, maxSet: 1048588}
	for i := range brokers {
		b := &fakeBroker{id: int32(i) + 1, conns: make(map[net.Conn]bool)}
		f.brokers = append(f.brokers, b)
		f.Start(b.id)
	}
	f.Make(partitions)
	t.Cleanup(func() {
		for _, b := range f.brokers {
			f.Stop(b.id)
		}
	})
	return f
}

// Make rebuilds the topic, empty, with the lead spread over the brokers.
func (f *Fake) Make(partitions int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = make([][]Message, partitions)
	f.leaders = make([]int32, partitions)
	f.producers = make([]map[int64]*producerState, partitions)
	f.sets = make([]int, partitions)
	for i := range partitions {
		f.leaders[i] = int32(i%max(len(f.brokers), 1)) + 1
		f.producers[i] = make(map[int64]*producerState)
	}
}

// Addresses returns the brokers' addresses.
func (f *Fake) Addresses() []string {
	var list []string
	for _, b := range f.brokers {
		list = append(list, b.address)
	}
	return list
}

// Start lets a broker listen, at its former address if it had one.
func (f *Fake) Start(id int32) {
	f.t.Helper()
	b := f.brokers[id-1]
	f.mu.Lock()
	address := b.address
	f.mu.Unlock()
	if address == "" {
		address = "127.0.0.1:0"
	}
	var l net.Listener
	var err error
	for range 100 {
		if l, err = net.Listen("tcp", address); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		f.t.Fatalf("start fake broker: %v", err)
	}
	f.mu.Lock()
	b.listener, b.address = l, l.Addr().String()
	f.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			if b.listener != l {
				c.Close()
			} else {
				b.conns[c] = true
			}
			f.mu.Unlock()
			go f.serve(b, c)
		}
	}()
}

// Stop ends a broker's listener and connections.
func (f *Fake) Stop(id int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.brokers[id-1]
	if b.listener != nil {
		b.listener.Close()
		b.listener = nil
	}
	for c := range b.conns {
		c.Close()
		delete(b.conns, c)
	}
}

// Move makes a broker the leader of a partition; -1: nobody leads it.
func (f *Fake) Move(partition, id int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaders[partition] = id
}

// React has every set of records that comes from now on judged by a function
// of its partition and of how many have come there, this one included.
func (f *Fake) React(react func(partition int32, sets int) Reaction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.react = react
}

// TopicCode has requests for metadata answered with an error for the topic.
func (f *Fake) TopicCode(code int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.topicCode = code
}

// IDCode has requests for a producer id answered with an error.
func (f *Fake) IDCode(code int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idCode = code
}

// MaxSet sets the largest set that is taken, in bytes.
func (f *Fake) MaxSet(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maxSet = n
}

// Messages returns all messages of a partition.
func (f *Fake) Messages(partition int32) []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Message(nil), f.logs[partition]...)
}

// All returns all messages, partition by partition.
func (f *Fake) All() []Message {
	var list []Message
	for i := range f.logs {
		list = append(list, f.Messages(int32(i))...)
	}
	return list
}

// Faults returns what producers did against the protocol.
func (f *Fake) Faults() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults
}

var errHang = errors.New("hang")

func (f *Fake) serve(b *fakeBroker, c net.Conn) {
	defer func() {
		c.Close()
		f.mu.Lock()
		delete(b.conns, c)
		f.mu.Unlock()
	}()
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		answer, err := f.answer(b, body)
		if errors.Is(err, errHang) {
			io.Copy(io.Discard, c)
			return
		}
		if err != nil {
			return
		}
		if answer == nil {
			continue
		}
		out := binary.BigEndian.AppendUint32(nil, uint32(len(answer)))
		if _, err := c.Write(append(out, answer...)); err != nil {
			return
		}
	}
}

// answer returns the response with its correlation number; nil means none.
func (f *Fake) answer(b *fakeBroker, body []byte) ([]byte, error) {
	in := &reader{b: body}
	key, version := in.i16(), in.i16()
	out := binary.BigEndian.AppendUint32(nil, uint32(in.i32()))
	in.str() // client id
	switch key {
	case 18:
		return append(out, apiVersions...), nil
	case 3:
		return f.metadata(out), in.err
	case 22:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.nextID++
		out = append(out, 0, 0, 0, 0)
		out = be.AppendUint16(out, uint16(f.idCode))
		out = be.AppendUint64(out, uint64(f.nextID))
		return append(out, 0, 0), nil
	case 0:
		return f.produce(b, in, version, out)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, "request of kind "+strconv.Itoa(int(key)))
	return nil, io.ErrUnexpectedEOF
}

var be = binary.BigEndian

// apiVersions is a response of version 3: produce 3, metadata 5, api versions
// 0 to 3, producer id 0.
var apiVersions = []byte{0, 0, 5,
	0, 0, 0, 3, 0, 3, 0,
	0, 3, 0, 5, 0, 5, 0,
	0, 18, 0, 0, 0, 3, 0,
	0, 22, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0}

func (f *Fake) metadata(out []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	str := func(s string) {
		out = be.AppendUint16(out, uint16(len(s)))
		out = append(out, s...)
	}
	out = be.AppendUint32(out, 0)
	out = be.AppendUint32(out, uint32(len(f.brokers)))
	for _, b := range f.brokers {
		host, port, _ := net.SplitHostPort(b.address)
		n, _ := strconv.Atoi(port)
		out = be.AppendUint32(out, uint32(b.id))
		str(host)
		out = be.AppendUint32(out, uint32(n))
		out = be.AppendUint16(out, 0xffff) // rack
	}
	out = be.AppendUint16(out, 0xffff) // cluster id
	out = be.AppendUint32(out, 1)      // controller
	out = be.AppendUint32(out, 1)
	out = be.AppendUint16(out, uint16(f.topicCode))
	str(f.topic)
	out = append(out, 0)
	partitions := len(f.leaders)
	if f.topicCode != 0 {
		partitions = 0
	}
	out = be.AppendUint32(out, uint32(partitions))
	for i := range partitions {
		code := uint16(0)
		if f.leaders[i] < 0 {
			code = 5
		}
		out = be.AppendUint16(out, code)
		out = be.AppendUint32(out, uint32(i))
		out = be.AppendUint32(out, uint32(f.leaders[i]))
		out = be.AppendUint32(out, 0)
		out = be.AppendUint32(out, 0)
		out = be.AppendUint32(out, 0)
	}
	return out
}

// produce carries out a request of one topic.
func (f *Fake) produce(b *fakeBroker, in *reader, version int16, out []byte) ([]byte, error) {
	in.str() // transactional id
	acks := in.i16()
	in.i32() // timeout
	type result struct {
		partition int32
		code      int16
	}
	var results []result
	var worst Reaction
	if topics := in.i32(); topics != 1 {
		f.fault("a request of %d topics", topics)
	}
	topic := in.str()
	for range in.i32() {
		partition := in.i32()
		set := in.bytes(int(in.i32()))
		if in.err != nil {
			f.fault("a malformed request")
			return nil, in.err
		}
		code, r := f.offer(b, topic, partition, set)
		if r.Cut || r.Hang {
			worst.Cut, worst.Hang = worst.Cut || r.Cut, worst.Hang || r.Hang
		}
		worst.Delay = max(worst.Delay, r.Delay)
		results = append(results, result{partition, code})
	}
	if len(in.b) > 0 {
		f.fault("%d bytes after a request", len(in.b))
	}
	time.Sleep(worst.Delay)
	if worst.Cut {
		return nil, io.ErrUnexpectedEOF
	}
	if worst.Hang {
		return nil, errHang
	}
	if acks == 0 {
		return nil, nil
	}
	out = be.AppendUint32(out, 1)
	out = be.AppendUint16(out, uint16(len(topic)))
	out = append(out, topic...)
	out = be.AppendUint32(out, uint32(len(results)))
	for _, r := range results {
		out = be.AppendUint32(out, uint32(r.partition))
		out = be.AppendUint16(out, uint16(r.code))
		out = be.AppendUint64(out, 0)
		out = be.AppendUint64(out, ^uint64(0))
		if version >= 5 {
			out = be.AppendUint64(out, 0)
		}
	}
	return be.AppendUint32(out, 0), nil
}
