package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/bench/peers/figures"
)

// receivedNs is the receive time of all datagrams, in Unix nanoseconds.
const receivedNs = 1_790_000_000_000_000_000

// input is one datagram.
type input struct {
	source  netip.AddrPort
	payload []byte
	records int
}

// peer turns datagrams into messages.
type peer interface {
	name() string
	run(d *input) (records, bytes int)
}

func main() {
	rounds := flag.Int("rounds", 7, "rounds of each workload and format, at least 5")
	slice := flag.Duration("slice", 300*time.Millisecond, "CPU time of each peer in a round")
	only := flag.String("workloads", "nf5,nf9,ipfix,sflow,mix,corpus", "workloads to run; corpus are the captures of WEIR_CORPUS or ../shared/corpus")
	formats := flag.String("formats", "bin,json", "formats to run")
	mapping := flag.String("mapping", "", "mapping file: compare weir with it and weir without")
	flag.Parse()
	if *rounds < 5 {
		fmt.Fprintln(os.Stderr, "peers: -rounds: at least 5, for a median that means something")
		os.Exit(2)
	}
	fmt.Printf("# %s, %d CPUs, %s, %s\n", figures.Model(), runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Printf("# command: peers %s\n", strings.Join(os.Args[1:], " "))
	fmt.Println("# CPU ns per record: median (min-max) of the rounds; user and system time of the process, garbage collection included")
	fmt.Printf("%-6s %-5s %-13s %26s %8s %9s %11s\n", "work", "fmt", "peer", "ns/record", "B/rec", "allocs/rec", "records")
	for _, name := range strings.Split(*only, ",") {
		inputs, err := load(name)
		if err == nil && len(inputs) == 0 {
			fmt.Printf("# no captures at hand for %s\n", name)
			continue
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
			os.Exit(2)
		}
		for _, format := range strings.Split(*formats, ",") {
			if err := compare(name, format, *mapping, inputs, *rounds, *slice); err != nil {
				fmt.Fprintln(os.Stderr, "peers:", err)
				os.Exit(1)
			}
		}
	}
}

// load makes the datagrams of a workload.
func load(name string) ([]input, error) {
	if name == "corpus" {
		return corpus()
	}
	g, err := workload.New(workload.Config{Workload: name, Exporters: 64, Seed: 1})
	if err != nil {
		return nil, fmt.Errorf("make workload: %w", err)
	}
	var inputs []input
	for _, d := range g.Take(4096) {
		inputs = append(inputs, input{
			source:  netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055),
			payload: d.Payload,
			records: len(d.Flows),
		})
	}
	return inputs, nil
}

// result is what one peer did in one round.
type result struct {
	ns              float64 // CPU per record
	bytes, mallocs  float64 // per record
	records, missed int
}

func peers(name, format, mapping string) ([]peer, error) {
	w, err := newWeir(format, "weir", "")
	if err != nil {
		return nil, err
	}
	list := []peer{w}
	if mapping != "" {
		mapped, err := newWeir(format, "weir-mapping", mapping)
		return append(list, mapped), err
	}
	if format == "bin" && (name == "nf5" || name == "nf9" || name == "ipfix") {
		list = append(list, newLimit(name))
	}
	for _, wrapped := range []bool{false, true} {
		g, err := newGoflow2(name, format, wrapped)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, nil
}

// compare runs all peers of a workload and format round after round.
func compare(name, format, mapping string, inputs []input, rounds int, slice time.Duration) error {
	list, err := peers(name, format, mapping)
	if err != nil {
		return err
	}
	results := make([][]result, len(list))
	for i, p := range list {
		measure(p, inputs, slice/4, name == "corpus") // warm up: templates, caches, memory
		_ = i
	}
	for range rounds {
		for i, p := range list {
			results[i] = append(results[i], measure(p, inputs, slice, name == "corpus"))
		}
	}
	for i, p := range list {
		ns := column(results[i], func(r result) float64 { return r.ns })
		fmt.Printf("%-6s %-5s %-13s %9.1f (%6.0f-%6.0f) %8.1f %9.2f %11d\n", name, format, p.name(),
			figures.Median(ns), slices.Min(ns), slices.Max(ns),
			figures.Median(column(results[i], func(r result) float64 { return r.bytes })),
			figures.Median(column(results[i], func(r result) float64 { return r.mallocs })),
			results[i][0].records)
		for _, r := range results[i] {
			if r.missed != 0 {
				fmt.Printf("# %s left out %d records of %s\n", p.name(), r.missed, name)
				break
			}
		}
	}
	for i, p := range list[1:] {
		var ratios []float64
		for round := range rounds {
			a, b := results[0][round].ns, results[i+1][round].ns
			if p.name() == "limit" {
				a, b = b, a // the others are above what they are compared with
			}
			ratios = append(ratios, b/a)
		}
		word, what := ratioOf(p.name())
		fmt.Printf("%s %s %s %.2f # %s; %.2f-%.2f\n", word, name, format, figures.Median(ratios), what, slices.Min(ratios), slices.Max(ratios))
	}
	return nil
}

// ratioOf returns the word that the line of a peer's ratio begins with, and what
// it is.
func ratioOf(peer string) (word, what string) {
	switch peer {
	case "limit":
		return "limit", "weir / limit"
	case "goflow2-main":
		return "main", "goflow2-main / weir"
	}
	return "ratio", peer + " / weir"
}

// measure runs a peer over the datagrams for about slice of CPU time, or for
// whole passes of at least that.
func measure(p peer, inputs []input, slice time.Duration, whole bool) result {
	var r result
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := figures.CPU()
	want, bytes := 0, 0
	for used := time.Duration(0); used < slice; used = figures.CPU() - began {
		for i := range inputs {
			d := &inputs[i]
			records, n := p.run(d)
			want += d.records
			r.records += records
			bytes += n
			if !whole && i%64 == 63 && figures.CPU()-began >= slice {
				break
			}
		}
	}
	used := figures.CPU() - began
	runtime.ReadMemStats(&after)
	r.missed = want - r.records
	n := float64(max(r.records, 1))
	r.ns = float64(used.Nanoseconds()) / n
	r.bytes = float64(bytes) / n
	r.mallocs = float64(after.Mallocs-before.Mallocs) / n
	return r
}

func column(results []result, f func(result) float64) []float64 {
	var list []float64
	for _, r := range results {
		list = append(list, f(r))
	}
	return list
}
