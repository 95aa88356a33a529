package collector

import (
	"net/netip"
	"sync"
	"time"

	"github.com/weirflow/weir/producer"
)

const (
	// fromFrames stands for the listen address of datagrams that came past the stack.
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

// SetLimit changes the room. Exporters that are in the table stay.
func (n *Goflow2Names) SetLimit(limit int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limit = limit
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
// The worker takes the lock with the first datagram of a receive batch and releases
// it at the batch's end, and before it waits for the output. While a scrape has the
// lock, datagrams go into a journal of the worker's own, and are added later. So a
// scrape waits for at most a batch to be decoded, and the worker waits for a scrape
// only when the journal is full, at most while the counts of one exporter are
// copied. A nil Goflow2 counts nothing.
type Goflow2 struct {
	names *Goflow2Names

	// The worker's own.
	byAddr    map[netip.Addr]*Goflow2Exporter
	sockets   int
	socket    int // index of the listen address that the current datagrams came to
	datagrams uint64
	locked    bool           // it has the lock
	note      goflow2Note    // of the current datagram
	journal   []goflow2Entry // its capacity never changes

	mu sync.Mutex
	// The rest, and the counts of all exporters, are guarded by mu.
	exporters []*Goflow2Exporter                  // appended to; the first has all without a name
	decoding  [producer.NumProtocols]Distribution // nanoseconds, of one datagram in timeEvery
}

// goflow2Journal is how many datagrams a journal has room for.
const goflow2Journal = 192

// goflow2Note is what is counted of a datagram, besides its tally.
type goflow2Note struct {
	to         *Goflow2Exporter
	agent      netip.Addr // of sFlow; not valid if there is none
	receivedNs int64
	tookNs     int64 // to decode it; negative if that was not measured
	size       uint64
	socket     int
	protocol   producer.Protocol
	decoded    bool
	failed     bool // something was wrong with it
	dropped    bool // over the rate limit: only size counts
}

// goflow2Entry is a datagram in the journal.
type goflow2Entry struct {
	goflow2Note
	tally producer.Tally // without the view of the agent
}

// Goflow2Exporter is what came from one exporter.
type Goflow2Exporter struct {
	// Addr is the source address, the zero Addr for all without a name.
	Addr netip.Addr
	// Sockets are the counts by listen address of the worker, after the first, which is
	// for datagrams that came past the stack.
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
	g := &Goflow2{
		names: names, byAddr: map[netip.Addr]*Goflow2Exporter{}, sockets: sockets, socket: fromFrames,
		journal: make([]goflow2Entry, 0, goflow2Journal),
	}
	g.exporters = []*Goflow2Exporter{g.newExporter(netip.Addr{})}
	return g
}

func (g *Goflow2) newExporter(addr netip.Addr) *Goflow2Exporter {
	return &Goflow2Exporter{Addr: addr, Sockets: make([]Goflow2Socket, g.sockets+1)}
}

// exporter returns the counts of an exporter.
func (g *Goflow2) exporter(addr netip.Addr) *Goflow2Exporter {
	if g == nil {
		return nil
	}
	e, ok := g.byAddr[addr]
	if ok {
		return e
	}
	if !g.names.take(addr) {
		return g.exporters[0]
	}
	e = g.newExporter(addr)
	g.byAddr[addr] = e
	if !g.locked {
		g.take(true)
	}
	g.exporters = append(g.exporters, e)
	return e
}

// from says which of the worker's listen addresses the datagrams that follow came to.
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
		g.put(&goflow2Note{to: e, size: uint64(size), dropped: true}, &producer.Tally{})
	}
}

// count counts a datagram that was decoded, or failed to be.
func (g *Goflow2) count(e *Goflow2Exporter, t *producer.Tally, res *producer.Result, size int, receivedNs int64, began time.Time) {
	n := &g.note
	n.to, n.receivedNs, n.tookNs, n.size, n.socket = e, receivedNs, -1, uint64(size), g.socket
	n.protocol, n.decoded, n.failed = res.Protocol, res.Decoded, res.Reason != producer.ReasonNone
	if res.Protocol == producer.ProtocolSFlow {
		n.agent, _ = netip.AddrFromSlice(t.Agent)
	}
	if !began.IsZero() {
		n.tookNs = int64(time.Since(began))
	}
	g.put(n, t)
}

// put adds a datagram to the counts or, while a scrape copies them, to the journal.
func (g *Goflow2) put(n *goflow2Note, t *producer.Tally) {
	if g.locked || g.take(len(g.journal) == cap(g.journal)) {
		g.add(n, t)
		return
	}
	g.journal = append(g.journal, goflow2Entry{*n, *t})
	g.journal[len(g.journal)-1].tally.Agent = nil
}

// take takes the lock for the rest of the receive batch, and adds the journal to the
// counts. It reports whether it could; it can if it must.
func (g *Goflow2) take(must bool) bool {
	if must {
		g.mu.Lock()
	} else if !g.mu.TryLock() {
		return false
	}
	g.locked = true
	g.settle()
	return true
}

// release releases the lock, and adds the journal to the counts if no scrape copies
// them.
func (g *Goflow2) release() {
	if g == nil || !g.locked && (len(g.journal) == 0 || !g.take(false)) {
		return
	}
	g.locked = false
	g.mu.Unlock()
}

// end adds the journal to the counts.
func (g *Goflow2) end() {
	if g != nil && (g.locked || g.take(true)) {
		g.release()
	}
}

// settle adds the journal to the counts. The lock is held.
func (g *Goflow2) settle() {
	for i := range g.journal {
		g.add(&g.journal[i].goflow2Note, &g.journal[i].tally)
	}
	g.journal = g.journal[:0]
}

// add adds a datagram to the counts. The lock is held.
func (g *Goflow2) add(n *goflow2Note, t *producer.Tally) {
	e := n.to
	if n.dropped {
		e.Dropped++
		e.DroppedBytes += n.size
		return
	}
	if n.tookNs >= 0 {
		g.decoding[n.protocol].Observe(uint64(n.tookNs))
	}
	for n.socket+1 >= len(e.Sockets) { // a listen address was added
		e.Sockets = append(e.Sockets, Goflow2Socket{})
	}
	s := &e.Sockets[n.socket+1][n.protocol]
	s.Packets++
	s.Bytes += n.size
	if s.Sizes == nil {
		s.Sizes = &Distribution{}
	}
	s.Sizes.Observe(n.size)
	if n.failed {
		s.Errors++
	}
	p := &e.Protocols[n.protocol]
	if n.decoded {
		p.Decoded++
	}
	if n.protocol == producer.ProtocolSFlow {
		if n.agent.IsValid() {
			e.agent(n.agent, t)
		}
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
		p.Delay.Observe(uint64(max(n.receivedNs-int64(t.FlowEndNs), 0)))
	}
}

// agent counts the samples of an sFlow datagram.
func (e *Goflow2Exporter) agent(addr netip.Addr, t *producer.Tally) {
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

// Goflow2Sockets returns the listen addresses of the worker, in the order of
// [Goflow2Exporter.Sockets] after the first: as configured, and as bound, and what the kernel
// dropped there.
func (w *Worker) Goflow2Sockets() (listens []string, local []netip.AddrPort, drops []uint64) {
	for _, p := range *w.places.Load() {
		listens, local, drops = append(listens, p.listen), append(local, p.local), append(drops, p.drops())
	}
	return listens, local, drops
}

// Goflow2 calls f for the worker's counts for goflow2's metrics of each exporter,
// and returns how long decoding took, by protocol. It reports false where they are
// not wanted. f must not keep what it is given, and not wait for anything: the
// worker may wait for it.
func (w *Worker) Goflow2(f func(*Goflow2Exporter)) (decoding [producer.NumProtocols]Distribution, ok bool) {
	g := w.goflow2
	if g == nil {
		return decoding, false
	}
	g.mu.Lock()
	exporters := g.exporters
	decoding = g.decoding
	g.mu.Unlock()
	// One at a time: the worker gets in between.
	for _, e := range exporters {
		g.mu.Lock()
		f(e)
		g.mu.Unlock()
	}
	return decoding, true
}
