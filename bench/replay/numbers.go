package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// number is a sequence number in a payload: 32 bits in network byte order.
type number struct {
	at    int // where it is, a multiple of 4: no fragment ends in it
	first uint32
	step  uint32 // what it grows by from pass to pass
}

// in returns the number that is sent in a pass, counted from 0.
func (n *number) in(pass int) uint32 { return n.first + n.step*uint32(pass) }

// setNumbers sets the numbers of a payload to those of a pass.
func setNumbers(payload []byte, list []number, pass int) {
	for i := range list {
		binary.BigEndian.PutUint32(payload[list[i].at:], list[i].in(pass))
	}
}

// numberAt is where headers have their numbers: Cisco NetFlow export datagram formats (v5, v7, v8),
// RFC 3954 section 5.1, RFC 7011 section 3.1.
var numberAt = map[sequence.Kind]int{
	sequence.NetFlow5: 16,
	sequence.NetFlow7: 16,
	sequence.NetFlow8: 16,
	sequence.NetFlow9: 12,
	sequence.IPFIX:    8,
}

// maxLate is how far behind the others a late number may be. One that is farther is of an
// exporter that began again.
const maxLate = 1 << 10

// units is what a datagram or sample may count for: what its protocol says, and then what
// else exporters count of one, data records and flows. The first that foretells the most
// numbers is what this exporter counts.
type units [3]uint32

// course is a sequence of numbers as it was captured.
type course struct {
	numbers []uint32
	counts  []units
	fields  []*number // to be told the step
}

func (c *course) add(n uint32, u units) {
	c.numbers, c.counts = append(c.numbers, n), append(c.counts, u)
}

// step is how far the numbers get in one pass: from the first to the one that would follow.
// Some exporters number a datagram by what they have sent before, others count it in.
func (c *course) step() uint32 {
	unit, own, most := 0, false, 0
	for i := range 2 * len(units{}) {
		u, with := i/2, i%2
		right := 0
		for j, n := range c.numbers[1:] {
			if c.numbers[j]+c.counts[j+with][u] == n {
				right++
			}
		}
		if right > most {
			unit, own, most = u, with == 1, right
		}
	}
	first := c.numbers[0]
	end := first
	for i, n := range c.numbers {
		if !own {
			n += c.counts[i][unit]
		}
		if ahead := int32(n - end); ahead > 0 || ahead < -maxLate {
			end = n
		}
	}
	if own {
		end += c.counts[0][unit]
	}
	return end - first
}

// findNumbers finds the sequence numbers of all datagrams of the workload, and how far
// each sequence gets in one pass.
func findNumbers(load *workload) {
	courses := map[streamKey]*course{}
	survey(load, func(i int, f *producer.Facts) {
		if !f.Numbered {
			return
		}
		d := &load.datagrams[i]
		of := func(k streamKey) *course {
			if courses[k] == nil {
				courses[k] = &course{}
			}
			return courses[k]
		}
		k := streamKey{source: d.source, kind: f.Kind, domain: f.Domain}
		var list []*course
		found := func(at int, n uint32, u units) {
			c := of(k)
			c.add(n, u)
			d.numbers, list = append(d.numbers, number{at: at, first: n}), append(list, c)
		}
		switch f.Kind {
		case sequence.SFlow:
			k.domain, k.agent = uint64(f.SubAgent), string(f.Agent)
			found(8+len(f.Agent)+4, f.Sequence, units{1})
			eachSample(d.payload, func(at int, s *sflow.Sample) {
				k.kind, k.sample = sampleKinds[s.Kind], uint64(s.SourceClass)<<32|uint64(s.SourceIndex)
				found(at, s.Sequence, units{1})
			})
		case sequence.NetFlow9:
			found(numberAt[f.Kind], f.Sequence, units{1, uint32(f.Records), uint32(f.Flows)})
		default:
			found(numberAt[f.Kind], f.Sequence, units{uint32(f.Records), uint32(f.Flows), 1})
		}
		for j, c := range list {
			c.fields = append(c.fields, &d.numbers[j])
		}
	})
	for _, c := range courses {
		step := c.step()
		for _, field := range c.fields {
			field.step = step
		}
	}
}

// sampleKinds are the sequences that samples are numbered in.
var sampleKinds = map[sflow.Kind]sequence.Kind{
	sflow.Flow:    sequence.FlowSample,
	sflow.Counter: sequence.CounterSample,
	sflow.Drop:    sequence.DropSample,
}

// eachSample calls f for each numbered sample of an sFlow datagram, with where its number
// is: the first field of its body (sFlow version 5, section 5).
func eachSample(payload []byte, f func(at int, s *sflow.Sample)) {
	h, body, err := sflow.ParseHeader(payload)
	if err != nil {
		return
	}
	var samples sflow.Samples
	samples.Init(body, h.SampleCount)
	for {
		at := len(payload) - len(samples.Rest()) + 8 // after format and length
		if !samples.Next() {
			return
		}
		if samples.Sample.Kind != sflow.Unknown && samples.Err() != sflow.ErrSampleShort && at%4 == 0 {
			f(at, &samples.Sample)
		}
	}
}

// survey decodes the workload, and calls f for each datagram with what it says about its
// sequence. All templates of the workload are known, also before they come: the numbers of
// a pass are those of exporters that had sent theirs before.
func survey(load *workload, f func(i int, facts *producer.Facts)) {
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	for pass := range 2 {
		for i := range load.datagrams {
			d := &load.datagrams[i]
			p.Datagram(batch, producer.Meta{Source: surveyAddr(d.source)}, d.payload)
			batch.Reset()
			if pass == 1 {
				f(i, p.Facts())
			}
		}
	}
}

// surveyAddr is an address for each source, as none may be known.
func surveyAddr(source int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(source >> 16), byte(source >> 8), byte(source)}), 1)
}
