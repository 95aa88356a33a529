package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"sync"
	"time"
)

// latencies reads length-delimited messages and notes how old each is when it
// arrives, by its time_received_ns.
type latencies struct {
	mu    sync.Mutex
	on    bool
	slots [2000]int // by logarithm: 100 a decade, from 100 ns
	n     int
}

// watch reads until the end of the stream.
func (l *latencies) watch(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<20)
	var buf []byte
	for {
		n, err := binary.ReadUvarint(in)
		if err != nil || n > 1<<20 {
			return
		}
		if uint64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return
		}
		if received := field(buf, 110); received != 0 {
			l.add(time.Now().UnixNano() - int64(received))
		}
	}
}

func (l *latencies) add(ns int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on {
		slot := int(100 * math.Log10(float64(max(ns, 100))/100))
		l.slots[min(slot, len(l.slots)-1)]++
		l.n++
	}
}

// set begins or ends counting.
func (l *latencies) set(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = on
}

// quantile returns the latency below which a share of the messages was.
func (l *latencies) quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := int(q * float64(l.n))
	for i, n := range l.slots {
		if left -= n; left < 0 {
			return time.Duration(100 * math.Pow(10, float64(i+1)/100))
		}
	}
	return 0
}

// field returns the value of an integer field of a message, 0 if it has none.
func field(b []byte, number uint64) uint64 {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0
		}
		b = b[n:]
		switch {
		case tag == number<<3:
			return v
		case tag&7 == 2 && v <= uint64(len(b)):
			b = b[v:]
		case tag&7 != 0:
			return 0
		}
	}
	return 0
}
