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
	// PortsAuto leaves ports out until two ports of an address announce one
	// id of one domain differently. From then on that domain is split: the
	// ids in conflict belong to their port, and so does all that is announced
	// later; what was announced before stays usable for all ports until their
	// own announcement. An exporter that restarted with other templates is
	// taken for two: that costs it only that its templates are not found by
	// address any more.
	PortsAuto
)

// UsePorts sets the policy. It is called before the store is used.
func (s *Store) UsePorts(p Ports) { s.ports = p }

// PortPolicy returns the policy.
func (s *Store) PortPolicy() Ports { return s.ports }

// base returns the key without what the policy leaves out of it.
func (s *Store) base(k *Key) Key {
	b := *k
	if s.ports != PortsOn {
		b.Port = 0
	}
	return b
}

// Lookup returns the domain for what came from key k, source port included, or
// nil if nothing is stored for it. It takes no lock and does not allocate.
func (s *Store) Lookup(k *Key) *Domain {
	b := s.base(k)
	d := s.find(&b)
	if d != nil && s.ports == PortsAuto && d.split.Load() && k.Port != 0 {
		if own := s.find(k); own != nil {
			return own
		}
	}
	return d
}

// Domain returns the domain for what came from key k, source port included, at
// nowNs (Unix nanoseconds), and makes it if there is none. It returns nil when
// the store has as many domains as its limit allows and none that is of less
// use.
func (s *Store) Domain(k *Key, nowNs int64) *Domain {
	b := s.base(k)
	if d := s.find(&b); d != nil {
		if s.ports != PortsAuto || !d.split.Load() || k.Port == 0 {
			return d
		}
		if own := s.find(k); own != nil {
			return own
		}
	}
	s.tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.make(&b, nil, nowNs)
	if d != nil && s.ports == PortsAuto && d.split.Load() && k.Port != 0 {
		return s.make(k, d, nowNs)
	}
	return d
}

// conflict says whether the announcement of something else than old by a port
// shows that the domain is of several exporters.
func (d *Domain) conflict(old *Template, port uint16) bool {
	was := uint16(old.usage.port.Load())
	return d.store.ports == PortsAuto && d.key.Port == 0 && port != 0 && was != 0 && was != port
}

// splitUp has the ports of the domain tell its templates apart. old goes to the
// port that announced it. The store is locked.
func (d *Domain) splitUp(old *Template, nowNs int64) {
	if !d.split.Load() {
		d.split.Store(true)
		d.store.totals.Split++
	}
	k := d.key
	k.Port = uint16(old.usage.port.Load())
	own := d.store.make(&k, d, nowNs)
	d.forget(old)
	if own != nil && own.own(old.ID) == nil {
		own.publish(old, nil) // before it is gone here: a reader finds it in either
	}
	d.clear(old.ID)
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
