package producer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// amplifier is a datagram that may become more than its bytes: data of a template,
// or samples, after what it needs.
type amplifier struct {
	name  string
	first []byte // the template, nil if it needs none
	data  []byte
}

// newAmplifier makes one of about size bytes.
func newAmplifier(rnd *rand.Rand, size int) *amplifier {
	pick := func(of ...uint16) uint16 { return of[rnd.IntN(len(of))] }
	version := pick(9, 10)
	fields := int(pick(1, 1, 1, 2, 3, 4, 8, 16, 100, 900))
	lengths := [][]uint16{{1}, {0, 1}, {0, 0, 0, 8}, {1, 2}, {4}, {8}, {2, 4, 8}, {16}, {0xffff}, {0, 0xffff}, {0xffff, 1}}[rnd.IntN(11)]
	least := 0
	spec := []byte{}
	options := rnd.IntN(8) == 0
	for i := range fields {
		id, length := pick(1, 2, 4, 5, 7, 8, 10, 12, 15, 18, 21, 22, 27, 34, 48, 50, 56, 61, 70, 71, 72, 80, 82, 89, 95, 104, 130, 145, 150, 153, 160, 225, 231, 239, 291, 292, 293, 302, 305, 313, 315, 371, 400, 1000), lengths[rnd.IntN(len(lengths))]
		if version == 9 && length == 0xffff {
			length = 1
		}
		if i == fields-1 && least == 0 && length == 0 {
			length = 1
		}
		if length == 0xffff {
			least++
		} else {
			least += int(length)
		}
		if version == 10 && rnd.IntN(4) == 0 { // of the reverse direction (RFC 5103)
			spec = u32(u16(spec, id|0x8000, length), 29305)
			continue
		}
		spec = u16(spec, id, length)
	}
	head := u16(nil, 256, uint16(fields))
	id := uint16(2)
	switch {
	case version == 9 && options:
		head, id = u16(nil, 256, 0, uint16(4*fields)), 1
	case version == 9:
		id = 0
	case options:
		head, id = u16(nil, 256, uint16(fields), 1), 3
	}
	body := make([]byte, size)
	switch rnd.IntN(3) {
	case 0:
		for i := range body {
			body[i] = byte(rnd.Uint32())
		}
	case 1:
		for i := range body {
			body[i] = byte(i) & 3
		}
	}
	sets := [][]byte{set(256, body)}
	if rnd.IntN(3) == 0 { // many sets
		for sets = nil; len(body) >= least && len(sets) < 10_000 && (len(sets)+1)*(least+4) < size; {
			sets = append(sets, set(256, body[:least]))
		}
	}
	a := &amplifier{name: fmt.Sprintf("v%d, options %v, %d fields of %d, records of %d or more, %d sets", version, options, fields, lengths, least, len(sets))}
	if version == 9 {
		a.first, a.data = v9(set(id, head, spec)), v9(sets...)
	} else {
		a.first, a.data = ipfix(set(id, head, spec)), ipfix(sets...)
	}
	return a
}

// newSampleAmplifier makes one of sFlow samples, many of them as short as they can be.
func newSampleAmplifier(rnd *rand.Rand, size int) *amplifier {
	if rnd.IntN(2) == 0 {
		return &amplifier{name: "samples of all kinds", data: anySamples(rnd)}
	}
	var records [][]byte
	for range rnd.IntN(3) {
		records = append(records, [][]byte{
			rawHeader(nil), rawHeader(tcpFrame[:rnd.IntN(len(tcpFrame)+1)]), rawHeader(anyFrame(rnd)), gateway(),
			tagged(1001, nil), tagged(2, nil), anyOther(rnd), tagged(1|uint32(rnd.IntN(1<<20))<<12, nil),
		}[rnd.IntN(8)])
	}
	one := flowSample(records...)
	if rnd.IntN(2) == 0 {
		one = expandedSample(records...)
	}
	samples := make([][]byte, 1+size/len(one))
	for i := range samples {
		samples[i] = one
	}
	return &amplifier{name: fmt.Sprintf("%d samples of %d bytes", len(samples), len(one)), data: sflowDatagram(samples...)}
}

// mostWritten is how many bytes are written for each of a datagram, and of the 128 that
// short ones have on top, at most.
const mostWritten = 160

// TestAmplification: what a datagram becomes is bounded by its bytes, whatever its
// template is and in whatever form it is written.
func TestAmplification(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	rounds := 400
	if testing.Short() || raceDetector {
		rounds = 100
	}
	programs := []*producer.Mapping{nil, nil, usualMapping(), fullMapping()}
	small := uint64(0)
	for i := range rounds {
		size := []int{8, 60, 1400, 30_000}[rnd.IntN(4)]
		a := newAmplifier(rnd, size)
		if i%3 == 2 {
			a = newSampleAmplifier(rnd, size)
		}
		for j, mapping := range programs {
			cfg := producer.Config{Format: producer.Format(rnd.IntN(3)), Raw: rnd.IntN(6) == 0, Separator: []byte("\n")}
			cfg.Programs = program(t, mapping, producer.Settings{Compat: j == 1})
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 4<<10)
			meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
			if a.first != nil {
				p.Datagram(batch, meta, a.first)
				batch.Reset()
			}
			res := p.Datagram(batch, meta, a.data)
			length := len(a.data) + 128
			if len(batch.Buf) > mostWritten*length || 8*res.Records > length {
				t.Errorf("round %d: %d bytes became %d messages of %d bytes, format %v, raw %v, program %d: %s", i, len(a.data), res.Records, len(batch.Buf), cfg.Format, cfg.Raw, j, a.name)
			}
			small += p.Counters.Faults[producer.ReasonSmallRecords]
		}
	}
	if small == 0 {
		t.Error("no datagram has too many short records")
	}
}
