package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// maxUnderWay is how many requests a connection, and how many numbered sets a
// partition, may have under way. Brokers remember the last five sets of each
// producer, so that is what they can tell duplicates from.
const maxUnderWay = 5

// A request is one produce request. The loop makes it; the connection has it
// until it comes back as an event.
type request struct {
	sets   []*set
	stamps []stamp
	wires  [][]byte
	size   int
	sentAt time.Time

	// The outcome.
	codes   []sarama.KError // of each set; nil if there is no response
	err     error           // why there is none
	written bool            // some of it was written: it may have been carried out
}

// A conn is the connection to one broker. Its fields are the loop's; run has
// copies of what it needs.
type conn struct {
	id        int32
	address   string
	sendq     chan *request // closed by the loop to end the connection
	stats     *brokerCounters
	broken    atomic.Pointer[error] // why the writer has closed the connection
	up        bool
	dialing   bool
	underWay  int
	retryAt   time.Time
	failures  int
	abandoned bool // sendq is closed
}

// event is what the loop's helpers tell it. One of the fields is set.
type event struct {
	conn    *conn
	opened  bool // conn is ready
	closed  error
	request *request // came back from conn
	packed  *set
	answer  *leadership
	problem error // heard on the way to an answer
}

// run opens the connection and sends what comes over c.sendq until that is
// closed. Every request comes back as an event, in order.
func (s *Sink) run(c *conn, address string, sendq <-chan *request) {
	defer s.wg.Done()
	broker, nc, measured, err := s.set.open(s.ctx, address)
	if err != nil {
		s.post(event{conn: c, closed: err})
		for r := range sendq {
			r.err = err
			s.post(event{conn: c, request: r})
		}
		return
	}
	s.set.control.take(measured)
	stop := context.AfterFunc(s.ctx, func() { nc.Close() })
	defer stop()
	defer broker.Close()
	// sarama has left deadlines behind.
	nc.SetDeadline(time.Time{})
	s.post(event{conn: c, opened: true})

	sent := make(chan *request, maxUnderWay)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.receive(c, nc, sent)
	}()
	s.send(c, nc, sendq, sent)
	close(sent)
	<-ended
}

// send writes requests. After the first that fails it writes no more.
func (s *Sink) send(c *conn, nc net.Conn, sendq <-chan *request, sent chan<- *request) {
	var failed error
	var correlation int32
	var head []byte
	var parts net.Buffers
	for r := range sendq {
		if failed != nil {
			r.err = failed
			sent <- r
			continue
		}
		for i, w := range r.wires {
			writeSetHeader(w, r.stamps[i])
		}
		head = appendRequestHeader(head[:0], s.produceVersion, correlation, s.set.ClientID, s.set.acks,
			int32(s.set.RequestTimeout.Milliseconds()*8/10), s.set.Topic, len(r.wires), r.size)
		parts = append(append(parts[:0], head), r.wires...)
		r.sentAt = time.Now()
		nc.SetWriteDeadline(r.sentAt.Add(s.set.RequestTimeout))
		rest := parts
		n, err := rest.WriteTo(nc)
		clear(parts)
		correlation++
		if err != nil {
			failed = fmt.Errorf("send to broker: %w", err)
			r.err, r.written = failed, n > 0
			c.broken.Store(&failed)
			nc.Close() // the reader too
		} else {
			r.written = true
			s.counters.requests.Add(1)
			c.stats.requests.Add(1)
			c.stats.bytes.Add(uint64(len(head) + r.size))
		}
		sent <- r
	}
}

// receive reads the responses to what was sent, in order.
func (s *Sink) receive(c *conn, nc net.Conn, sent <-chan *request) {
	var failed error
	var correlation int32
	var buf []byte
	var before time.Time // of the last response
	for r := range sent {
		switch {
		case r.err != nil: // not written
		case failed != nil:
			r.err = failed
		case s.set.acks == 0:
			r.codes = make([]sarama.KError, len(r.sets))
		default:
			buf, r.err = s.response(nc, r, correlation, buf, before)
			before = time.Now()
			if r.err == nil {
				c.stats.latency.observe(before.Sub(r.sentAt), 1)
			}
			if r.err != nil {
				if why := c.broken.Load(); why != nil && errors.Is(r.err, net.ErrClosed) {
					r.err = *why // it was the writer that closed it
				}
				failed = r.err
				nc.Close() // the writer too
			}
		}
		correlation++
		s.post(event{conn: c, request: r})
	}
}

// response reads one response into r.codes.
func (s *Sink) response(nc net.Conn, r *request, correlation int32, buf []byte, before time.Time) ([]byte, error) {
	// A broker works on a connection's requests one after the other, and
	// is silent for a while when there is a quota.
	since := r.sentAt
	if since.Before(before) {
		since = before
	}
	nc.SetReadDeadline(since.Add(s.set.RequestTimeout))
	var head [8]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return buf, readError(err)
	}
	size := int(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if size < 0 || size > maxResponse || int32(binary.BigEndian.Uint32(head[4:])) != correlation {
		return buf, fmt.Errorf("read produce response: %w", errResponse)
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(nc, buf); err != nil {
		return buf, readError(err)
	}
	codes := make([]sarama.KError, len(r.sets))
	found := 0
	err := parseResponse(buf, s.produceVersion, s.set.Topic, func(partition int32, code int16) {
		for i, st := range r.stamps {
			if st.partition == partition {
				codes[i] = sarama.KError(code)
				found++
			}
		}
	})
	if err == nil && found != len(codes) {
		err = fmt.Errorf("read produce response: %w", errResponse)
	}
	if err != nil {
		return buf, err
	}
	r.codes = codes
	return buf, nil
}

func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read produce response: broker closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read produce response: %w", err)
}

// post tells the loop. After the end of the loop nobody listens.
func (s *Sink) post(e event) {
	select {
	case s.events <- e:
	case <-s.loopEnded:
	}
}
