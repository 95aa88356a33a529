//go:build !linux

package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Inherited returns none.
func Inherited() []Descriptor { return nil }

// Store is not there.
type Store struct{}

// OpenStore returns nil.
func OpenStore() *Store { return nil }

// Size returns 0.
func (s *Store) Size() int { return 0 }

// Put is not supported.
func (s *Store) Put(string, int) error { return errors.ErrUnsupported }

// Remove is not supported.
func (s *Store) Remove(string) error { return errors.ErrUnsupported }

// Server is not there.
type Server struct{}

// Listen is not supported.
func Listen(path string, _ *slog.Logger) (*Server, error) {
	return nil, fmt.Errorf("listen on %s: %w", path, errors.ErrUnsupported)
}

// Requests returns a channel on which nothing comes.
func (s *Server) Requests() <-chan *Request { return nil }

// Close does nothing.
func (s *Server) Close() {}

// Request is not there.
type Request struct{}

// PID returns 0.
func (r *Request) PID() int { return 0 }

// Send is not supported.
func (r *Request) Send([]Descriptor) error { return errors.ErrUnsupported }

// Close does nothing.
func (r *Request) Close() {}

// Peer is not there.
type Peer struct{}

// Ask is not supported.
func Ask(_ context.Context, path string) ([]Descriptor, *Peer, error) {
	return nil, nil, fmt.Errorf("ask on %s: %w", path, errors.ErrUnsupported)
}

// PID returns 0.
func (p *Peer) PID() int { return 0 }

// Wait does nothing.
func (p *Peer) Wait(context.Context) error { return nil }

// Duplicate is not supported.
func Duplicate(int) (int, error) { return -1, errors.ErrUnsupported }

// Close does nothing.
func Close(int) {}
