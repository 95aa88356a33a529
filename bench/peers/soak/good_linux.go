package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// good is an exporter as others are, of which is known when each flow was sent and
// when the output had it.
type good struct {
	out   *sender
	pps   float64
	sent  atomic.Uint64
	times [1 << 20]atomic.Int64 // when a flow was sent, by its number

	// Of the reader.
	received  uint64
	latencies []time.Duration
}

// goodAddr is its address.
var goodAddr = netip.AddrFrom4([4]byte{127, 200, 0, 1})

// run sends NetFlow v5 datagrams of one flow, whose bytes are its number, until ctx is
// done.
func (g *good) run(ctx context.Context) error {
	began := time.Now()
	for n := uint64(0); ctx.Err() == nil; {
		due := time.Since(began).Seconds()*g.pps - float64(n)
		if due < 1 {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		for range min(int(due), batchSize) {
			b := words(5, 1)
			b = binary.BigEndian.AppendUint32(b, uint32(time.Since(began).Milliseconds()))
			b = binary.BigEndian.AppendUint32(b, uint32(time.Now().Unix()))
			b = binary.BigEndian.AppendUint32(b, 0)
			b = binary.BigEndian.AppendUint32(b, uint32(n))
			b = binary.BigEndian.AppendUint32(b, 0)
			b = append(b, make([]byte, 48)...)
			binary.BigEndian.PutUint32(b[24+16:], 1)
			binary.BigEndian.PutUint32(b[24+20:], uint32(n)|1<<31)
			g.times[n%uint64(len(g.times))].Store(time.Now().UnixNano())
			g.out.put(goodAddr, b)
			n++
		}
		sent, err := g.out.flush()
		g.sent.Add(uint64(sent))
		if err != nil {
			return fmt.Errorf("good exporter: %w", err)
		}
	}
	return nil
}

// FlowMessage's fields that are looked at.
const (
	fieldBytes   = 9
	fieldSampler = 11
)

// read reads the collector's output until it ends.
func (g *good) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open output: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	sampler := goodAddr.As4()
	var b []byte
	for {
		size, err := binary.ReadUvarint(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read output: %w", err)
		}
		b = slices.Grow(b[:0], int(size))[:size]
		if _, err := io.ReadFull(in, b); err != nil {
			return fmt.Errorf("read output: %w", err)
		}
		number, ours := uint64(0), false
		for m := b; len(m) > 0; {
			field, kind, n := protowire.ConsumeTag(m)
			if n < 0 {
				return fmt.Errorf("read output: %w", protowire.ParseError(n))
			}
			m = m[n:]
			switch {
			case field == fieldBytes && kind == protowire.VarintType:
				number, _ = protowire.ConsumeVarint(m)
			case field == fieldSampler && kind == protowire.BytesType:
				v, _ := protowire.ConsumeBytes(m)
				ours = string(v) == string(sampler[:])
			}
			if n = protowire.ConsumeFieldValue(field, kind, m); n < 0 {
				return fmt.Errorf("read output: %w", protowire.ParseError(n))
			}
			m = m[n:]
		}
		if ours {
			g.received++
			at := g.times[number&(1<<31-1)%uint64(len(g.times))].Load()
			g.latencies = append(g.latencies, time.Duration(time.Now().UnixNano()-at))
		}
	}
}

// quantile returns the latency that a share of the flows did not exceed.
func (g *good) quantile(q float64) time.Duration {
	if len(g.latencies) == 0 {
		return 0
	}
	slices.Sort(g.latencies)
	return g.latencies[min(int(q*float64(len(g.latencies))), len(g.latencies)-1)]
}
