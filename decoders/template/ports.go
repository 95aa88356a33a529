package template

import "sync/atomic"

// Ports says whether the source port is a part of an exporter's identity.
//
// RFC 7011 section 8 numbers templates by transport session, which has a
// source port. But exporters take a new port when they restart, and NAT changes
// it when it likes; templates that are found by address alone survive both. On
// the other hand several exporters behind one address may give one template id
// different meanings.
type Ports uint8

// Policies.
const (
	// PortsOff leaves ports out: all that comes from an address is of one
	// exporter.
	PortsOff Ports = iota
	// PortsOn tells exporters of one address apart by port.
	PortsOn
	// PortsAuto tells exporters of one address apart by port too, but lets a port that is
	// new take over what the others have announced once these are silent: see TakeOver.
	// So an exporter keeps its templates over a restart, and never uses a neighbour's.
	PortsAuto
)

// UsePorts sets the policy. It is called before the store is used.
func (s *Store[C]) UsePorts(p Ports) { s.ports = p }

// PortPolicy returns the policy.
func (s *Store[C]) PortPolicy() Ports { return s.ports }

// base returns the key without what the policy leaves out of it.
func (s *Store[C]) base(k *Key) Key {
	b := *k
	if s.ports == PortsOff {
		b.Port = 0
	}
	return b
}

// Lookup returns the domain for what came from key k, source port included, or
// nil if nothing is stored for it. It takes no lock and does not allocate.
func (s *Store[C]) Lookup(k *Key) *Domain[C] {
	b := s.base(k)
	return s.find(&b)
}

// Domain returns the domain for what came from key k, source port included, at
// nowNs (Unix nanoseconds), and makes it if there is none. It returns nil when
// the store has as many domains as its limit allows and none that is of less
// use.
func (s *Store[C]) Domain(k *Key, nowNs int64) *Domain[C] {
	b := s.base(k)
	if d := s.find(&b); d != nil {
		return d
	}
	s.tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.make(&b, nil, nowNs)
}

// usage is what changes in a published template. It stands apart from the rest
// so that readers' cache lines stay as they are.
type usage struct {
	_ [64]byte
	// seen is the receive time of the last announcement, used that of the
	// last data set, in Unix nanoseconds.
	seen, used atomic.Int64
	records    atomic.Uint64 // decoded by the template
	announced  atomic.Uint64 // announcements of the id, also as other templates
	port       atomic.Uint32 // source port of the last announcement
	_          [28]byte
}
