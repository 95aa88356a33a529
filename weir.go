// Package weir decodes flow datagrams (NetFlow v1, v5, v7, v8, v9, IPFIX, sFlow v5) for
// Go programs that process flows themselves.
//
// A Decoder turns the payload of a datagram into flows:
//
//	d, err := weir.NewDecoder(weir.Options{})
//	...
//	flows, err := d.Decode(source, time.Now(), payload)
//
// It stores what exporters announce (templates, sampling rates), so a program needs one
// decoder for all exporters. Decoder.Walk visits the records as they are on the wire,
// including options data. A Receiver receives datagrams from UDP sockets and hands their
// flows to a function. The package has no global state: each decoder and receiver is independent.
//
// Programs that need the speed of the collector use package producer, on which this package
// is built: it appends messages to a batch and is not safe for concurrent use.
// docs/library.md lists what is stable from version to version.
package weir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// A Flow is one flow. Fields that a mapping adds are among its unknown fields
// (ProtoReflect().GetUnknown()), by the numbers that the mapping gives them.
type Flow = flowpb.FlowMessage

// Options configure a Decoder. The zero value is usable.
type Options struct {
	// Mapping is a mapping file in goflow2's form; nil for none. NewDecoder reads it to
	// its end.
	Mapping io.Reader
	// SamplingRate is the rate of flows whose exporter announced none.
	SamplingRate uint64
	// Compat makes weir write goflow2's values where its own differ on purpose.
	Compat bool
	// Limits bounds the memory of templates and samplers. The zero value means
	// template.DefaultLimits.
	Limits template.Limits
	// Ports selects whether the source port is part of an exporter's identity. The zero
	// value, template.PortsOff, stores templates by address only.
	Ports template.Ports
	// Pending bounds the data that waits for its template, see Decoder.Decode. The zero
	// value disables waiting.
	Pending producer.HeldLimits
	// Storage keeps templates and sampling rates over restarts; nil disables it.
	Storage Storage
	// Observer receives the result of each datagram; nil disables it.
	Observer Observer
}

// An Observer receives the result of each datagram, for the metrics of the program. The
// goroutines that decode call it, concurrently, before Decode returns.
type Observer interface {
	// Decoded reports one datagram: its protocol, the number of its flows, and the first
	// fault in it, nil for none.
	Decoded(source netip.AddrPort, protocol producer.Protocol, flows int, err *Error)
}

// A Decoder decodes the datagrams of any number of exporters. It is safe for use by many
// goroutines. Calls for the same exporter address run one after the other.
type Decoder struct {
	notes    []string
	store    *producer.TemplateStore
	held     *producer.Held
	observer Observer
	storage  Storage
	saved    uint64 // changes of the store at the last save; under saving
	saving   sync.Mutex
	seed     maphash.Seed
	workers  []worker
}

// worker is a producer with its batch. One goroutine uses it at a time. All datagrams of an
// exporter address use the same worker, so that pending data and its template meet.
type worker struct {
	mu    sync.Mutex
	p     *producer.Producer
	batch *producer.Batch
}

// NewDecoder returns a decoder. The error lists all faults of the mapping, each with its
// line, or reports that Options.Storage could not be read.
func NewDecoder(o Options) (*Decoder, error) {
	var text []byte
	if o.Mapping != nil {
		var err error
		if text, err = io.ReadAll(o.Mapping); err != nil {
			return nil, fmt.Errorf("read mapping: %w", err)
		}
	}
	program, notes, err := mapping.Parse("mapping", text, producer.Settings{Compat: o.Compat})
	if err != nil {
		return nil, fmt.Errorf("compile mapping: %w", err)
	}
	if o.Limits == (template.Limits{}) {
		o.Limits = template.DefaultLimits()
	}
	d := &Decoder{
		notes: notes,
		store: producer.NewStore(o.Limits), held: producer.NewHeld(o.Pending), observer: o.Observer, storage: o.Storage,
		seed: maphash.MakeSeed(), workers: make([]worker, 2*runtime.GOMAXPROCS(0)),
	}
	d.store.UsePorts(o.Ports)
	if err := d.load(); err != nil {
		return nil, err
	}
	programs := producer.NewPrograms(program)
	for i := range d.workers {
		d.workers[i].batch = producer.NewBatch(i, 4<<10)
		d.workers[i].p = producer.New(producer.Config{
			Format: producer.FormatBin, SamplingRate: o.SamplingRate, Programs: programs, Held: d.held, IgnoreWithdrawals: true,
		}, d.store)
	}
	return d, nil
}

// Notes returns remarks about the mapping, a line each: settings that goflow2 ignores, and
// built-in fields that the mapping replaces.
func (d *Decoder) Notes() []string { return d.notes }

// workerOf returns the worker of an address.
func (d *Decoder) workerOf(a netip.Addr) *worker {
	b := a.As16()
	return &d.workers[maphash.Bytes(d.seed, b[:])%uint64(len(d.workers))]
}

// Decode decodes the payload of a datagram from source. The caller owns the flows; payload
// is not retained.
//
// The error is an *Error. Decode can return flows and an error: a fault in one part of a
// datagram does not affect the others. Data whose template is unknown causes
// ErrTemplateMissing. With Options.Pending such data waits (Error.Waits); a later Decode of
// the same exporter returns its flows, once the template has arrived.
func (d *Decoder) Decode(source netip.AddrPort, received time.Time, payload []byte) ([]*Flow, error) {
	var flows []*Flow
	err := d.decode(source, received, payload, func(messages []byte) error {
		for len(messages) > 0 {
			size, n := binary.Uvarint(messages)
			if n <= 0 || size > uint64(len(messages)-n) {
				return errMessage
			}
			f := &Flow{}
			if err := proto.Unmarshal(messages[n:n+int(size)], f); err != nil {
				return err
			}
			flows, messages = append(flows, f), messages[n+int(size):]
		}
		return nil
	})
	return flows, err
}

// errMessage reports a fault of the producer.
var errMessage = errors.New("message without its length")

// Append is like Decode, but appends the flows to dst as length-delimited protobuf messages
// and returns their number.
func (d *Decoder) Append(dst []byte, source netip.AddrPort, received time.Time, payload []byte) (b []byte, flows int, err error) {
	err = d.decode(source, received, payload, func(messages []byte) error {
		dst = append(dst, messages...)
		for len(messages) > 0 {
			size, n := binary.Uvarint(messages)
			if n <= 0 || size > uint64(len(messages)-n) {
				return errMessage
			}
			flows, messages = flows+1, messages[n+int(size):]
		}
		return nil
	})
	return dst, flows, err
}

// decode decodes a datagram and calls use with the messages, which are valid until use
// returns.
func (d *Decoder) decode(source netip.AddrPort, received time.Time, payload []byte, use func(messages []byte) error) error {
	source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
	meta := producer.Meta{Source: source, ReceivedNs: received.UnixNano()}
	w := d.workerOf(source.Addr())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch.Reset()
	res := w.p.Datagram(w.batch, meta, payload)
	released := 0
	if w.p.Holds() {
		w.p.Expire(meta.ReceivedNs, nil)
		count := func(r *producer.Released) { released += r.Records }
		for w.p.Release(w.batch, len(w.batch.Buf)+producer.DefaultBatchSize, count) {
		}
	}
	var fault *Error
	if res.Reason != producer.ReasonNone || res.Held {
		fault = &Error{Source: source, Protocol: res.Protocol, Reason: res.Reason, Decoded: res.Decoded, Waits: res.Held}
		if res.Held && res.Reason == producer.ReasonNone {
			fault.Reason = producer.ReasonTemplateMissing
		}
	}
	if d.observer != nil {
		d.observer.Decoded(source, res.Protocol, res.Records+released, fault)
	}
	if err := use(w.batch.Buf); err != nil {
		return fmt.Errorf("read flows of %v: %w", source, err)
	}
	if fault != nil {
		return fault // never a nil *Error in an error
	}
	return nil
}

// Counters returns the totals of all that was decoded.
func (d *Decoder) Counters() producer.Counters {
	var all producer.Counters
	for i := range d.workers {
		w := &d.workers[i]
		w.mu.Lock()
		all.Add(&w.p.Counters)
		w.mu.Unlock()
	}
	return all
}

// Close drops the data that waits for its template and saves to Options.Storage. Do not
// use the decoder after Close.
func (d *Decoder) Close() error {
	for i := range d.workers {
		w := &d.workers[i]
		w.mu.Lock()
		w.p.Abandon(nil)
		w.mu.Unlock()
	}
	return d.Save()
}

// A Fault is the reason why a datagram, or a part of one, could not be decoded. Compare
// with it by errors.Is. docs/errors.md lists all reasons.
type Fault producer.Reason

// Faults that programs often tell apart.
const (
	ErrUnknownVersion  = Fault(producer.ReasonUnknownVersion)
	ErrShortHeader     = Fault(producer.ReasonShortHeader)
	ErrTemplateMissing = Fault(producer.ReasonTemplateMissing)
)

// Error returns the name of the reason. Names are stable.
func (f Fault) Error() string { return producer.Reason(f).String() }

// Error describes the first fault in a datagram. It wraps a Fault.
type Error struct {
	Source   netip.AddrPort
	Protocol producer.Protocol
	Reason   producer.Reason
	// Decoded reports that other parts of the datagram were decoded.
	Decoded bool
	// Waits reports that data of the datagram waits for its template.
	Waits bool
}

// Error returns source, protocol and reason.
func (e *Error) Error() string {
	what := "decode " + e.Protocol.String() + " datagram of " + e.Source.String() + ": " + e.Reason.String()
	switch {
	case e.Waits:
		return what + ": waits for it"
	case e.Decoded:
		return what + ": the rest is decoded"
	}
	return what
}

// Unwrap returns the Fault.
func (e *Error) Unwrap() error { return Fault(e.Reason) }

// A Storage keeps the templates and sampling rates of a decoder over restarts. One
// goroutine at a time calls its methods.
type Storage interface {
	// Load returns what Save stored last, or nothing.
	Load() ([]byte, error)
	// Save replaces what is stored. It must not retain the slice.
	Save([]byte) error
}

// load reads the storage.
func (d *Decoder) load() error {
	if d.storage == nil {
		return nil
	}
	b, err := d.storage.Load()
	if err != nil {
		return fmt.Errorf("load templates: %w", err)
	}
	if len(b) > 0 {
		if err := state.Read(bytes.NewReader(b), int64(len(b)), d.sections()); err != nil {
			return fmt.Errorf("load templates: %w", err)
		}
	}
	d.saved = d.store.Changes()
	return nil
}

// Save saves templates and sampling rates to Options.Storage if they changed. Call it
// periodically if the program can end without Close; a Receiver does.
func (d *Decoder) Save() error {
	if d.storage == nil {
		return nil
	}
	d.saving.Lock()
	defer d.saving.Unlock()
	changes := d.store.Changes()
	if changes == d.saved {
		return nil
	}
	var b bytes.Buffer
	if err := state.Write(&b, d.sections(), time.Now()); err != nil {
		return fmt.Errorf("save templates: %w", err)
	}
	if err := d.storage.Save(b.Bytes()); err != nil {
		return fmt.Errorf("save templates: %w", err)
	}
	d.saved = changes
	return nil
}

func (d *Decoder) sections() []state.Section {
	return []state.Section{state.Templates(d.store, slog.New(slog.DiscardHandler))}
}

// FromProducer converts a flow of package producer.
func FromProducer(f *producer.Flow) (*Flow, error) {
	b := producer.AppendDelimited(nil, f)
	_, n := binary.Uvarint(b)
	m := &Flow{}
	if err := proto.Unmarshal(b[n:], m); err != nil {
		return nil, fmt.Errorf("read flow: %w", err)
	}
	return m, nil
}

// ToProducer converts a flow for package producer, for example for producer.AppendJSON.
// Unknown fields are lost. The result does not share memory with m.
func ToProducer(m *Flow) (*producer.Flow, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write flow: %w", err)
	}
	f, ok := new(producer.Parser).Parse(b)
	if !ok {
		return nil, errors.New("read flow: not a flow")
	}
	return f, nil
}
