package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// wireOverhead is what a datagram has on the wire in addition to its payload: IP and UDP
// headers.
const wireOverhead = 28

// adversary sends what costs a collector the most for each byte, from forged
// addresses, at a fixed rate: each operation of operations in turn, for a second each.
type adversary struct {
	out  *sender
	rate float64 // bits a second

	n    int // datagrams so far
	sent atomic.Uint64
	late atomic.Uint64 // bytes that were due and never sent
}

// operation makes the n-th datagram of a way to be expensive.
type operation struct {
	name string
	make func(n int) (from netip.Addr, payload []byte)
}

// operations are the worst of the adversary's table in bench/results.
var operations = []operation{
	{"sources that announce a template", func(n int) (netip.Addr, []byte) {
		return forged(n), ipfixMessage(1, 0, ipfixSet(2, words(256, 1, uint16(1+n%400), 4)))
	}},
	{"sources that announce a template and use it", func(n int) (netip.Addr, []byte) {
		return forged(n), ipfixMessage(1, 0, ipfixSet(2, words(256, 1, uint16(1+n%400), 4)), ipfixSet(256, []byte{0, 0, 0, 1}))
	}},
	{"sources with a number each", func(n int) (netip.Addr, []byte) { return forged(n), ipfixMessage(uint32(n), 0) }},
	{"domains at random of a source", func(n int) (netip.Addr, []byte) {
		return forged(n / 4090), ipfixMessage(uint32(n)*2654435761, uint32(n)*2246822519)
	}},
	{"sources of samples", func(n int) (netip.Addr, []byte) { return fixedSource(1), sflowSamples(uint32(n)) }},
	{"withdrawals of all templates", func(n int) (netip.Addr, []byte) {
		if n%64 < 52 { // 80 options templates each
			var b []byte
			for i := range 80 {
				b = append(b, words(uint16(300+(n%52)*80+i), 2, 1, 149, 4, 34, 4)...)
			}
			return fixedSource(2), ipfixMessage(1, 0, ipfixSet(3, b))
		}
		var b []byte
		for range 100 {
			b = append(b, words(256, 1, 8, 4, 2, 0)...)
		}
		return fixedSource(2), ipfixMessage(1, 0, ipfixSet(2, b))
	}},
	{"samplers of new domains", func(n int) (netip.Addr, []byte) {
		var b []byte
		for i := range 160 {
			b = binary.BigEndian.AppendUint32(b, uint32(n%6*160+i))
			b = binary.BigEndian.AppendUint32(b, 100)
		}
		return forged(n / 6), ipfixMessage(1, 0, ipfixSet(3, words(300, 2, 1, 302, 4, 34, 4)), ipfixSet(300, b))
	}},
	{"data without template", func(n int) (netip.Addr, []byte) {
		return forged(n), ipfixMessage(7, 0, ipfixSet(999, []byte{0, 0, 0, 1}))
	}},
	{"a template that comes and goes", func(n int) (netip.Addr, []byte) {
		if n%2 == 0 {
			return fixedSource(3), ipfixMessage(7, 0, ipfixSet(999, []byte{0, 0, 0, 1}))
		}
		return fixedSource(3), ipfixMessage(7, 0, ipfixSet(2, words(999, 1, 8, 4, 999, 1, 8, 0)))
	}},
	{"garbage", func(n int) (netip.Addr, []byte) { return forged(n), []byte("garbage") }},
}

// forged is the n-th of four million addresses that no exporter of the load has.
func forged(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(128 + n>>16&63), byte(n >> 8), byte(n)})
}

// fixedSource is one of a few others.
func fixedSource(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 200, 1, n}) }

func newAdversary(o options, port int) (*adversary, error) {
	out, err := newSender(port)
	if err != nil {
		return nil, err
	}
	return &adversary{out: out, rate: o.adversary * 1e6}, nil
}

// run sends until ctx is done.
func (a *adversary) run(ctx context.Context) error {
	began := time.Now()
	bits := 0.0
	for ctx.Err() == nil {
		elapsed := time.Since(began)
		due := elapsed.Seconds()*a.rate - bits
		if most := a.rate / 10; due > most { // what is late is not sent in a burst
			a.late.Add(uint64((due - most) / 8))
			bits += due - most
		}
		if due <= 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		op := &operations[int(elapsed/time.Second)%len(operations)]
		for range batchSize {
			from, payload := op.make(a.n)
			a.n++
			bits += 8 * float64(len(payload)+wireOverhead)
			a.out.put(from, payload)
		}
		n, err := a.out.flush()
		a.sent.Add(uint64(n))
		if err != nil {
			return fmt.Errorf("adversary: %w", err)
		}
	}
	return nil
}

func words(all ...uint16) []byte {
	var b []byte
	for _, w := range all {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func ipfixSet(id uint16, body []byte) []byte { return append(words(id, uint16(4+len(body))), body...) }

func ipfixMessage(domain, sequence uint32, sets ...[]byte) []byte {
	b := words(10, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(time.Now().Unix()))
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, domain)
	for _, s := range sets {
		b = append(b, s...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// sflowSamples is a datagram of 30 flow samples without records, of sources that
// nobody has seen.
func sflowSamples(n uint32) []byte {
	var b []byte
	u32 := func(all ...uint32) {
		for _, v := range all {
			b = binary.BigEndian.AppendUint32(b, v)
		}
	}
	u32(5, 1, 0x7f000001, 0, n, n, 30)
	for i := range uint32(30) {
		u32(1, 32, 1, (30*n+i)&0xffffff, 100, 100, 0, 1, 2, 0)
	}
	return b
}
