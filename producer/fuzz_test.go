package producer_test

import (
	"os"
	"path/filepath"
	"testing"
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
		for i, a := range unframe(seq) {
			if _, _, err := w.decode(a); err != nil {
				t.Fatalf("datagram %d of %d bytes from %v: %v\n%x", i, len(a.data), a.meta.Source, err, a.data)
			}
			if limit := maxGrowth * (len(a.data) + 1); len(w.jsonBatch.Buf) > limit || len(w.binBatch.Buf) > limit {
				t.Fatalf("datagram %d: %d bytes became %d as json, %d as bin", i, len(a.data), len(w.jsonBatch.Buf), len(w.binBatch.Buf))
			}
		}
	})
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
