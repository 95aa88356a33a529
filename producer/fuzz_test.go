package producer_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// maxGrowth bounds what a byte of input may become: a JSON record is some 1100
// bytes and may come from a record of one byte, and a byte of a label stack or
// segment list is written as up to four bytes of text.
const maxGrowth = 1600

// FuzzDatagrams gives sequences of datagrams of several exporters, in the
// framing of unframe, to producers that keep their templates over a sequence.
// Fast and slow must agree on each record, and the ledger must add up.
func FuzzDatagrams(f *testing.F) {
	var all []byte
	for i, s := range scenarios() {
		var seq []byte
		for _, d := range s.datagrams {
			seq = frame(seq, byte(i), d)
			all = frame(all, byte(i), d)
		}
		f.Add(seq)
		// The same in another order and from another port, so that
		// templates come late.
		seq = nil
		for j := range s.datagrams {
			seq = frame(seq, byte(i)|0x80, s.datagrams[len(s.datagrams)-1-j])
		}
		f.Add(append(seq, frame(nil, byte(i), s.datagrams[0])...))
	}
	f.Add(all)
	for _, seq := range capturedSequences(f) {
		f.Add(seq)
	}
	f.Fuzz(func(t *testing.T, seq []byte) {
		if len(seq) > 32<<10 {
			t.Skip("longer than is worth the time")
		}
		w := newTwin(77)
		all := unframe(seq)
		for i, a := range all {
			if _, _, err := w.decode(a); err != nil {
				t.Fatalf("datagram %d of %d bytes from %v: %v\n%x", i, len(a.data), a.meta.Source, err, a.data)
			}
			if limit := maxGrowth * (len(a.data) + 1); len(w.jsonBatch.Buf) > limit || len(w.binBatch.Buf) > limit {
				t.Fatalf("datagram %d: %d bytes became %d as json, %d as bin", i, len(a.data), len(w.jsonBatch.Buf), len(w.binBatch.Buf))
			}
		}
		fuzzHeld(t, all)
		inPace(t, len(seq), func() time.Duration { return timeOf(t, all) })
	})
}

// fuzzHeld decodes the same with data held until its template comes, compared
// with the oracle; and with templates that expire and short limits of all kinds.
func fuzzHeld(t *testing.T, all []arrival) {
	h := newHolder(77, producer.NewHeld(producer.HeldLimits{Bytes: 16 << 20, Sets: 1 << 20, AgeNs: 1e9}), producer.NewStore(template.DefaultLimits()))
	for i, a := range all {
		if _, _, err := h.decode(a); err != nil {
			t.Fatalf("with data held, datagram %d of %d bytes from %v: %v\n%x", i, len(a.data), a.meta.Source, err, a.data)
		}
	}
	c := newChurner(template.Ports(len(all) % 3))
	for i, a := range all {
		if err := c.step(a.meta.Source, a.data, int64(len(a.data)%16)*1e8); err != nil {
			t.Fatalf("with short limits, datagram %d of %d bytes from %v: %v\n%x", i, len(a.data), a.meta.Source, err, a.data)
		}
	}
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
}

// capturedSequences returns the first datagrams of each capture at hand.
func capturedSequences(f *testing.F) [][]byte {
	dirs := []string{filepath.Join("..", "internal", "corpus", "testdata")}
	if dir := os.Getenv("WEIR_CORPUS"); dir != "" {
		dirs = append(dirs, filepath.Join(dir, "pcap"))
	} else {
		dirs = append(dirs, filepath.Join("..", "..", "shared", "corpus", "pcap"))
	}
	var all [][]byte
	for _, dir := range dirs {
		names, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
		for _, name := range names {
			var seq []byte
			for i, a := range capturedArrivals(f, name) {
				if i == 4 {
					break
				}
				seq = frame(seq, a.meta.Source.Addr().AsSlice()[3]<<1, a.data)
			}
			all = append(all, seq)
		}
	}
	return all
}
