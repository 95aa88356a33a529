package collector

import (
	"net/netip"
	"sync"
	"time"

	"github.com/weirflow/weir/producer"
)

const (
	// fromFrames stands for the socket of datagrams that came past the stack.
	fromFrames = -1
	// maxAgents is how many sFlow agents of one source address are told apart.
	maxAgents = 8
	// timeEvery is one of how many datagrams is timed: reading the clock costs
	// as much as a record.
	timeEvery = 64
)

// Goflow2Names is who gets goflow2's metrics of their own: the first so many
// exporters. It may be used by any goroutine.
type Goflow2Names struct {
	limit int
	mu    sync.Mutex
	names map[netip.Addr]struct{}
}

// NewGoflow2Names returns a table with room for limit exporters.
func NewGoflow2Names(limit int) *Goflow2Names {
	return &Goflow2Names{limit: limit, names: map[netip.Addr]struct{}{}}
}

// Has tells whether an exporter is in the table.
func (n *Goflow2Names) Has(addr netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.names[addr]
	return ok
}

// take tells whether an exporter is in the table, and puts it there if there is
// room.
func (n *Goflow2Names) take(addr netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.names[addr]; ok {
		return true
	}
	if len(n.names) >= n.limit || !addr.IsValid() {
		return false
	}
	n.names[addr] = struct{}{}
	return true
}

// Goflow2 counts what goflow2's metrics want to know and weir's own do not: by
// exporter, socket, version and agent.
//
// The worker writes plain numbers. It takes the lock with the first datagram of a
// receive batch and gives it back at the batch's end, so that a scrape, which
// copies meanwhile, costs it nothing in between. A nil Goflow2 counts nothing.
type Goflow2 struct {
	names *Goflow2Names

	mu     sync.Mutex
	locked bool // by the worker; its own

	// The rest is guarded by mu.
	exporters map[netip.Addr]*Goflow2Exporter
	other     *Goflow2Exporter // all that have no names
	sockets   int
	socket    int // that the datagrams in hand came over
	datagrams uint64
	decoding  [producer.NumProtocols]Distribution // nanoseconds, of one datagram in timeEvery
}

// Goflow2Exporter is what came from one exporter.
type Goflow2Exporter struct {
	// Addr is the source address, the zero Addr for all without a name.
	Addr netip.Addr
	// Sockets are the counts by socket of the worker; the last is for
	// datagrams that came past the stack.
	Sockets []Goflow2Socket
	// Protocols are the counts by protocol.
	Protocols [producer.NumProtocols]Goflow2Protocol
	// Agents are the sFlow agents behind the address.
	Agents []Goflow2Agent
	// Dropped datagrams are those over the rate limit.
	Dropped, DroppedBytes uint64
}

// Goflow2Socket counts the datagrams of an exporter that came over one socket, by
// protocol.
type Goflow2Socket [producer.NumProtocols]Goflow2Datagrams

// Goflow2Datagrams counts datagrams.
type Goflow2Datagrams struct {
	Packets, Bytes, Errors uint64
	// Sizes are their sizes in bytes; nil before the first.
	Sizes *Distribution
}

// Goflow2Protocol counts datagrams of one protocol.
type Goflow2Protocol struct {
	// Decoded datagrams; Sets and SetRecords are those in them.
	Decoded          uint64
	Sets, SetRecords [producer.NumSetKinds]uint64
	// WithoutTemplate counts datagrams with a set whose template is unknown.
	WithoutTemplate uint64
	// Delay is the time from the end of the last flow of each datagram to its
	// reception, in nanoseconds; nil before the first.
	Delay *Distribution
}

// Goflow2Agent counts what came of one sFlow agent.
type Goflow2Agent struct {
	// Addr is the zero Addr for all beyond the first few of an exporter.
	Addr                   netip.Addr
	Datagrams              uint64
	Samples, SampleRecords [producer.NumSampleKinds]uint64
}

func newGoflow2(names *Goflow2Names, sockets int) *Goflow2 {
	if names == nil {
		return nil
	}
	g := &Goflow2{names: names, exporters: map[netip.Addr]*Goflow2Exporter{}, sockets: sockets, socket: fromFrames}
	g.other = g.newExporter(netip.Addr{})
	return g
}

func (g *Goflow2) newExporter(addr netip.Addr) *Goflow2Exporter {
	return &Goflow2Exporter{Addr: addr, Sockets: make([]Goflow2Socket, g.sockets+1)}
}

// take takes the lock for the rest of the receive batch.
func (g *Goflow2) take() {
	if !g.locked {
		g.mu.Lock()
		g.locked = true
	}
}

// release gives the lock back.
func (g *Goflow2) release() {
	if g != nil && g.locked {
		g.locked = false
		g.mu.Unlock()
	}
}

// exporter returns the counts of an exporter.
func (g *Goflow2) exporter(addr netip.Addr) *Goflow2Exporter {
	if g == nil {
		return nil
	}
	g.take()
	e, ok := g.exporters[addr]
	if ok {
		return e
	}
	if !g.names.take(addr) {
		return g.other
	}
	e = g.newExporter(addr)
	g.exporters[addr] = e
	return e
}

// from says which socket the datagrams that follow came over.
func (g *Goflow2) from(socket int) {
	if g != nil {
		g.socket = socket
	}
}

// begin returns the time if this datagram is to be timed.
func (g *Goflow2) begin() (began time.Time) {
	if g == nil {
		return
	}
	if g.datagrams++; g.datagrams%timeEvery == 0 {
		began = time.Now()
	}
	return began
}

// dropped counts a datagram over the rate limit.
func (g *Goflow2) dropped(e *Goflow2Exporter, size int) {
	if g != nil {
		g.take()
		e.Dropped++
		e.DroppedBytes += uint64(size)
	}
}

// count counts a datagram that was decoded, or failed to be.
func (g *Goflow2) count(e *Goflow2Exporter, t *producer.Tally, res *producer.Result, size int, receivedNs int64, began time.Time) {
	g.take()
	if !began.IsZero() {
		g.decoding[res.Protocol].Observe(uint64(time.Since(began)))
	}
	socket := len(e.Sockets) - 1
	if g.socket >= 0 {
		socket = g.socket
	}
	s := &e.Sockets[socket][res.Protocol]
	s.Packets++
	s.Bytes += uint64(size)
	if s.Sizes == nil {
		s.Sizes = &Distribution{}
	}
	s.Sizes.Observe(uint64(size))
	if res.Reason != producer.ReasonNone {
		s.Errors++
	}
	p := &e.Protocols[res.Protocol]
	if res.Decoded {
		p.Decoded++
	}
	if res.Protocol == producer.ProtocolSFlow {
		e.agent(t)
		return
	}
	if t.WithoutTemplate > 0 {
		p.WithoutTemplate++
	}
	for kind := range t.Sets {
		p.Sets[kind] += uint64(t.Sets[kind])
		p.SetRecords[kind] += uint64(t.SetRecords[kind])
	}
	if t.FlowEndNs != 0 {
		if p.Delay == nil {
			p.Delay = &Distribution{}
		}
		p.Delay.Observe(uint64(max(receivedNs-int64(t.FlowEndNs), 0)))
	}
}

// agent counts the samples of an sFlow datagram.
func (e *Goflow2Exporter) agent(t *producer.Tally) {
	addr, ok := netip.AddrFromSlice(t.Agent)
	if !ok {
		return
	}
	var a *Goflow2Agent
	for i := range e.Agents {
		if e.Agents[i].Addr == addr {
			a = &e.Agents[i]
		}
	}
	if a == nil {
		if len(e.Agents) >= maxAgents || !e.Addr.IsValid() {
			addr = netip.Addr{}
			for i := range e.Agents {
				if !e.Agents[i].Addr.IsValid() {
					a = &e.Agents[i]
				}
			}
		}
		if a == nil {
			e.Agents = append(e.Agents, Goflow2Agent{Addr: addr})
			a = &e.Agents[len(e.Agents)-1]
		}
	}
	a.Datagrams++
	for kind := range t.Samples {
		a.Samples[kind] += uint64(t.Samples[kind])
		a.SampleRecords[kind] += uint64(t.SampleRecords[kind])
	}
}

// Goflow2Sockets returns the sockets of the worker, in the order of
// [Goflow2Exporter.Sockets]: the listen address of each, and the address that it
// is bound to.
func (w *Worker) Goflow2Sockets() (listens []string, local []netip.AddrPort) {
	for _, s := range w.parts.Sockets {
		local = append(local, s.LocalAddr())
	}
	return w.parts.Listens, local
}

// Goflow2 copies the worker's counts for goflow2's metrics: it calls f for each
// exporter and returns how long decoding took, by protocol. It reports false where
// they are not wanted. f must not keep what it is given.
func (w *Worker) Goflow2(f func(*Goflow2Exporter)) (decoding [producer.NumProtocols]Distribution, ok bool) {
	g := w.goflow2
	if g == nil {
		return decoding, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.exporters {
		f(e)
	}
	f(g.other)
	return g.decoding, true
}
