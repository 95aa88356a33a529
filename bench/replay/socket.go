package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errPortRefused says that a socket could not have the local port, so that
// another one may be tried.
var errPortRefused = errors.New("local port refused")

// socketError describes a socket from local to to that could not be made.
func socketError(local, to netip.AddrPort, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		err = fmt.Errorf("%w: %w", errPortRefused, err)
	}
	if local.Addr().IsValid() {
		return fmt.Errorf("open socket from %s to %s: %w", local, to, err)
	}
	return fmt.Errorf("open socket to %s: %w", to, err)
}
