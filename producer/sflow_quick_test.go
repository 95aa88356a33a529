package producer_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// edges are numbers at which varints change their length.
var edges = []uint32{0, 1, 0x7f, 0x80, 0xff, 0x3fff, 0x4000, 0xffff, 0x1_0000, 1<<21 - 1, 1 << 21, 1<<28 - 1, 1 << 28, 1<<31 - 1, 1 << 31, 1<<32 - 1}

func anyNumber(r *rand.Rand) uint32 {
	if r.IntN(2) == 0 {
		return edges[r.IntN(len(edges))]
	}
	return r.Uint32() >> r.IntN(32)
}

// twoWays decodes the same datagrams as the machine does it best and in Go alone.
type twoWays struct {
	p       [2]*producer.Producer
	batch   [2]*producer.Batch
	in, out []byte // memory with a guard behind it
	bin     bool
}

func newTwoWays(tb testing.TB, cfg producer.Config) *twoWays {
	w := &twoWays{in: guardedRoom(tb, 64<<10), out: guardedRoom(tb, 64<<10), bin: cfg.Format == producer.FormatBin}
	for i := range w.p {
		w.p[i] = producer.New(cfg, producer.NewStore(template.DefaultLimits()))
		w.batch[i] = producer.NewBatch(0, 1<<10)
	}
	return w
}

// differ decodes a datagram, the best way right before a guard and into a batch
// that has room bytes before another, and tells what is not the same both ways.
func (w *twoWays) differ(meta producer.Meta, datagram []byte, room int) error {
	data := w.in[len(w.in)-len(datagram):]
	copy(data, datagram)
	w.batch[0].Reset()
	w.batch[0].Buf = w.out[len(w.out)-room:][:0]
	w.batch[1].Reset()
	var res [2]producer.Result
	res[0] = w.p[0].Datagram(w.batch[0], meta, data)
	producer.InGo(func() { res[1] = w.p[1].Datagram(w.batch[1], meta, datagram) })
	if err := sameBatches(w.batch[0], w.batch[1], w.bin); err != nil {
		return err
	}
	if res[0] != res[1] {
		return fmt.Errorf("results %+v and %+v", res[0], res[1])
	}
	a, b := *w.p[0].Facts(), *w.p[1].Facts()
	if !slices.Equal(a.Samples, b.Samples) {
		return fmt.Errorf("facts of samples %+v and %+v", a.Samples, b.Samples)
	}
	if !a.Numbered { // a view of a datagram before
		a.Agent, b.Agent = nil, nil
	}
	if a.Samples, b.Samples = nil, nil; !reflect.DeepEqual(a, b) {
		return fmt.Errorf("facts %+v and %+v", a, b)
	}
	if a, b := w.p[0].Tally(), w.p[1].Tally(); !reflect.DeepEqual(a, b) {
		return fmt.Errorf("tallies %+v and %+v", a, b)
	}
	one, two := w.p[0].Counters, w.p[1].Counters
	clear(one.Encoded[:]) // the ways have paths of their own
	clear(two.Encoded[:])
	if !reflect.DeepEqual(one, two) {
		return fmt.Errorf("counters %+v and %+v", one, two)
	}
	return nil
}

// TestQuickSamples compares what is written of random sFlow datagrams where the
// CPU has the instructions for it with what is written in Go: messages, facts and
// counts, with memory after the datagram and after the batch that may not be
// touched.
func TestQuickSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for i, cfg := range []producer.Config{
		{Format: producer.FormatBin},
		{Format: producer.FormatBin, SamplingRate: 1<<32 - 1},
		{Format: producer.FormatBin, SamplingRate: 1 << 32},
		{Format: producer.FormatBin, Separator: []byte("\n")},
		{Format: producer.FormatBin, Separator: []byte("12345678")},
		{Format: producer.FormatBin, Separator: []byte("123456789")},
		{Format: producer.FormatBin, Programs: program(t, nil, producer.Settings{Hash: []string{"sampler_address"}})},
		{Format: producer.FormatBin, Programs: program(t, nil, producer.Settings{Hash: []string{"src_addr", "in_if"}})},
		{Format: producer.FormatJSON},
	} {
		w := newTwoWays(t, cfg)
		for n := range rounds(5000) {
			meta := producer.Meta{Source: v4source, ReceivedNs: []int64{receivedNs, receivedNs, 0, 1, 1<<63 - 1}[r.IntN(5)]}
			switch r.IntN(10) {
			case 0:
				meta.Override = &producer.Override{Rate: uint64(anyNumber(r))}
			case 1:
				meta.Override = &producer.Override{Interfaces: map[uint32]uint64{1: 7}}
			}
			d := anySamples(r)
			if n%2 == 0 { // faults here and there
				for range 1 + r.IntN(3) {
					at := 24 + r.IntN(len(d)-24)
					d[at] = []byte{0, 1, 2, 0x45, 0x60, 0xff, d[at] + 1, d[at] - 1, byte(r.Uint32())}[r.IntN(9)]
				}
				if r.IntN(4) == 0 {
					d = d[:r.IntN(len(d))]
				}
			}
			if err := w.differ(meta, d, r.IntN(6000)); err != nil {
				t.Fatalf("configuration %d, datagram %x: %v", i, d, err)
			}
		}
	}
}

// FuzzSamples does the same with any sFlow datagram.
func FuzzSamples(f *testing.F) {
	r := rand.New(rand.NewPCG(33, 34))
	for range 50 {
		f.Add(anySamples(r), uint16(r.Uint32()))
	}
	w := newTwoWays(f, producer.Config{Format: producer.FormatBin})
	f.Fuzz(func(t *testing.T, d []byte, room uint16) {
		if len(d) > 4<<10 || producer.Detect(d) != producer.ProtocolSFlow {
			t.Skip("longer than is worth the time, or another protocol")
		}
		if err := w.differ(producer.Meta{Source: v4source, ReceivedNs: receivedNs}, d, int(room)); err != nil {
			t.Fatal(err)
		}
	})
}

// anySamples returns an sFlow datagram, most of whose samples are of the usual
// kind, with all that they may have in any order and numbers of all sizes.
func anySamples(r *rand.Rand) []byte {
	var samples [][]byte
	for range 1 + r.IntN(9) {
		records := [][]byte{anyHeader(r)}
		for _, record := range []func(*rand.Rand) []byte{anySwitch, anyRouter, anyGateway, anyOther} {
			if r.IntN(3) > 0 {
				records = append(records, record(r))
			}
		}
		if r.IntN(12) == 0 {
			records = append(records, records[r.IntN(len(records))])
		}
		if r.IntN(3) == 0 {
			r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		}
		count := uint32(len(records))
		if r.IntN(20) == 0 {
			count += r.Uint32N(3) - 1
		}
		body := slices.Concat(records...)
		if r.IntN(20) == 0 { // the last record without its padding
			body = append(body, tagged(77, make([]byte, 1+r.IntN(3)))...)
			body, count = body[:len(body)-r.IntN(4)], count+1
		}
		switch r.IntN(8) {
		case 0:
			head := u32(nil, r.Uint32(), r.Uint32N(3), anyNumber(r), anyNumber(r), 1, 0, r.Uint32N(3), anyNumber(r), 0, anyNumber(r), count)
			samples = append(samples, tagged(3, append(head, body...)))
		case 1:
			samples = append(samples, counterSample())
			fallthrough
		default:
			head := u32(nil, r.Uint32(), anyNumber(r), anyNumber(r), 1, 0, anyNumber(r), anyNumber(r), count)
			samples = append(samples, tagged(1, append(head, body...)))
		}
	}
	d := sflowDatagram(samples...)
	if r.IntN(20) == 0 {
		binary.BigEndian.PutUint32(d[24:], anyNumber(r))
	}
	return d
}

func anyHeader(r *rand.Rand) []byte {
	frame := anyFrame(r)
	protocol, length := uint32(1), uint32(len(frame))
	if r.IntN(20) == 0 {
		protocol = 11 + r.Uint32N(4)
	}
	if r.IntN(20) == 0 {
		length = anyNumber(r)
	}
	return tagged(1, append(u32(nil, protocol, anyNumber(r), 4, length), frame...))
}

// anyFrame is randomFrame with MAC addresses, ports and others that are small.
func anyFrame(r *rand.Rand) []byte {
	frame := randomFrame(r)
	for range r.IntN(4) {
		if len(frame) > 54 {
			at := []int{0, 6, 14, 18, 22, 34, 38, 46, 50}[r.IntN(9)]
			copy(frame[at:], make([]byte, 1+r.IntN(6)))
		}
	}
	if len(frame) > 21 && r.IntN(2) == 0 { // plain again
		switch at := 12; {
		case frame[at] == 8:
			frame[14], frame[20], frame[21] = 0x45, frame[20]&0xe0, 0
		case frame[at] == 0x86:
			frame[14] = 0x60 | frame[14]&15
		}
	}
	return frame
}

func anySwitch(r *rand.Rand) []byte {
	return tagged(1001, u32(nil, anyNumber(r), anyNumber(r), anyNumber(r), anyNumber(r)))
}

// anyAddress returns an address, mostly of a type that there is.
func anyAddress(r *rand.Rand) []byte {
	switch r.IntN(16) {
	case 0:
		return u32(nil, 0)
	case 1:
		return u32(nil, 3, r.Uint32())
	case 2, 3, 4:
		return u32(nil, 2, anyNumber(r), anyNumber(r), anyNumber(r), anyNumber(r))
	}
	return u32(nil, 1, anyNumber(r))
}

func anyRouter(r *rand.Rand) []byte {
	return tagged(1002, u32(anyAddress(r), anyNumber(r), anyNumber(r)))
}

func anyGateway(r *rand.Rand) []byte {
	b := u32(anyAddress(r), anyNumber(r), anyNumber(r), anyNumber(r))
	list := func() {
		n := r.IntN(4)
		if r.IntN(6) == 0 {
			n = r.IntN(140)
		}
		b = u32(b, uint32(n))
		for range n {
			b = u32(b, anyNumber(r))
		}
	}
	segments := r.Uint32N(4)
	b = u32(b, segments)
	for range segments {
		b = u32(b, 2)
		list()
	}
	list()
	if r.IntN(20) > 0 {
		b = u32(b, 100)
	}
	return tagged(1003, b)
}

// anyOther returns a record that has nothing for a flow, or more of it than the
// usual kind of sample.
func anyOther(r *rand.Rand) []byte {
	format := []uint32{1012, 0x1234_0001, 5, 1000, 1004}[r.IntN(5)]
	if r.IntN(10) == 0 {
		format = 2 + r.Uint32N(3)
	}
	return tagged(format, make([]byte, r.IntN(40)))
}
