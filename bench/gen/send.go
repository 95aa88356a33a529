package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"github.com/weirflow/weir/bench/gen/workload"
)

// sender is the output to a collector: a connected socket for each exporter and
// target.
type sender struct {
	sockets [][2]*net.UDPConn // by exporter; NetFlow and IPFIX, then sFlow
}

// target returns the index of a protocol's socket.
func target(p workload.Protocol) int {
	if p == workload.SFlow {
		return 1
	}
	return 0
}

// newSender opens the sockets of all streams.
func newSender(to, toSFlow netip.AddrPort, streams []workload.Stream) (*sender, error) {
	s := &sender{}
	for _, st := range streams {
		for len(s.sockets) <= st.Exporter {
			s.sockets = append(s.sockets, [2]*net.UDPConn{})
		}
		at := target(st.Protocol)
		if s.sockets[st.Exporter][at] != nil {
			continue
		}
		conn, err := dial([2]netip.AddrPort{to, toSFlow}[at], st.Exporter)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.sockets[st.Exporter][at] = conn
	}
	return s, nil
}

// dial opens an exporter's socket, on Linux from its own address where the
// target is on the loopback.
func dial(to netip.AddrPort, exporter int) (*net.UDPConn, error) {
	var local *net.UDPAddr
	if to.Addr().Is4() && to.Addr().IsLoopback() && runtime.GOOS == "linux" {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(workload.LoopbackAddr(exporter), 0))
	}
	conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(to))
	if errors.Is(err, syscall.EMFILE) {
		err = fmt.Errorf("%w: each exporter has one: take fewer -exporters, or raise the limit (ulimit -n)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open socket to %s: %w", to, err)
	}
	return conn, nil
}

// put sends a datagram. That nobody listened to an earlier one is said by the
// next, which is sent again then.
func (s *sender) put(d *workload.Datagram, c *counters) (bool, error) {
	conn := s.sockets[d.Exporter][target(d.Protocol)]
	_, err := conn.Write(d.Payload)
	if errors.Is(err, syscall.ECONNREFUSED) {
		c.failed(err)
		_, err = conn.Write(d.Payload)
	}
	if err != nil {
		c.failed(err)
	}
	return err == nil, nil
}

func (s *sender) close() error {
	var errs []error
	for i := range s.sockets {
		for _, conn := range s.sockets[i] {
			if conn != nil {
				errs = append(errs, conn.Close())
			}
		}
	}
	return errors.Join(errs...)
}
