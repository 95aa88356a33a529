package collector

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
	"github.com/weirflow/weir/sink"
)

// adversary is somebody on the network: it sends datagrams to workers as the sources
// of workers do, from any address, and does nothing else. Workers share all that
// those of a collector do.
type adversary struct {
	workers []*Worker
	store   *producer.TemplateStore
	table   *Exporters
	nowNs   int64
	since   int // datagrams since the workers looked after their other duties
}

// adversaryConfig says what the adversary meets. What is zero has the default of weir.
type adversaryConfig struct {
	workers   int
	templates template.Limits
	pending   producer.HeldLimits
	exporters int
	names     int
	rate      int
	ports     template.Ports
	withdraw  bool // withdrawals count, as over TCP
	errors    bool
	// optionNames is the room for names of options data in bytes, which are joined to all
	// flows; 0 for none.
	optionNames int64
}

func (c adversaryConfig) limits() *TableLimits {
	l := &TableLimits{
		Templates: c.templates, Pending: c.pending, Exporters: c.exporters, Names: c.names,
		Workers: c.workers, Errors: c.errors, OptionNames: c.optionNames,
	}
	if l.Templates.Domains == 0 {
		l.Templates = template.DefaultLimits()
	}
	if l.Pending.Bytes == 0 {
		l.Pending = producer.HeldLimits{Bytes: 64 << 20, Sets: 100_000, AgeNs: 10e9}
	}
	if l.Exporters == 0 {
		l.Exporters = DefaultMaxExporters
	}
	l.Workers = max(l.Workers, 1)
	return l
}

func newAdversary(tb testing.TB, c adversaryConfig) *adversary {
	tb.Helper()
	l := c.limits()
	a := &adversary{
		store: producer.NewStore(l.Templates),
		table: NewExporterTable(ExportersConfig{Max: l.Exporters}),
		nowNs: time.Now().UnixNano(),
	}
	a.store.UsePorts(c.ports)
	var goflow2Names *Goflow2Names
	if c.names > 0 {
		goflow2Names = NewGoflow2Names(c.names)
	}
	var optionNames *names.Table
	if c.optionNames > 0 {
		optionNames = names.NewTable(c.optionNames)
	}
	room := producer.NewHeld(l.Pending)
	var samples *ErrorSamples
	if c.errors {
		samples = NewErrorSamples(tb.TempDir(), 1<<30, retain.Limits{}, a.store, slog.New(slog.DiscardHandler))
		tb.Cleanup(samples.Close)
	}
	for i := range l.Workers {
		w, err := NewWorker(i, Config{BatchSize: producer.DefaultBatchSize, Linger: 1e9}, Parts{
			CPU: -1, Lane: sink.NewLane(i, 4, producer.DefaultBatchSize), Notify: func() {},
			Exporters: a.table, Gate: NewGate(NewAdmission(nil, nil, c.rate)), Errors: samples, Names: goflow2Names,
			Producer: producer.New(producer.Config{
				Format: producer.FormatBin, Held: room, IgnoreWithdrawals: !c.withdraw,
				Names: optionNames, Join: 1<<names.NumKinds - 1,
			}, a.store),
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(w.Close)
		a.workers = append(a.workers, w)
	}
	return a
}

// packet is a datagram with its source, and the worker that receives it.
type packet struct {
	from   netip.AddrPort
	data   []byte
	worker int
}

// send has a worker receive a datagram.
func (a *adversary) send(p *packet) {
	a.nowNs += 1000
	w := a.workers[p.worker]
	w.datagram(&udp.Datagram{Src: p.from, Payload: p.data, ReceivedNs: a.nowNs})
	if a.since++; a.since >= 64 {
		a.turn()
	}
}

// turn has the workers look after their other duties, and empties their batches.
func (a *adversary) turn() {
	a.since = 0
	for _, w := range a.workers {
		w.tend(64)
		for {
			b, ok := w.lane.Full.Pop()
			if !ok {
				break
			}
			b.Reset()
			w.lane.Empty.Push(b)
		}
	}
}

// forged returns the i-th of sixteen million sources.
func forged(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 2055)
}

// ported returns one source with the i-th of its ports.
func ported(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{12, 0, 0, 1}), uint16(1+i%65535))
}

// be appends numbers of 16 bits.
func be(b []byte, words ...uint16) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

// dataSet returns a set.
func dataSet(id uint16, body ...byte) []byte {
	return append(be(nil, id, uint16(4+len(body))), body...)
}

// message returns an IPFIX message of sets.
func message(domain, sequence uint32, sets ...[]byte) []byte {
	b := be(nil, 10, 0)
	b = binary.BigEndian.AppendUint32(b, 1_700_000_000)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, domain)
	for _, s := range sets {
		b = append(b, s...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// templates returns a set of n templates with one field each, from an id on; field
// makes them differ.
func templates(id uint16, n int, field uint16) []byte {
	var b []byte
	for i := range n {
		b = be(b, id+uint16(i), 1, field, 4)
	}
	return dataSet(2, b...)
}

// optionsTemplates is the same of options templates: a scope and a field.
func optionsTemplates(id uint16, n int, field uint16) []byte {
	var b []byte
	for i := range n {
		b = be(b, id+uint16(i), 2, 1, 149, 4, field, 4)
	}
	return dataSet(3, b...)
}

// wide returns a set of a template of so many fields of a byte.
func wide(id uint16, fields int, field uint16) []byte {
	b := be(nil, id, uint16(fields))
	for i := range fields {
		b = be(b, (field+uint16(i))%0x7fff, 1)
	}
	return dataSet(2, b...)
}

// samplerOptions is an options template with a sampler and its rate; rate is a
// record of it.
var samplerOptions = dataSet(3, be(nil, 300, 2, 1, 302, 4, 34, 4)...)

// nameOptions is an options template with an interface and its name; nameOf is a record of
// it.
var nameOptions = dataSet(3, be(nil, 301, 2, 1, 10, 4, 82, 8)...)

func nameOf(index uint32, i int) []byte {
	return fmt.Appendf(binary.BigEndian.AppendUint32(nil, index), "if%06d", i%1_000_000)
}

func rate(sampler, rate uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, sampler), rate)
}

// flowSamples is an sFlow datagram of n flow samples without records, of as many
// sources.
func flowSamples(sequence uint32, n int, number, source, step uint32) []byte {
	var b []byte
	u32 := func(v ...uint32) {
		for _, v := range v {
			b = binary.BigEndian.AppendUint32(b, v)
		}
	}
	u32(5, 1, 0x0a000001, 0, sequence, sequence*10, uint32(n))
	for i := range n {
		u32(1, 32, number, source+uint32(i)*step, 100, number*100, 0, 1, 2, 0)
	}
	return b
}

// age makes exporters that send all the time established: it passes minutes for the
// table's sweep, which is what a collector does once a second.
func (a *adversary) age(live func()) {
	for range 3 {
		a.table.Sweep(time.Unix(0, a.nowNs), sequence.Network)
		a.nowNs += 100e9
		live()
	}
	a.table.Sweep(time.Unix(0, a.nowNs), sequence.Network)
}
