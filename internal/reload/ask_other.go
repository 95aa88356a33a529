//go:build !linux

package reload

import (
	"errors"
	"fmt"
)

// State is what a service manager is told while a reload is under way.
func State() string { return "RELOADING=1" }

// Server does nothing on this system.
type Server struct{}

// Close does nothing.
func (*Server) Close() {}

// Serve fails on this system.
func Serve(int, func() (string, error)) (*Server, error) {
	return nil, fmt.Errorf("listen for weir reload: %w", errors.ErrUnsupported)
}

// Ask fails on this system.
func Ask(int) (string, bool, error) {
	return "", false, fmt.Errorf("ask weir to reload: %w: send SIGHUP to it", errors.ErrUnsupported)
}
