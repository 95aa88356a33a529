package sequence

import (
	"encoding/binary"
	"testing"
)

// FuzzObserve: whatever numbers come, nothing panics, what was reported is not
// taken back, and counts do not exceed what came.
func FuzzObserve(f *testing.F) {
	for kind := range NumKinds {
		s := newSender(Kind(kind), hypotheses[kind][0].name, 1)
		var seed []byte
		for i := range 60 {
			o, _ := s.next()
			if i%7 == 3 {
				o.Sequence -= 100
			}
			seed = append(seed, byte(kind), byte(o.Records), byte(o.Templates), 1)
			seed = binary.BigEndian.AppendUint32(seed, o.Sequence)
			seed = binary.BigEndian.AppendUint32(seed, o.UptimeMs)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table, set := NewTable(4), &Set{}
		now, last, n := int64(1e18), uint64(0), uint64(0)
		for ; len(b) >= 12; b = b[12:] {
			now += int64(b[3]) << 24
			o := Observation{
				NowNs: now, ExportNs: now, Records: uint16(b[1]) << (b[0] >> 6), Templates: uint16(b[2] & 7),
				Sequence: binary.BigEndian.Uint32(b[4:]), UptimeMs: binary.BigEndian.Uint32(b[8:]),
				HasUptime: b[2]&8 != 0, Uncertain: b[2]&16 != 0,
			}
			o.Flows = o.Records - min(o.Records, uint16(b[2]>>5))
			set.Observe(table, Key{Kind: Kind(b[0] & 7), Domain: uint64(b[0] >> 3 & 1)}, &o)
			n++
			if b[3]&3 == 0 {
				table.Sweep(now, Place(b[0]%3), b[3]&4 != 0)
			}
			c := set.Counts()
			if lost := allLost(&c); lost < last {
				t.Fatalf("lost %d after %d", lost, last)
			} else {
				last = lost
			}
			if c.Reordered+c.Duplicates+c.Restarts > n {
				t.Fatalf("%+v of %d datagrams", c, n)
			}
		}
		set.Release(table)
		if table.waiting.Load() != 0 || table.gaps.Load() != 0 {
			t.Fatalf("%d wait, %d have gaps after the end", table.waiting.Load(), table.gaps.Load())
		}
	})
}
