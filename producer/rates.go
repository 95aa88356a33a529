package producer

import "math"

// ratePart is what an element says about a sampling rate, in data and in options.
type ratePart uint8

// Parts; schema.Element.Place of a conversion Interval is one of them.
const (
	partInterval       ratePart = iota // 34
	partRandom                         // 50
	partPacketInterval                 // 305
	partPacketSpace                    // 306
	partSize                           // 309
	partPopulation                     // 310
	partProbability                    // 311
	partFlowInterval                   // 396
	partFlowSpace                      // 397
	numRateParts
)

// alone tells whether the part is a rate by itself, if the template has no other.
func (p ratePart) alone() bool { return p <= partPacketInterval }

// rateParts are those of one record.
type rateParts [numRateParts]uint64

// set notes a part. A value of 0 says nothing.
func (r *rateParts) set(part ratePart, v []byte, n uint64) {
	if part == partProbability {
		n = probability(v)
	}
	r[part] = n
}

// probability returns how many packets stand for one, of a float32 or float64 (RFC
// 7011 sections 6.1.7, 6.2), 0 for what is no probability.
func probability(v []byte) uint64 {
	var p float64
	n, _ := number(v)
	switch len(v) {
	case 4:
		p = float64(math.Float32frombits(uint32(n)))
	case 8:
		p = math.Float64frombits(n)
	}
	if !(p > 0 && p <= 1) || 1/p >= 1<<63 {
		return 0
	}
	return uint64(math.Round(1 / p))
}

// rate returns how many packets stand for one, 0 if nothing says so: by 305 with 306,
// 310 of 309 (RFC 5477 section 8.2), 311, 50, 34, and 396 with 397 (RFC 7014).
func (r *rateParts) rate() uint64 {
	if n := packetRate(r[partPacketInterval], r[partPacketSpace]); n != 0 {
		return n
	}
	if size, population := r[partSize], r[partPopulation]; size != 0 && population >= size {
		return ratio(population, size)
	}
	for _, part := range [...]ratePart{partProbability, partRandom, partInterval} {
		if r[part] != 0 {
			return r[part]
		}
	}
	if r[partFlowSpace] != 0 {
		return packetRate(r[partFlowInterval], r[partFlowSpace])
	}
	return 0
}

// ratio returns n/of, which is not 0, rounded.
func ratio(n, of uint64) uint64 {
	q, rest := n/of, n%of
	if rest >= of-rest {
		q++
	}
	return q
}

// packetRate returns how many packets stand for one where interval of them are
// taken and space are then left out (RFC 5477 section 8.2). Exporters that
// give no space use the interval for the rate itself.
func packetRate(interval, space uint64) uint64 {
	if interval == 0 || space == 0 {
		return interval
	}
	if sum := interval + space; sum > interval {
		return ratio(sum, interval)
	}
	return interval
}
