package collector

import "testing"

// TestStatsWhileExportersChange: while exporters are evicted and come back in the middle of a
// walk, an address is met once and no count is lost or counted twice.
func TestStatsWhileExportersChange(t *testing.T) {
	table := NewExporterTable(ExportersConfig{Max: 4 * walkPiece})
	const n = 4 * walkPiece
	for i := range n {
		table.Get(numberedAddr(i)).datagrams.Add(1)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				table.Get(numberedAddr(i % (2 * n))) // evicts; counts nothing
			}
		}
	}()
	for range 300 {
		first, other := table.Stats(2 * walkPiece)
		sum, seen := other.Datagrams, map[string]bool{}
		for _, s := range first {
			sum += s.Datagrams
			if seen[s.Addr.String()] {
				t.Fatalf("%v twice", s.Addr)
			}
			seen[s.Addr.String()] = true
		}
		if sum != n {
			t.Fatalf("%d datagrams, want %d", sum, n)
		}
	}
	close(stop)
	<-done
}
