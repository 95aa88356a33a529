package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/weirflow/weir/bench/peers/figures"
)

// column is what one collector did at one rate, round by round. A rate of 0 stands for
// the highest of the collector.
type column struct {
	runner  *runner
	rate    float64
	results []result
}

// asked returns the rate in datagrams a second.
func (c *column) asked() float64 {
	if c.rate == 0 {
		return c.runner.best
	}
	return c.rate
}

func (c *column) label() string {
	if c.rate == 0 {
		return "highest"
	}
	return fmt.Sprintf("%.0f", c.rate)
}

// each returns a figure of each round.
func (c *column) each(figure func(res *result) float64) []float64 {
	all := make([]float64, len(c.results))
	for i := range c.results {
		all[i] = figure(&c.results[i])
	}
	return all
}

// taken returns how many datagrams were not lost.
func (res *result) taken() float64 { return max(res.sent-res.lost, 1) }

// perPacket returns the CPU time of a datagram in ns.
func (res *result) perPacket() float64 { return float64(res.cpu.Nanoseconds()) / res.taken() }

// compare measures collectors with one workload, in turns, and prints a table and what
// they cost compared with the first.
func (o *options) compare(out io.Writer, work string, runners []*runner) error {
	fmt.Fprintf(out, "%-6s %-9s %8s %10s %10s %7s %7s %18s %21s %6s  %s\n",
		"work", "collector", "rate", "packets/s", "records/s", "lost", "cores", "ns/record", "us/packet", "RSS MB", "latency p50/p99/p99.9")
	rates := append(slices.Clone(o.rates), 0)
	var columns []*column
	for _, r := range runners {
		err := r.open()
		defer r.close()
		if err == nil {
			err = r.search()
		}
		if err != nil {
			fmt.Fprintf(out, "# %s %s: %v\n", work, r.collector.name, err)
			continue
		}
		for _, rate := range rates {
			columns = append(columns, &column{runner: r, rate: rate})
		}
	}
	// The rate is the outer loop: what is compared is measured close together.
	for range o.rounds {
		for _, rate := range rates {
			for _, c := range columns {
				if c.rate != rate || c.asked() > 2*c.runner.best { // it would tell of loss alone
					continue
				}
				res, err := c.runner.measure(c.asked())
				if err != nil {
					return fmt.Errorf("measure %s: %w", c.runner.collector.name, err)
				}
				c.results = append(c.results, res)
			}
		}
	}
	for _, c := range columns {
		if len(c.results) > 0 {
			c.print(out)
		}
	}
	for _, c := range columns {
		if base := find(columns, runners[0], c.rate); base != nil && base != c && len(c.results) == len(base.results) {
			ratio(out, base, c)
		}
	}
	return nil
}

// find returns the column of a collector and rate that has been measured, or nil.
func find(columns []*column, r *runner, rate float64) *column {
	for _, c := range columns {
		if c.runner == r && c.rate == rate && len(c.results) > 0 {
			return c
		}
	}
	return nil
}

func (c *column) print(out io.Writer) {
	pace, _, _ := figures.Spread(c.each(func(res *result) float64 { return res.sent / res.seconds }))
	cores, _, _ := figures.Spread(c.each(func(res *result) float64 { return res.cpu.Seconds() / res.seconds }))
	packet, least, most := figures.Spread(c.each((*result).perPacket))
	lost := slices.Max(c.each(func(res *result) float64 { return res.lost / max(res.sent, 1) }))
	rss := slices.Max(c.each(func(res *result) float64 { return float64(res.rss) / (1 << 20) }))
	n := c.runner.perPacket
	fmt.Fprintf(out, "%-6s %-9s %8s %10.0f %10.0f %6.2f%% %7.3f %18s %21s %6.1f  %s\n", c.runner.work, c.runner.collector.name, c.label(),
		pace, pace*n, 100*lost, cores, fmt.Sprintf("%.0f (%.0f-%.0f)", packet/n, least/n, most/n),
		fmt.Sprintf("%.2f (%.2f-%.2f)", packet/1e3, least/1e3, most/1e3), rss, c.runner.latency(c.asked()))
}

// ratio prints what a datagram costs with another collector, as a multiple of what it
// costs with base, each at its own highest rate or both at the same.
func ratio(out io.Writer, base, c *column) {
	all := make([]float64, len(c.results))
	for i := range all {
		all[i] = c.results[i].perPacket() / base.results[i].perPacket()
	}
	median, least, most := figures.Spread(all)
	fmt.Fprintf(out, "ratio e2e %s %s/%s %s %.2f # %.2f-%.2f\n", c.runner.work, c.runner.collector.name, base.runner.collector.name, c.label(), median, least, most)
}
