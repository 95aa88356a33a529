package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
)

// sender sends datagrams from any address of 127.0.0.0/8, in batches. It belongs to
// one goroutine.
type sender struct {
	conn    *ipv4.PacketConn
	batch   []ipv4.Message
	sources []net.IP
	n       int
}

func newSender(port int) (*sender, error) {
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	s := &sender{
		conn:  ipv4.NewPacketConn(c),
		batch: make([]ipv4.Message, batchSize), sources: make([]net.IP, batchSize),
	}
	for i := range s.batch {
		s.batch[i].Buffers = [][]byte{make([]byte, 0, 4096)}
		s.batch[i].Addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		s.sources[i] = make(net.IP, 4)
	}
	return s, nil
}

func (s *sender) close() { _ = s.conn.Close() }

// put adds a datagram to the batch.
func (s *sender) put(from netip.Addr, payload []byte) {
	m := &s.batch[s.n]
	m.Buffers[0] = append(m.Buffers[0][:0], payload...)
	addr := from.As4()
	copy(s.sources[s.n], addr[:])
	m.OOB = (&ipv4.ControlMessage{Src: s.sources[s.n]}).Marshal()
	s.n++
}

// flush sends the batch and returns how many datagrams went out.
func (s *sender) flush() (sent int, err error) {
	for batch := s.batch[:s.n]; len(batch) > 0; {
		n, err := s.conn.WriteBatch(batch, 0)
		switch {
		case err == nil && n > 0:
			sent += n
			batch = batch[n:]
		case errors.Is(err, syscall.ECONNREFUSED):
			return sent, fmt.Errorf("send: the collector has gone: %w", err)
		default:
			batch = batch[1:]
		}
	}
	s.n = 0
	return sent, nil
}
