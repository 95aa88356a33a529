package life

import "sync/atomic"

const (
	// MaxWorkers and MaxSockets are how many have room in a page. More are not kept.
	MaxWorkers = 256
	MaxSockets = 1024

	magic   = 0x006566696c726977 // "wirlife" in little-endian bytes
	version = 1
)

// Worker is what a worker has counted. Only the worker writes it.
type Worker struct {
	Received atomic.Uint64 // datagrams
	Produced atomic.Uint64 // records
	Dropped  atomic.Uint64 // of these, because the output was behind
	Held     atomic.Uint64 // datagrams that wait for a template
	Rings    atomic.Uint64 // frames that the AF_XDP rings hold at most

	_ [24]byte // apart from the next worker's
}

// Output is what the output has counted. One goroutine writes it.
type Output struct {
	Ended atomic.Uint64 // records that were written, spooled, or dropped and counted
}

// socket is up to where the drops of a socket are counted. Cookie 0 is a free place.
type socket struct {
	cookie atomic.Uint64
	drops  atomic.Uint64
}

// page is the file.
type page struct {
	magic   atomic.Uint64
	version atomic.Uint64
	boot    [2]atomic.Uint64
	stopped atomic.Uint64 // 1: everything was written, or counted as dropped
	output  Output
	workers [MaxWorkers]Worker
	sockets [MaxSockets]socket
}

// Previous is what the last process left.
type Previous struct {
	// Found: there was one that left a page.
	Found bool
	// Stopped: it ended by itself, and all it had is written or counted. Otherwise what
	// it had in memory is lost.
	Stopped bool
	// SameBoot: the machine has not been started since.
	SameBoot bool
	// Received counts its datagrams, Produced its records.
	Received, Produced uint64
	// InMemory is how many of the records were neither written nor counted as dropped,
	// as far as the page says: some may have been written. Held datagrams waited for a
	// template. Rings is how many frames the AF_XDP rings held at most.
	InMemory, Held, Rings uint64

	sockets map[uint64]uint32
}

// Drops returns up to where the kernel's count of drops of a socket was counted, false if
// that is not known.
func (p *Previous) Drops(cookie uint64) (uint32, bool) {
	n, ok := p.sockets[cookie]
	return n, ok && cookie != 0
}

// previous reads a page.
func (p *page) previous(boot [2]uint64) Previous {
	if p.magic.Load() != magic || p.version.Load() != version {
		return Previous{}
	}
	v := Previous{
		Found:    true,
		Stopped:  p.stopped.Load() == 1,
		SameBoot: p.boot[0].Load() == boot[0] && p.boot[1].Load() == boot[1],
		sockets:  map[uint64]uint32{},
	}
	ended := p.output.Ended.Load()
	for i := range p.workers {
		w := &p.workers[i]
		v.Received += w.Received.Load()
		v.Produced += w.Produced.Load()
		v.Held += w.Held.Load()
		v.Rings += w.Rings.Load()
		ended += w.Dropped.Load()
	}
	v.InMemory = max(v.Produced, ended) - ended
	if v.SameBoot { // cookies are numbers of a boot
		for i := range p.sockets {
			if c := p.sockets[i].cookie.Load(); c != 0 {
				v.sockets[c] = uint32(p.sockets[i].drops.Load())
			}
		}
	}
	return v
}

// A Page is where a process keeps what it has counted. The nil Page keeps nothing.
type Page struct {
	page *page
	end  func() // unmaps the page
}

// Worker returns the counters of a worker, which are nobody's if there is no room.
func (p *Page) Worker(i int) *Worker {
	if p == nil || i >= MaxWorkers {
		return new(Worker)
	}
	return &p.page.workers[i]
}

// Output returns the counters of the output.
func (p *Page) Output() *Output {
	if p == nil {
		return new(Output)
	}
	return &p.page.output
}

// SetDrops stores up to where the drops of socket i are counted. One goroutine calls it.
func (p *Page) SetDrops(i int, cookie uint64, drops uint32) {
	if p == nil || i >= MaxSockets {
		return
	}
	p.page.sockets[i].drops.Store(uint64(drops))
	p.page.sockets[i].cookie.Store(cookie)
}

// Stop stores that everything is written, or counted as dropped. The counters stay in
// use.
func (p *Page) Stop() {
	if p != nil {
		p.page.stopped.Store(1)
	}
}

// Close lets go of the page. Nobody uses its counters any more.
func (p *Page) Close() {
	if p != nil && p.end != nil {
		p.end()
		p.end = nil
	}
}
