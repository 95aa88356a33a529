package collector

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// adversaryFactor is how many times the CPU time of as many plain bytes any
	// datagram may take. One of 28 bytes that makes entries in five tables, each with
	// memory that no cache has, takes some 20 times. One that walks a full table
	// takes hundreds or thousands.
	adversaryFactor = 40
	adversaryTurns  = 4
	adversaryTries  = 3
)

// cpuTime returns the CPU time that the calling thread has used.
func cpuTime(tb testing.TB) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// cost is what datagrams cost.
type cost struct {
	took  time.Duration
	bytes int
}

func (c *cost) perByte() float64 { return float64(c.took) / float64(c.bytes) }

// timed sends datagrams.
func (a *adversary) timed(tb testing.TB, c *cost, list []packet) {
	began := cpuTime(tb)
	for i := range list {
		a.send(&list[i])
		c.bytes += len(list[i].data)
	}
	c.took += cpuTime(tb) - began
}

// TestAdversary fills each table to its cap, by datagrams, and sends each kind of
// operation at it, in turns with as many plain bytes to workers with empty tables.
// No clock bounds it: it fails where the operation takes too many times the CPU time
// of the plain bytes, in each of a few tries.
func TestAdversary(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes tables of this size too slow: make test-memory runs it without")
	}
	has := map[string]bool{}
	var report strings.Builder
	rows := slices.Concat(adversaryRows, portRows)
	for i := range rows {
		row := &rows[i]
		has[row.table] = true
		t.Run(row.table+"/"+row.operation, func(t *testing.T) { row.run(t, &report) })
	}
	all := adversaryConfig{names: 1, errors: true, optionNames: 1 << 20}
	for _, table := range Tables(all.limits()) {
		if !has[table.Name] {
			t.Errorf("no operation at table %q: add rows to adversaryRows", table.Name)
		}
	}
	if path := os.Getenv("WEIR_ADVERSARY"); path != "" && !t.Failed() {
		head := "| Table | Operation | ns a byte | plain | times | at most |\n|---|---|---|---|---|---|\n"
		if err := os.WriteFile(path, []byte(head+report.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (row *adversaryRow) run(t *testing.T, report *strings.Builder) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	limit := row.limit
	if limit == 0 {
		limit = adversaryFactor
	}
	a, plain := newAdversary(t, row.cfg), newAdversary(t, row.cfg)
	row.fill(a)
	plain.send(&packet{from: forged(1), data: message(1, 0, templates(256, 1, 8))})
	at, sent := 0, 0
	for try := range adversaryTries {
		var struck, reference cost
		for range adversaryTurns {
			var list, same []packet
			for range row.strikes {
				for _, p := range row.strike(at) {
					list = append(list, p)
					q := packet{from: forged(1), data: message(1, 0, dataSet(256, make([]byte, max(len(p.data)-20, 0))...))}
					if row.plain != nil {
						q = row.plain(sent, len(p.data))
					}
					sent++
					same = append(same, q)
				}
				at++
			}
			a.timed(t, &struck, list)
			plain.timed(t, &reference, same)
		}
		times := struck.perByte() / reference.perByte()
		if times <= limit {
			fmt.Fprintf(report, "| %s | %s | %.2f | %.2f | %.1f | %.0f |\n", row.table, row.operation, struck.perByte(), reference.perByte(), times, limit)
			t.Logf("%.2f ns a byte, plain %.2f: %.1f times", struck.perByte(), reference.perByte(), times)
			return
		}
		if try == adversaryTries-1 {
			t.Errorf("%.2f ns a byte, %.1f times the %.2f of plain ones, more than %.0f in each of %d tries",
				struck.perByte(), times, reference.perByte(), limit, adversaryTries)
		}
	}
}
