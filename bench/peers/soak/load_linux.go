package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
)

const (
	// batchSize is how many datagrams a system call sends.
	batchSize = 64
	// maxPayload keeps sFlow datagrams whole on any Ethernet.
	maxPayload = 1472
	// churnIDs is how many templates of an exporter are redefined in turn.
	churnIDs = 4
	// churnDomain is the observation domain of those.
	churnDomain = 1 << 31
)

// load makes datagrams and sends them. run belongs to one goroutine; the counters
// may be read by any.
type load struct {
	o      options
	out    *sender
	gen    *workload.Generator
	rnd    *rand.Rand
	churns []uint32 // sequence numbers of the churn, by exporter

	sent, garbage, churned, restarted, flows atomic.Uint64
	byProtocol                               [workload.NumProtocols]atomic.Uint64
	late                                     atomic.Uint64 // datagrams that were due and never made
}

func newLoad(o options, port int) (*load, error) {
	gen, err := workload.New(workload.Config{
		Workload: "mix", Exporters: o.exporters, Seed: o.seed, StartNs: time.Now().UnixNano(), MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, err
	}
	out, err := newSender(port)
	if err != nil {
		return nil, err
	}
	return &load{
		o: o, out: out, gen: gen, rnd: rand.New(rand.NewPCG(o.seed, 0x736f616b)),
		churns: make([]uint32, o.exporters),
	}, nil
}

func (l *load) close() { l.out.close() }

// run sends until ctx is done.
func (l *load) run(ctx context.Context) error {
	began := time.Now()
	made, restarts := 0.0, 0.0
	var d workload.Datagram
	for ctx.Err() == nil {
		now := time.Now()
		seconds := now.Sub(began).Seconds()
		due := seconds*l.o.pps - made
		// What could not be sent in time is not sent in a burst.
		if most := l.o.pps / 10; due > most {
			l.late.Add(uint64(due - most))
			made += due - most
			due = most
		}
		if due < batchSize {
			time.Sleep(time.Duration((batchSize - due) / l.o.pps * 1e9))
			continue
		}
		l.gen.SetClock(now.UnixNano())
		for ; restarts < seconds*l.o.restarts; restarts++ {
			l.restarted.Add(uint64(l.gen.Restart(l.rnd.IntN(l.o.exporters))))
		}
		for range batchSize {
			switch p := l.rnd.Float64(); {
			case p < l.o.garbage:
				l.putGarbage()
			case p < l.o.garbage+l.o.churn:
				l.putChurn(now)
			default:
				l.gen.Next(&d)
				l.byProtocol[d.Protocol].Add(1)
				l.flows.Add(uint64(len(d.Flows)))
				l.out.put(workload.LoopbackAddr(d.Exporter), d.Payload)
			}
			made++
		}
		n, err := l.out.flush()
		l.sent.Add(uint64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// putGarbage adds what no exporter sends, from an address that none has.
func (l *load) putGarbage() {
	var b [200]byte
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], l.rnd.Uint64())
	}
	payload := b[:1+l.rnd.IntN(len(b)-1)]
	switch l.rnd.IntN(4) {
	case 0: // looks like something
		binary.BigEndian.PutUint16(b[:], []uint16{1, 5, 7, 9, 10}[l.rnd.IntN(5)])
	case 1: // sFlow
		copy(b[:], []byte{0, 0, 0, 5, 0, 0, 0, 1})
	}
	l.garbage.Add(1)
	l.out.put(netip.AddrFrom4([4]byte{127, byte(64 + l.rnd.IntN(64)), byte(l.rnd.Uint32()), byte(1 + l.rnd.IntN(250))}), payload)
}

// putChurn adds a NetFlow v9 message of an exporter that redefines a template.
func (l *load) putChurn(now time.Time) {
	exporter := l.rnd.IntN(l.o.exporters)
	b := binary.BigEndian.AppendUint16(nil, 9)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(now.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()))
	b = binary.BigEndian.AppendUint32(b, l.churns[exporter])
	b = binary.BigEndian.AppendUint32(b, churnDomain)
	l.churns[exporter]++
	fields := 3 + l.rnd.IntN(20)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(8+4*fields))
	b = binary.BigEndian.AppendUint16(b, uint16(256+l.rnd.IntN(churnIDs)))
	b = binary.BigEndian.AppendUint16(b, uint16(fields))
	for range fields {
		b = binary.BigEndian.AppendUint16(b, uint16(1+l.rnd.IntN(300)))
		b = binary.BigEndian.AppendUint16(b, uint16(1+l.rnd.IntN(8)))
	}
	l.churned.Add(1)
	l.out.put(workload.LoopbackAddr(exporter), b)
}
