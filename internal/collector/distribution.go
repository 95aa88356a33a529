package collector

import "math/bits"

const (
	// perOctave is how many buckets there are between a number and its double.
	perOctave = 4
	// lowest is the exponent of the number that everything smaller counts as.
	lowest = 6
	// numBuckets reach from 64 bytes or nanoseconds to some days.
	numBuckets = perOctave * 44
	// memory is the number of observations at which older ones begin to fade.
	memory = 8192
)

// A Distribution has the number and the sum of all observations, and quantiles of
// the last some thousand of them, to about a tenth. It has a fixed size. What is
// observed is a time in nanoseconds or a size in bytes.
type Distribution struct {
	Count, Sum uint64
	recent     uint32
	buckets    [numBuckets]uint16
}

// Observe adds an observation.
func (d *Distribution) Observe(v uint64) {
	d.Count++
	d.Sum += v
	d.buckets[bucketOf(v)]++
	if d.recent++; d.recent < memory {
		return
	}
	d.recent = 0
	for i := range d.buckets {
		d.buckets[i] /= 2
		d.recent += uint32(d.buckets[i])
	}
}

// bucketOf returns the bucket of a number.
func bucketOf(v uint64) int {
	if v < 1<<lowest {
		return 0
	}
	exp := bits.Len64(v) - 1
	fraction := int(v>>(exp-2)) & (perOctave - 1)
	return min((exp-lowest)*perOctave+fraction, numBuckets-1)
}

// upper returns the number at which a bucket ends.
func upper(bucket int) float64 {
	exp, fraction := bucket/perOctave+lowest, bucket%perOctave
	return float64(uint64(1)<<exp) * (1 + float64(fraction+1)/perOctave)
}

// Add adds the observations of another.
func (d *Distribution) Add(o *Distribution) {
	d.Count += o.Count
	d.Sum += o.Sum
	over := d.recent+o.recent >= 1<<16
	d.recent = 0
	for i := range d.buckets {
		n := uint32(d.buckets[i]) + uint32(o.buckets[i])
		if over {
			n /= 2
		}
		d.buckets[i] = uint16(min(n, 1<<16-1))
		d.recent += uint32(d.buckets[i])
	}
}

// Quantile returns the number that a share q of the latest observations does not
// exceed, 0 if there are none.
func (d *Distribution) Quantile(q float64) float64 {
	rank, seen := q*float64(d.recent), 0.0
	for i, n := range d.buckets {
		if n == 0 {
			continue
		}
		if seen += float64(n); seen >= rank {
			begin := 0.0
			if i > 0 {
				begin = upper(i - 1)
			}
			return (begin + upper(i)) / 2
		}
	}
	return 0
}
