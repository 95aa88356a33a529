package collector

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// memoryRow churns tables ten times their cap, by datagrams.
type memoryRow struct {
	name  string
	parts []string // that it fills
	cfg   adversaryConfig
	churn func(a *adversary)
}

// few is a tenth of the default.
var few = template.Limits{
	Domains: 10_000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024, Bytes: 128 << 20 / 10, Samplers: 10_000,
}

// patient is the default, but that nothing expires on a slow machine.
var patient = producer.HeldLimits{Bytes: 64 << 20, Sets: 100_000, AgeNs: 600e9}

var memoryRows = []memoryRow{
	{
		name: "domains", parts: []string{"templates", "recent"}, cfg: adversaryConfig{ports: template.PortsAuto, templates: few, exporters: 1000},
		churn: func(a *adversary) {
			a.each(100_000, func(i int) packet { return packet{from: forged(i), data: message(1, 0, templates(256, 1, uint16(i)))} })
		},
	},
	{
		// Domains that have been in use for long refuse others, whose data would be pending.
		name: "domains with data", parts: []string{"templates", "recent"},
		cfg: adversaryConfig{ports: template.PortsAuto, templates: few, exporters: 1000, pending: producer.HeldLimits{Bytes: 64 << 10, Sets: 100, AgeNs: 1e9}},
		churn: func(a *adversary) {
			a.each(200_000, func(i int) packet { // first as many as are remembered, then those that come and go
				if i < 100_000 {
					i %= 9000
				}
				return packet{from: forged(i), data: message(1, 0, templates(256, 1, uint16(i)), dataSet(256, 1, 2, 3, 4))}
			})
		},
	},
	{
		name: "domains by port", parts: []string{"templates", "recent"},
		cfg: adversaryConfig{ports: template.PortsAuto, templates: few, exporters: 1000, pending: producer.HeldLimits{Bytes: 64 << 10, Sets: 100, AgeNs: 1e9}},
		churn: func(a *adversary) { // few addresses with many ports, many with few
			a.each(100_000, func(i int) packet {
				return packet{from: portOf(i/20_000, i), data: message(1, 0, templates(256, 1, uint16(i)), dataSet(256, 1, 2, 3, 4))}
			})
			a.each(100_000, func(i int) packet {
				return packet{from: portOf(100+i/4, i%4), data: message(1, 0, templates(256, 1, uint16(i)), dataSet(256, 1, 2, 3, 4))}
			})
		},
	},
	{
		name: "streams by port", parts: []string{"sequences"}, cfg: adversaryConfig{ports: template.PortsAuto, exporters: 1000},
		churn: func(a *adversary) {
			a.each(1_000_000, func(i int) packet { return packet{from: portOf(i/4090, i), data: message(1, 0)} })
		},
	},
	{
		name: "pending by port", parts: []string{"pending"}, cfg: adversaryConfig{ports: template.PortsAuto, exporters: 1000, pending: patient},
		churn: func(a *adversary) {
			a.each(300_000, func(i int) packet {
				return packet{from: portOf(i/30_000, i), data: message(7, 0, dataSet(999, 1, 2, 3, 4))}
			})
		},
	},
	{
		name: "wide templates with data", parts: []string{"templates", "recent"}, cfg: adversaryConfig{templates: few, exporters: 1000},
		churn: func(a *adversary) {
			a.each(6000, func(i int) packet {
				return packet{from: forged(i), data: message(1, 0, wide(256, 300, uint16(7*i)), dataSet(256, make([]byte, 300)...))}
			})
		},
	},
	{
		name: "templates of one domain that come and go", parts: []string{"templates", "recent"},
		cfg: adversaryConfig{templates: few, exporters: 1000, withdraw: true},
		churn: func(a *adversary) {
			for d := range 40 { // all ids of a domain, then none of them
				for id := 256; id < 65000; id += 1000 {
					a.send(&packet{from: forged(d), data: message(1, 0, templates(uint16(id), min(1000, 65000-id), 8))})
					a.send(&packet{from: forged(d), data: message(1, 0, dataSet(2, 0, 2, 0, 0))})
				}
			}
		},
	},
	{
		name: "samplers", parts: []string{"templates", "samplers", "recent"},
		cfg:   adversaryConfig{templates: template.Limits{Domains: 100, TemplatesPerDomain: 64, FieldsPerTemplate: 64, Bytes: 1 << 20, Samplers: 20_000}, exporters: 1000},
		churn: func(a *adversary) { fillSamplers(1000, 1024)(a); fillSamplers(20_000, 1)(a) },
	},
	{
		name: "pending, many", parts: []string{"pending"}, cfg: adversaryConfig{exporters: 1000, pending: patient},
		churn: fillPending(300_000),
	},
	{
		name: "pending, by two workers in turn", parts: []string{"pending"},
		cfg: adversaryConfig{exporters: 1000, workers: 2, pending: patient},
		churn: func(a *adversary) {
			for turn := range 4 { // each holds all, and then a little
				a.each(100_000, func(i int) packet {
					return packet{from: forged(i), data: message(7, 0, dataSet(999, 1, 2, 3, 4)), worker: turn % 2}
				})
				last := a.nowNs
				a.send(&packet{from: forged(1), data: message(7, 0, dataSet(999, 1, 2, 3, 4)), worker: turn % 2})
				a.workers[turn%2].prod.Expire(last+patient.AgeNs, nil)
			}
		},
	},
	{
		name: "pending, large", parts: []string{"pending"}, cfg: adversaryConfig{exporters: 1000, pending: patient},
		churn: func(a *adversary) {
			a.each(3_000, func(i int) packet {
				return packet{from: forged(i), data: message(7, 0, dataSet(999, make([]byte, 60_000)...))}
			})
		},
	},
	{
		name: "exporters", parts: []string{"exporters"}, cfg: adversaryConfig{workers: 2},
		churn: func(a *adversary) {
			a.each(500_000, func(i int) packet {
				return packet{from: forged(i), data: []byte("garbage"), worker: i % 2}
			})
		},
	},
	{ // case 2
		name: "streams", parts: []string{"sequences"}, cfg: adversaryConfig{exporters: 1000},
		churn: func(a *adversary) {
			a.each(1_500_000, func(i int) packet { return packet{from: forged(i / 4090), data: message(uint32(i)*2654435761, 0)} })
		},
	},
	{
		name: "streams of as many exporters", parts: []string{"sequences", "exporters"},
		churn: func(a *adversary) {
			a.each(600_000, func(i int) packet { return packet{from: forged(i / 2), data: message(uint32(i), 0)} })
		},
	},
	{
		name: "gaps", parts: []string{"sequences"}, cfg: adversaryConfig{exporters: 1000},
		churn: func(a *adversary) {
			a.each(1_000_000, func(i int) packet {
				n := i % 250_000
				return packet{from: forged(n / 4090), data: message(uint32(n), uint32(i)*2654435761)}
			})
		},
	},
	{
		name: "names", parts: []string{"names", "recent"}, cfg: adversaryConfig{names: 1000, exporters: 1000, workers: 2},
		churn: func(a *adversary) {
			a.each(200_000, func(i int) packet {
				d := [][]byte{v5(1), v9Data(), message(1, 0), flowSamples(uint32(i), 1, 1, 1, 1), []byte("garbage")}[i/7%5]
				if i/7%5 == 3 {
					d[9], d[10], d[11] = byte(i>>16), byte(i>>8), byte(i)
				}
				return packet{from: forged(i % 10_000), data: d, worker: i / 10_000 % 2}
			})
		},
	},
	{
		name: "option names, many domains", parts: []string{"option names", "templates", "recent"},
		cfg: adversaryConfig{optionNames: 8 << 20, templates: few, exporters: 1000},
		churn: func(a *adversary) {
			for i := range 100_000 { // an hour for what makes room
				if i%7000 == 0 {
					a.nowNs += int64(2 * time.Hour)
				}
				a.send(&packet{from: forged(i), data: message(1, 0, nameOptions, dataSet(301, nameOf(uint32(i), i)...))})
			}
		},
	},
	{
		name: "option names, many in a domain", parts: []string{"option names", "templates", "recent"},
		cfg: adversaryConfig{optionNames: 8 << 20, templates: few, exporters: 1000},
		churn: func(a *adversary) {
			for d := range 100 {
				a.nowNs += int64(time.Hour)
				a.send(&packet{from: forged(d), data: message(1, 0, nameOptions)})
				for i := range 100 {
					var body []byte
					for k := range 100 {
						body = append(body, nameOf(uint32(100*i+k), i)...)
					}
					a.send(&packet{from: forged(d), data: message(1, 0, dataSet(301, body...))})
				}
			}
		},
	},
	{
		name: "errors", parts: []string{"errors"}, cfg: adversaryConfig{errors: true, exporters: 1000},
		churn: func(a *adversary) {
			a.each(2000, func(i int) packet { return packet{from: forged(1), data: make([]byte, 60_000)} })
		},
	},
}

// liveHeap returns the bytes of the heap that are in use, after all that can be
// let go of was.
func liveHeap() int64 {
	var m runtime.MemStats
	// Plans go by way of cleanups, pools in two steps, and what others still hold a little later:
	// until nothing more goes.
	for last, round := int64(math.MaxInt64), 0; round < 50; round++ {
		runtime.GC()
		runtime.ReadMemStats(&m)
		if now := int64(m.HeapAlloc); round >= 3 && last-now < 16<<10 {
			break
		} else {
			last = now
		}
		time.Sleep(5 * time.Millisecond)
	}
	return int64(m.HeapAlloc)
}

// TestMemory churns the tables of each part of the memory ten times their cap and
// compares what is live then with what the part may take.
func TestMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes tables of this size too slow: make test-memory runs it without")
	}
	has := map[string]bool{}
	for i := range memoryRows {
		row := &memoryRows[i]
		for _, part := range row.parts {
			has[part] = true
		}
		t.Run(row.name, func(t *testing.T) {
			before := liveHeap()
			a := newAdversary(t, row.cfg)
			limits := row.cfg.limits()
			row.churn(a)
			live, limit := liveHeap()-before, int64(2*4*(producer.DefaultBatchSize+64<<10)*len(a.workers))
			for _, table := range Tables(limits) {
				if slices.Contains(row.parts, table.Part) {
					limit += table.Bytes
				}
			}
			t.Logf("%.1f MiB live, %.1f may be", float64(live)/(1<<20), float64(limit)/(1<<20))
			if float64(live) > 1.1*float64(limit) {
				t.Errorf("%d bytes are live, more than 1.1 times the %d of %v", live, limit, row.parts)
			}
			runtime.KeepAlive(a)
		})
	}
	all := adversaryConfig{names: 1, errors: true, optionNames: 1 << 20}
	for _, table := range Tables(all.limits()) {
		if !has[table.Part] {
			t.Errorf("nothing churns part %q: add rows to memoryRows", table.Part)
		}
	}
}
