package corpus

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/producer"
)

// maxGrowth bounds what a byte of a datagram may become as protobuf: a record
// of one byte is a message of less than 100 bytes, and a byte of a label stack
// or of a list becomes a few.
const maxGrowth = 200

// mutatedDatagrams is how many datagrams of each capture are damaged, unless
// WEIR_EXHAUSTIVE is set.
const mutatedDatagrams = 16

// TestDamaged cuts datagrams of every capture at every byte, and turns every byte of
// them over, and decodes the result as that of another exporter, together with the true
// one. Nothing must come of it but what is counted: no panic, no output that is
// not bounded by the datagram's length, and no change in what the true exporter's
// datagrams give.
func TestDamaged(t *testing.T) {
	dir := corpusDir(t)
	limit, stride := mutatedDatagrams, 1
	switch {
	case os.Getenv("WEIR_EXHAUSTIVE") != "":
		limit = 1 << 30
	case raceDetector || testing.Short():
		stride = 7
	}
	for _, c := range index(t, dir) {
		t.Run(c.name, func(t *testing.T) {
			list, _, err := capture.Load(filepath.Join(dir, "pcap", c.name+".pcap"))
			if err != nil && len(list) == 0 {
				t.Skipf("no datagrams: %v", err)
			}
			newDamage(list).run(t, min(limit, len(list)), stride)
		})
	}
}

// damage decodes true datagrams with one producer and damaged ones with another,
// both with the same templates store.
type damage struct {
	list         []capture.Datagram
	want         [][]byte // what each datagram gives when nothing is damaged
	good, bad    *producer.Producer
	batch, other *producer.Batch
	spoofed      netip.AddrPort
}

func newProducers(n int) []*producer.Producer {
	store := producer.NewStore(template.DefaultLimits())
	all := make([]*producer.Producer, n)
	for i := range all {
		all[i] = producer.New(producer.Config{Format: producer.FormatBin}, store)
	}
	return all
}

func newDamage(list []capture.Datagram) *damage {
	alone := newProducers(1)[0]
	pair := newProducers(2)
	d := &damage{
		list: list, good: pair[0], bad: pair[1],
		batch: producer.NewBatch(0, 64<<10), other: producer.NewBatch(1, 64<<10),
		spoofed: netip.MustParseAddrPort("[2001:db8::bad]:4739"),
	}
	for _, dg := range list {
		d.want = append(d.want, bytes.Clone(give(alone, d.batch, dg.Src, dg.Payload)))
	}
	return d
}

// give decodes a datagram that came at a fixed time and returns the messages,
// which the batch holds. It empties the batch by hand: Reset overwrites all of its
// memory in test builds, which takes longer than the decoding.
func give(p *producer.Producer, b *producer.Batch, src netip.AddrPort, data []byte) []byte {
	b.Buf, b.Ends = b.Buf[:0], b.Ends[:0]
	p.Datagram(b, producer.Meta{Source: src, ReceivedNs: 1e18}, data)
	return b.Buf
}

func (d *damage) run(t *testing.T, n, stride int) {
	var buf []byte
	for i, dg := range d.list[:n] {
		give(d.bad, d.other, d.spoofed, dg.Payload) // its templates
		for at := 0; at < len(dg.Payload); at += stride {
			d.try(t, i, at, dg.Payload[:at])
			buf = append(buf[:0], dg.Payload...)
			buf[at] ^= 0xff
			d.try(t, i, at, buf)
		}
		if got := give(d.good, d.batch, dg.Src, dg.Payload); !bytes.Equal(got, d.want[i]) {
			t.Fatalf("datagram %d gives %d bytes together with damaged ones of another exporter, else %d", i, len(got), len(d.want[i]))
		}
	}
	c := &d.bad.Counters
	if all, ended := producer.Sum(c.Datagrams[:]), producer.Sum(c.Decoded[:])+producer.Sum(c.Failed[:]); all != ended {
		t.Errorf("%d datagrams, %d of them decoded or failed", all, ended)
	}
}

// try decodes damaged bytes, cut or changed at an offset of datagram i.
func (d *damage) try(t *testing.T, i, at int, data []byte) {
	if got := give(d.bad, d.other, d.spoofed, data); len(got) > maxGrowth*(len(data)+1) {
		t.Fatalf("datagram %d, damaged at %d: %d bytes became %d", i, at, len(data), len(got))
	}
}
