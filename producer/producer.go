package producer

import (
	"encoding/binary"
	"net/netip"

	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/producer/geo"
	"github.com/weirflow/weir/producer/names"
)

// Format is the encoding of the messages.
type Format uint8

// Formats.
const (
	// FormatJSON: one JSON object a message.
	FormatJSON Format = iota
	// FormatBin: a FlowMessage after its length as a varint.
	FormatBin
	// FormatText: key=value pairs with spaces between them.
	FormatText
	// FormatLine: what Config.Line appends. Records take the generic path.
	FormatLine
	// FormatColumns: flows become rows of Batch.Columns, which must be there. Batch.Buf stays
	// empty. What a mapping adds to the fields, and places of addresses, are left out.
	FormatColumns
)

// Config says how records become messages.
type Config struct {
	Format Format
	// Line appends the message of a flow in FormatLine. The flow is valid until it returns.
	Line func(dst []byte, f *Flow) []byte
	// Raw has each datagram become one JSON object with all that is in it, in
	// place of the flows.
	Raw bool
	// Separator follows every message.
	Separator []byte
	// SamplingRate is given to flows whose exporter announced none.
	SamplingRate uint64
	// Geo, unless it is nil, says where addresses belong: it is added to every
	// flow. A cache is for one producer.
	Geo *geo.Cache
	// Programs holds the mapping that is in force; nil for none.
	Programs *Programs
	// IgnoreWithdrawals has template withdrawals counted and otherwise ignored, as
	// RFC 7011 section 8.4 asks of collectors of datagrams (UDP). A message over TCP
	// or SCTP may withdraw.
	IgnoreWithdrawals bool
	// Discards makes messages of sFlow's notices of discarded packets (samples of format
	// 5), which goflow2 has none of; not with Settings.Compat.
	Discards bool
	// Names learns what options data says about the numbers in flow records; nil for
	// nothing. Join says which of it is added to flows.
	Names *names.Table
	Join  names.Kinds
	// Held has room for data that comes before its template; nil holds none.
	// All producers share it.
	Held *Held
}

// Protocol is what a datagram turned out to be.
type Protocol uint8

// Protocols.
const (
	ProtocolUnknown Protocol = iota
	ProtocolNetFlowV1
	ProtocolNetFlowV5
	ProtocolNetFlowV7
	ProtocolNetFlowV8
	ProtocolNetFlowV9
	ProtocolIPFIX
	ProtocolSFlow

	// NumProtocols is the number of protocols, the unknown one included.
	NumProtocols = int(iota)

	protocolRaw Protocol = 0xff // has been dealt with
)

var protocolLabels = [NumProtocols]string{
	"unknown", "netflow_v1", "netflow_v5", "netflow_v7", "netflow_v8", "netflow_v9", "ipfix", "sflow_5",
}

// String returns the protocol's name, as it appears in metrics.
func (p Protocol) String() string { return protocolLabels[p] }

// Detect tells a datagram's protocol from its first four bytes. sFlow has a
// 32-bit version where the others have a 16-bit one, so that no datagram can
// be two of them.
func Detect(b []byte) Protocol {
	if len(b) < 4 {
		return ProtocolUnknown
	}
	switch binary.BigEndian.Uint16(b) {
	case 0:
		if binary.BigEndian.Uint16(b[2:]) == 5 {
			return ProtocolSFlow
		}
	case netflow.V1:
		return ProtocolNetFlowV1
	case netflow.V5:
		return ProtocolNetFlowV5
	case netflow.V7:
		return ProtocolNetFlowV7
	case netflow.V8:
		return ProtocolNetFlowV8
	case netflow.V9:
		return ProtocolNetFlowV9
	case ipfix.Version:
		return ProtocolIPFIX
	}
	return ProtocolUnknown
}

// Meta is what is known about a datagram in addition to its bytes.
type Meta struct {
	// Source is the exporter's address, IPv4 never in mapped form.
	Source netip.AddrPort
	// ReceivedNs is the receive time in Unix nanoseconds.
	ReceivedNs int64
	// Truncated: the datagram was longer than what is there of it.
	Truncated bool
	// Override holds the sampling rates that the configuration sets for the
	// exporter; nil for none.
	Override *Override
}

// Result is what became of a datagram.
type Result struct {
	Protocol Protocol
	// Decoded says that something in the datagram could be used, or that
	// there was nothing wrong with it. A datagram that is not decoded has
	// failed for Reason.
	Decoded bool
	// Reason is the first thing that was wrong, ReasonNone if nothing was.
	Reason Reason
	// Records is the number of messages that were appended to the batch.
	Records int
	// Held says that all there was to use waits for its template: the datagram
	// is neither decoded nor failed yet.
	Held bool
}

// Producer decodes datagrams and appends what they hold to batches. A worker
// has one of its own; it is not for concurrent use. The template store behind
// it is shared by all workers.
type Producer struct {
	cfg   Config
	store *TemplateStore
	prog  *Program // in force

	// Counters are the producer's own, written by its worker only.
	Counters Counters

	work   // at the datagram in work; not kept
	memory // without meaning between datagrams

	held   held // data that waits for its template
	recent recentSets
}

// New returns a producer for one worker. store comes from NewStore.
func New(cfg Config, store *TemplateStore) *Producer {
	p := &Producer{cfg: cfg, store: store}
	if cfg.Programs == nil {
		p.cfg.Programs = NewPrograms(noProgram())
	}
	p.Refresh()
	p.held.init(cfg.Held)
	return p
}

// Reconfigure has the producer write as cfg says from the next datagram on. Counters and
// what waits for its template stay; cfg.Held must be the room that the producer has. No
// batch may hold messages of both configurations.
func (p *Producer) Reconfigure(cfg Config) {
	p.cfg = cfg
	if cfg.Programs == nil {
		p.cfg.Programs = NewPrograms(noProgram())
	}
	p.Refresh()
}

// Datagram decodes one datagram and appends its flow records to batch. It does
// not allocate, but to grow the batch and for templates that it has not seen.
// data is not kept.
func (p *Producer) Datagram(batch *Batch, meta Meta, data []byte) Result {
	if len(data) > 0 {
		prefetch(&data[0])
	}
	p.start(&meta, meta.Source.Addr().As16(), batch)
	p.small = smallRecords(len(data))
	before := len(batch.Ends)
	if meta.Truncated {
		p.fault(ReasonDatagramTruncated)
	}
	res := Result{Protocol: Detect(data)}
	how := res.Protocol
	if p.cfg.Raw {
		p.raw(how, data)
		how = protocolRaw
	}
	switch how {
	case protocolRaw:
	case ProtocolNetFlowV1, ProtocolNetFlowV5, ProtocolNetFlowV7, ProtocolNetFlowV8:
		p.fixed(how, data)
	case ProtocolNetFlowV9:
		p.netflow9(data)
	case ProtocolIPFIX:
		p.ipfix(data)
	case ProtocolSFlow:
		p.sflow(data)
	default:
		p.fault(ReasonUnknownVersion)
	}
	p.batch = nil

	res.Records = len(batch.Ends) - before
	p.encodedRest(res.Records)
	if res.Records > 0 && before == 0 {
		batch.FirstNs = meta.ReceivedNs
	}
	res.Reason = p.first
	res.Decoded = p.useful > 0 || p.first == ReasonNone
	if p.current != none {
		p.holdDatagram(&res)
	}
	p.Counters.add(res)
	return res
}

// fault counts something that was wrong with the current datagram or with a
// piece of it. ReasonNone is no fault.
func (p *Producer) fault(r Reason) {
	if r == ReasonNone {
		return
	}
	p.Counters.Faults[r]++
	if p.first == ReasonNone {
		p.first = r
	}
	p.facts.Faults.Add(r)
	if unsure[r] {
		p.facts.Uncertain = true
	}
}

// note counts something that is not as it should be and costs nothing.
func (p *Producer) note(r Reason) {
	p.Counters.Faults[r]++
	p.facts.Faults.Add(r)
}

// begin empties the flow and sets what all flows of the datagram share.
func (p *Producer) begin(flowType uint32) *Flow {
	f := &p.flow
	f.reset()
	f.hidden = p.prog.hidden
	p.scratch = p.scratch[:0]
	f.Type = flowType
	f.TimeReceivedNs = uint64(p.meta.ReceivedNs)
	f.SamplerAddress = p.samplerAddress()
	return f
}

// samplerAddress returns the address of the datagram's source: 4 bytes or 16.
func (p *Producer) samplerAddress() []byte {
	if p.meta.Source.Addr().Is4() {
		return p.source[12:]
	}
	return p.source[:]
}

// emit appends the flow to the batch.
func (p *Producer) emit(f *Flow) {
	b := p.batch
	if p.cfg.Geo != nil {
		f.Enrich(p.cfg.Geo)
	}
	switch {
	case p.cfg.Format == FormatBin:
		b.Buf = AppendDelimited(b.Buf, f)
	case p.cfg.Format == FormatLine:
		b.Buf = p.cfg.Line(b.Buf, f)
	case p.cfg.Format == FormatColumns:
		appendColumns(b.Columns, f)
		b.Ends = append(b.Ends, 0)
		p.useful++
		return
	case p.cfg.Format == FormatText:
		b.Buf = p.prog.appendFast(b.Buf, f, notationText, p.samples)
	case p.prog.plain:
		b.Buf = appendJSON(b.Buf, f)
	default:
		b.Buf = p.prog.appendFast(b.Buf, f, notationJSON, p.samples)
	}
	if p.cfg.Geo != nil && p.cfg.Format != FormatLine {
		b.Buf = appendWhereabouts(b.Buf, f, p.cfg.Format)
	}
	b.Buf = append(b.Buf, p.cfg.Separator...)
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	switch {
	case !p.prog.Keyed():
	case p.prog.keyShared && p.samples != nil:
		b.Keys = append(b.Keys, p.samples.key)
	default:
		b.Keys = append(b.Keys, p.prog.keyOf(f))
	}
	p.useful++
}

// notation returns the notation of textual messages.
func (p *Producer) notation() notation {
	if p.cfg.Format == FormatText {
		return notationText
	}
	return notationJSON
}

// samplingOr returns the rate that the configuration sets for the exporter, else
// rate, or the configured default where it is unknown.
func (p *Producer) samplingOr(rate uint64) uint64 {
	if forced := p.forcedRate(); forced != 0 {
		return forced
	}
	if rate == 0 {
		return p.cfg.SamplingRate
	}
	return rate
}

// noProgram returns the program of an empty mapping.
func noProgram() *Program {
	p, _ := NewProgram(nil, Settings{}) // nothing in it can be wrong
	return p
}

// Stale reports that another program than the one that messages are made by is
// in force. The caller seals its batch, so that none holds messages of both,
// and calls Refresh.
func (p *Producer) Stale() bool { return p.prog != p.cfg.Programs.current.Load() }

// Refresh takes up the program in force.
func (p *Producer) Refresh() {
	p.prog = p.cfg.Programs.current.Load()
	p.recent.clear()
}
