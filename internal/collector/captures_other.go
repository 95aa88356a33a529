//go:build !linux

package collector

import (
	"errors"
	"fmt"
	"net/netip"
)

// Captures is empty: there is no XDP on this system.
type Captures struct{}

// StartCaptures fails, or logs, that there is no XDP on this system.
func StartCaptures(cfg CaptureConfig, _ []*Worker) (*Captures, error) {
	err := fmt.Errorf("capture on %v: %w", cfg.Interfaces, errors.ErrUnsupported)
	if cfg.Require {
		return nil, err
	}
	cfg.Logger.Warn("not captured by XDP: datagrams are received on the sockets", "error", err)
	return &Captures{}, nil
}

// Stop does nothing.
func (c *Captures) Stop() {}

// Stats returns nothing.
func (c *Captures) Stats() []CaptureStats { return nil }

// Rated reports whether the programs limit the rate of exporters.
func (c *Captures) Rated() bool { return false }

// Limited calls nothing.
func (c *Captures) Limited(int, func(exporter netip.Addr, n uint64)) {}

// Prepare does nothing.
func (c *Captures) Prepare(CaptureConfig) (commit, undo func(), err error) {
	return func() {}, func() {}, nil
}
