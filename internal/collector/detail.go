package collector

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// LostHere counts datagrams that were lost on this host before a worker had
// them, of whichever exporters.
type LostHere struct {
	// Socket ones the kernel dropped at our sockets; Ring ones were lost
	// between the XDP program and a worker.
	Socket uint64 `json:"socket"`
	Ring   uint64 `json:"ring"`
}

// ExporterDetail is what is known about an exporter.
type ExporterDetail struct {
	ExporterStats
	FirstSeenNs int64
	Silent      bool
	// Datagrams and records a second over the last minute.
	DatagramRate, RecordRate float64
	Protocols                []producer.Protocol
	Override                 *producer.Override
	Streams                  []sequence.Info
}

// After calls f for each cached exporter whose address is greater than addr, in no
// particular order. The zero Addr is less than all others.
//
// The table is locked only while its list is copied, and no entry is kept longer
// than the call.
func (t *Exporters) After(addr netip.Addr, f func(netip.Addr)) {
	t.mu.RLock()
	list := slices.Clone(t.slots)
	t.mu.RUnlock()
	for _, e := range list {
		if e != nil && e.addr.Compare(addr) > 0 {
			f(e.addr)
		}
	}
}

// One returns what is known about an exporter, nil if it has no entry.
func (t *Exporters) One(addr netip.Addr, nowNs int64) *ExporterDetail {
	t.mu.RLock()
	e := t.all[addr]
	t.mu.RUnlock()
	if e == nil {
		return nil
	}
	return t.detail(e, nowNs)
}

func (t *Exporters) detail(e *Exporter, nowNs int64) *ExporterDetail {
	d := &ExporterDetail{ExporterStats: e.stats(), Override: e.override.Load(), Streams: e.streams.Streams()}
	t.mu.RLock()
	d.FirstSeenNs, d.Silent = e.firstSeen, e.silent
	d.DatagramRate, d.RecordRate = e.rates(nowNs)
	t.mu.RUnlock()
	if e.gone.Load() {
		return nil
	}
	if d.FirstSeenNs == 0 {
		d.FirstSeenNs = d.LastSeenNs // no sweep yet
	}
	bits := e.protocols.Load()
	for p := range producer.NumProtocols {
		if bits>>p&1 != 0 {
			d.Protocols = append(d.Protocols, producer.Protocol(p))
		}
	}
	slices.SortFunc(d.Streams, func(a, b sequence.Info) int {
		return cmp.Or(
			cmp.Compare(a.Key.Kind, b.Key.Kind),
			cmp.Compare(a.Key.Domain, b.Key.Domain),
			cmp.Compare(a.Key.Port, b.Key.Port),
			cmp.Compare(a.Key.Source, b.Key.Source),
		)
	})
	return d
}
