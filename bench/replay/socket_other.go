//go:build !linux

package main

import (
	"net"
	"net/netip"
)

// socket is a connected UDP socket. One goroutine at a time uses it.
type socket struct{ conn *net.UDPConn }

// batch is nothing here: each datagram is a system call.
type batch struct{}

func newBatch(int) *batch { return nil }

// openSocket opens a socket to send from local, which may be invalid, to to.
func openSocket(local, to netip.AddrPort) (*socket, error) {
	var from *net.UDPAddr
	if local.Addr().IsValid() {
		from = net.UDPAddrFromAddrPort(local)
	}
	conn, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, socketError(local, to, err)
	}
	return &socket{conn: conn}, nil
}

// send sends the payloads in order and counts them; one that fails is left behind.
func (s *socket) send(_ *batch, payloads [][]byte, c *counters) {
	for _, p := range payloads {
		if _, err := s.conn.Write(p); err != nil {
			c.failed(err)
			c.skipped.Add(1)
			continue
		}
		c.sent(1, len(p))
	}
}

// checkPending counts an error that came back for the last datagrams sent; here
// the next Write would have told, and there is none.
func (s *socket) checkPending(*counters) {}

func (s *socket) close() { s.conn.Close() }
