package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
)

// Protocol is the protocol of a datagram.
type Protocol uint8

// Protocols.
const (
	NetFlow5 Protocol = iota
	NetFlow9
	IPFIX
	SFlow

	// NumProtocols is the number of protocols.
	NumProtocols = int(iota)
)

var protocolNames = [NumProtocols]string{"netflow_v5", "netflow_v9", "ipfix", "sflow_5"}

// String returns the protocol's name, as it appears in weir's metrics.
func (p Protocol) String() string { return protocolNames[p] }

// protocols are those of each workload, given to its streams in turn.
var protocols = map[string][]Protocol{
	"nf5":   {NetFlow5},
	"nf9":   {NetFlow9},
	"ipfix": {IPFIX},
	"sflow": {SFlow},
	"mix":   {NetFlow5, NetFlow9, IPFIX, SFlow},
}

// Names returns the names of the workloads.
func Names() []string { return []string{"nf5", "nf9", "ipfix", "sflow", "mix"} }

// Limits of a Config.
const (
	// MaxExporters is the number of addresses of [ExporterAddr].
	MaxExporters = 256 * hostsPerNet
	// MinMaxPayload is what fits after the headers in the smallest MTU of
	// IPv6, and holds any set of templates.
	MinMaxPayload = 1232

	hostsPerNet = 250
	// ethernetPayload is what fits after IPv4 and UDP headers in an Ethernet
	// frame.
	ethernetPayload = 1472
)

// DefaultStartNs is the time at which the clock of a generator stands whose
// Config says none: 2026-01-01 00:00 UTC.
const DefaultStartNs = 1767225600 * 1e9

// Config describes a workload.
type Config struct {
	// Workload is one of Names.
	Workload string
	// Exporters is the number of exporters, 1 to MaxExporters. In the mix an
	// exporter sends one of the four protocols; fewer than four exporters send
	// all four between them.
	Exporters int
	// Seed chooses the flows.
	Seed uint64
	// StartNs is what the clock shows at first, in Unix nanoseconds. 0 is
	// DefaultStartNs.
	StartNs int64
	// IntervalNs is how far the clock advances with each datagram, in
	// nanoseconds.
	IntervalNs int64
	// MaxPayload is the longest payload in bytes, at least MinMaxPayload:
	// datagrams get fewer records where they would be longer. 0 is the
	// workload's own size.
	MaxPayload int
	// IDs makes a flow's bytes, as the exporter counts them, the flow's
	// Flow.ID. For sFlow that is the frame's length.
	IDs bool
	// FirstID is the ID of the first flow. 0 is 1.
	FirstID uint32
}

func (c *Config) check() error {
	var faults []error
	if protocols[c.Workload] == nil {
		faults = append(faults, fmt.Errorf("workload %q: want %s", c.Workload, strings.Join(Names(), ", ")))
	}
	if c.Exporters < 1 || c.Exporters > MaxExporters {
		faults = append(faults, fmt.Errorf("exporters %d: want 1 to %d", c.Exporters, MaxExporters))
	}
	if c.MaxPayload != 0 && (c.MaxPayload < MinMaxPayload || c.MaxPayload > 65507) {
		faults = append(faults, fmt.Errorf("longest payload %d: want %d to 65507, or 0 for the workload's own", c.MaxPayload, MinMaxPayload))
	}
	if c.StartNs < 0 || c.IntervalNs < 0 {
		faults = append(faults, errors.New("clock: want a time since 1970 that advances"))
	}
	return errors.Join(faults...)
}

// Datagram is what Next makes. Flows and Payload are valid until the next call
// of Next.
type Datagram struct {
	Exporter int // 0 to Config.Exporters-1
	Protocol Protocol
	TimeNs   int64  // the clock at export, in Unix nanoseconds
	Options  int    // records of options data
	Flows    []Flow // what a collector has to get, in the order of the payload
	Payload  []byte
}

// Stream is what one exporter sends by one protocol.
type Stream struct {
	Exporter int
	Protocol Protocol
}

// stream is a Stream and where it has got to.
type stream struct {
	Stream
	domain   uint32 // observation domain, source id
	bootNs   int64  // when the exporter booted
	rate     uint32 // one of so many packets is sampled
	sequence uint32 // as the protocol counts
	sent     uint64 // datagrams

	samples       []uint32 // sFlow: samples of each interface
	counters      uint32   // sFlow: counter samples
	countedFrames uint64   // sFlow: the interface counters, which grow
	variant       int      // mix: templates used so far
}

// Generator makes the datagrams of one workload.
type Generator struct {
	cfg     Config
	rnd     *rand.PCG
	mix     bool
	streams []stream
	next    int
	nowNs   int64
	nextID  uint32

	flows   []Flow
	payload []byte
	options int
}

// New returns a generator. The error names all faults of cfg.
func New(cfg Config) (*Generator, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.StartNs == 0 {
		cfg.StartNs = DefaultStartNs
	}
	g := &Generator{
		cfg:    cfg,
		rnd:    rand.NewPCG(cfg.Seed, 0x77656972),
		mix:    cfg.Workload == "mix",
		nowNs:  cfg.StartNs,
		nextID: max(cfg.FirstID, 1),
	}
	kinds := protocols[cfg.Workload]
	for i := range max(cfg.Exporters, len(kinds)) {
		s := stream{
			Stream:   Stream{Exporter: i % cfg.Exporters, Protocol: kinds[i%len(kinds)]},
			domain:   uint32(i) + 1,
			bootNs:   cfg.StartNs - int64(3600+g.rnd.Uint64()%(30*86400))*1e9,
			rate:     64 << (g.rnd.Uint64() % 7),
			sequence: uint32(g.rnd.Uint64()) >> 1,
		}
		if s.Protocol == SFlow {
			s.samples = make([]uint32, interfaces+1)
		}
		g.streams = append(g.streams, s)
	}
	return g, nil
}

// Streams returns what is sent by whom, in the order in which Next takes them.
func (g *Generator) Streams() []Stream {
	list := make([]Stream, 0, len(g.streams))
	for i := range g.streams {
		list = append(list, g.streams[i].Stream)
	}
	return list
}

// SetClock sets the clock, in Unix nanoseconds. Exporters have booted before
// Config.StartNs: the clock must not show a time before that.
func (g *Generator) SetClock(nowNs int64) { g.nowNs = max(nowNs, g.cfg.StartNs) }

// NextID returns the ID that the next flow will have.
func (g *Generator) NextID() uint32 { return g.nextID }

// Next makes the next datagram.
func (g *Generator) Next(d *Datagram) {
	s := &g.streams[g.next]
	if g.next++; g.next == len(g.streams) {
		g.next = 0
	}
	g.flows, g.payload, g.options = g.flows[:0], g.payload[:0], 0
	switch s.Protocol {
	case NetFlow5:
		g.netflow5(s)
	case NetFlow9:
		g.netflow9(s)
	case IPFIX:
		g.ipfix(s)
	default:
		g.sflow(s)
	}
	s.sent++
	*d = Datagram{
		Exporter: s.Exporter,
		Protocol: s.Protocol,
		TimeNs:   g.nowNs,
		Options:  g.options,
		Flows:    g.flows,
		Payload:  g.payload,
	}
	g.nowNs += g.cfg.IntervalNs
}

// Take makes the next n datagrams, to be kept: their bytes and flows are copies.
func (g *Generator) Take(n int) []Datagram {
	list := make([]Datagram, n)
	for i := range list {
		g.Next(&list[i])
		list[i].Flows = slices.Clone(list[i].Flows)
		list[i].Payload = slices.Clone(list[i].Payload)
	}
	return list
}

// limit is the longest payload in bytes of a protocol other than sFlow.
func (g *Generator) limit() int {
	if g.cfg.MaxPayload != 0 {
		return min(g.cfg.MaxPayload, ethernetPayload)
	}
	return ethernetPayload
}

// uptimeMs returns the exporter's uptime at a time in Unix nanoseconds, in
// milliseconds. It wraps after 49.7 days, as exporters do.
func (s *stream) uptimeMs(ns int64) uint32 { return uint32((ns - s.bootNs) / 1e6) }

// ExporterAddr returns the address of an exporter, in 198.19.0.0/16 (RFC 2544):
// the source in captures, and the agent address in sFlow datagrams.
func ExporterAddr(exporter int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 19, byte(exporter / hostsPerNet), byte(1 + exporter%hostsPerNet)})
}

// LoopbackAddr returns the address that an exporter sends from to a collector
// on the same host, in 127.1.0.0/16.
func LoopbackAddr(exporter int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(exporter / hostsPerNet), byte(1 + exporter%hostsPerNet)})
}
