//go:build !linux

package main

import (
	"errors"
	"io"
	"net/netip"
	"time"
)

// wireLink is an interface to send on: there is none but on Linux.
type wireLink struct{ path wirePath }

func findLink(options) (*wireLink, error) {
	return nil, errors.New("-interface is supported on Linux only")
}

func (l *wireLink) ownAddress(netip.Addr) (netip.Addr, error) {
	return netip.Addr{}, errors.ErrUnsupported
}
func (l *wireLink) inject(string, io.Writer) (injector, error) { return nil, errors.ErrUnsupported }
func (l *wireLink) dropped() (uint64, error)                   { return 0, errors.ErrUnsupported }
func (l *wireLink) close()                                     {}

func sleepExactly(d time.Duration) { time.Sleep(d) }

func timeExactly() {}
