package collector

import (
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// numberedAddr is address number i.
func numberedAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// TestExportersCap: beyond the limit all share one entry, and nothing is lost from
// the sums.
func TestExportersCap(t *testing.T) {
	table := NewExporters()
	table.limit = 3
	for i := range 5 {
		e := table.Get(numberedAddr(i))
		e.usefulFirst, e.usefulLast = 1, time.Now().UnixNano() // it stays
		if again := table.Get(numberedAddr(i)); again != e {
			t.Errorf("exporter %d has two entries", i)
		}
		if own := e.addr == numberedAddr(i); own != (i < 3) {
			t.Errorf("exporter %d has an entry of its own: %v", i, own)
		}
		e.count(100, &producer.Result{Decoded: true, Records: 10 + i}, int64(1000+i))
		e.count(50, &producer.Result{Reason: producer.ReasonUnknownVersion}, int64(2000+i))
		e.count(25, &producer.Result{Decoded: true, Records: 1, Reason: producer.ReasonCountMismatch}, int64(3000+i))
		e.limited.Add(uint64(i))
	}
	if table.Len() != 3 {
		t.Errorf("%d entries, want 3", table.Len())
	}
	for limit := range 5 {
		first, other := table.Stats(limit)
		if len(first) != min(limit, 3) {
			t.Errorf("limit %d: %d exporters", limit, len(first))
		}
		sum := other
		if other.Addr.IsValid() || other.LastSeenNs != 3004 {
			t.Errorf("limit %d: the others are %v, last seen %d", limit, other.Addr, other.LastSeenNs)
		}
		for i, s := range first {
			want := ExporterStats{Addr: numberedAddr(i), LastSeenNs: int64(3000 + i), Datagrams: 3, Bytes: 175,
				Records: uint64(11 + i), Failed: 1, Incomplete: 1, Limited: uint64(i)}
			if s != want {
				t.Errorf("limit %d: %+v, want %+v", limit, s, want)
			}
			sum.Datagrams += s.Datagrams
			sum.Bytes += s.Bytes
			sum.Records += s.Records
			sum.Failed += s.Failed
			sum.Incomplete += s.Incomplete
			sum.Limited += s.Limited
		}
		want := ExporterStats{LastSeenNs: 3004, Datagrams: 15, Bytes: 5 * 175, Records: 65, Failed: 5, Incomplete: 5, Limited: 10}
		if sum != want {
			t.Errorf("limit %d: in all %+v, want %+v", limit, sum, want)
		}
	}
}

// Many workers meet the same exporters at once.
func TestExportersConcurrently(t *testing.T) {
	table := NewExporters()
	table.limit = 50
	const workers, addrs, rounds = 4, 100, 20
	var ended sync.WaitGroup
	for w := range workers {
		ended.Go(func() {
			for range rounds {
				for i := range addrs {
					e := table.Get(numberedAddr((i*7 + w) % addrs))
					e.count(1, &producer.Result{Decoded: true}, 1)
					if e.gone.Load() {
						table.settle(e)
					}
				}
				table.Stats(10)
				table.Len()
			}
		})
	}
	ended.Wait()
	if table.Len() != 50 || table.TableStats().Evicted == 0 {
		t.Errorf("%d have entries: %+v", table.Len(), table.TableStats())
	}
	first, other := table.Stats(50)
	sum := other.Datagrams
	for _, s := range first {
		sum += s.Datagrams
	}
	if sum != workers*addrs*rounds {
		t.Errorf("%d datagrams counted, want %d", sum, workers*addrs*rounds)
	}
}

// TestExportersEviction: forged sources take each other's places, and never those
// of exporters that have sent flows for minutes. No sum goes back.
func TestExportersEviction(t *testing.T) {
	table := NewExporters()
	table.limit = 100
	at := time.Now().Add(-10 * time.Minute)
	useful := func(e *Exporter) { e.count(100, &producer.Result{Decoded: true, Records: 3}, at.UnixNano()) }
	real := make([]*Exporter, 60)
	for i := range real {
		real[i] = table.Get(numberedAddr(i))
	}
	for range 150 { // seconds
		for _, e := range real {
			useful(e)
		}
		at = at.Add(time.Second)
		table.Sweep(at, sequence.Network)
	}
	sent := uint64(60 * 150)
	last := uint64(0)
	for i := range 20_000 {
		e := table.Get(numberedAddr(1000 + i))
		res := &producer.Result{Reason: producer.ReasonUnknownVersion}
		if i%2 == 0 {
			res = &producer.Result{Decoded: true, Records: 1} // a forged record
		}
		e.count(10, res, at.UnixNano()+int64(i))
		sent++
		if i%1000 == 0 {
			first, other := table.Stats(80)
			sum := other.Datagrams
			for _, s := range first {
				sum += s.Datagrams
			}
			if sum != sent || other.Datagrams < last {
				t.Fatalf("%d counted of %d, %d in others after %d", sum, sent, other.Datagrams, last)
			}
			last = other.Datagrams
		}
	}
	for i, e := range real {
		if e.gone.Load() || table.Get(numberedAddr(i)) != e {
			t.Errorf("exporter %d, which sends, was evicted", i)
		}
	}
	if st := table.TableStats(); st.Exporters != 100 || st.Evicted < 19_000 {
		t.Errorf("%+v", st)
	}
	// A table of nothing but such has no room.
	for range 150 {
		for i := range 100 {
			useful(table.Get(numberedAddr(i)))
		}
		at = at.Add(time.Second)
		table.Sweep(at, sequence.Network)
	}
	if table.Get(numberedAddr(500_000)) != table.other || table.TableStats().Overflowed == 0 {
		t.Errorf("a new exporter took the place of one that sends: %+v", table.TableStats())
	}
}

// What each datagram needs of an exporter is in one cache line, the index of its streams
// too, and an exporter takes whole ones: the runtime has 8 bytes before an object of more
// than 512.
func TestExporterLayout(t *testing.T) {
	const line, header = 64, 8
	e := reflect.TypeFor[Exporter]()
	streams, _ := e.FieldByName("streams")
	if streams.Offset+8 > line {
		t.Errorf("the streams are at %d, want %d at most", streams.Offset, line-8)
	}
	if (header+e.Size())%line != 0 {
		t.Errorf("an exporter has %d bytes, with %d no whole number of cache lines", e.Size(), header)
	}
}
