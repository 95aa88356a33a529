package producer_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestChunksCost: a set of which every second record takes the generic path, so that the
// fused plan writes one record at a time, costs what as many bytes in short sets cost. What
// is asked about a whole set, such as whether its records name one sampling rate, must not
// be asked for each piece.
func TestChunksCost(t *testing.T) {
	const size, long, short = 16, 4080, 51
	spec := u16(nil, 256, 4, 34, 4, 2, 4, 1, 4)
	spec = u32(append(spec, u16(nil, 1|0x8000, 4)...), 29305)
	records := func(n int) []byte {
		body := make([]byte, n*size)
		for i := range n {
			rec := body[i*size:]
			binary.BigEndian.PutUint32(rec, 10)
			binary.BigEndian.PutUint32(rec[8:], 1)
			binary.BigEndian.PutUint32(rec[12:], uint32(i%2))
		}
		binary.BigEndian.PutUint32(body[(n-1)*size:], 20) // the last names another rate
		return ipfix(set(256, body))
	}
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	p.Datagram(batch, meta, ipfix(set(2, spec)))
	run := func(d []byte, times int) time.Duration {
		began := time.Now()
		for range times {
			batch.Reset()
			if res := p.Datagram(batch, meta, d); res.Records == 0 {
				t.Fatal("no records")
			}
		}
		return time.Since(began)
	}
	whole, piece := records(long), records(short)
	ofLong, ofShort := time.Hour, time.Hour
	for range 9 {
		ofLong = min(ofLong, run(whole, 1))
		ofShort = min(ofShort, run(piece, long/short))
	}
	t.Logf("%v in one set, %v in sets of %d", ofLong, ofShort, short)
	if p.Counters.Encoded[producer.PathGeneric] == 0 || p.Counters.Encoded[producer.PathPlan] == 0 {
		t.Errorf("the paths are not mixed: %v", p.Counters.Encoded)
	}
	if ofLong > 2*ofShort {
		t.Errorf("%v for %d records in one set, %v in sets of %d", ofLong, long, ofShort, short)
	}
}
