package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/bench/peers/figures"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// options are what a measurement needs to know. They pass from the process that
// compares to the ones that measure.
type options struct {
	brokers, topic, compression string
	flows                       int
}

func main() {
	// goflow2's transport adds flags of its own to flag.CommandLine.
	flags := flag.NewFlagSet("kafka", flag.ExitOnError)
	var o options
	flags.StringVar(&o.brokers, "brokers", os.Getenv("KAFKA_TEST_BROKERS"), "brokers, separated by commas")
	flags.StringVar(&o.topic, "topic", "bench", "topic, which must exist")
	flags.IntVar(&o.flows, "flows", 500_000, "flows of each measurement")
	compressions := flags.String("compressions", "none", "none, gzip, snappy, lz4, zstd; separated by commas")
	runs := flags.Int("n", 7, "measurements of each peer, at least 5")
	one := flags.String("one", "", "measure this peer once and print nanoseconds a flow")
	_ = flags.Parse(os.Args[1:]) // ends the process
	err := errors.New("-n: at least 5, for a median that means something")
	switch {
	case *one != "":
		o.compression = *compressions
		err = measure(*one, o)
	case *runs >= 5:
		err = compare(o, strings.Split(*compressions, ","), *runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

// peers are what is compared, goflow2 first.
var peers = []string{"goflow2", "weir flow", "weir batch"}

func compare(o options, compressions []string, runs int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	fmt.Printf("# %s, %d CPUs, %s, %s\n", figures.Model(), runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Printf("# command: kafka %s\n", strings.Join(os.Args[1:], " "))
	fmt.Printf("# CPU ns a flow of the output to Kafka alone: median (least-most) of %d runs in turns, %d flows each; ratio: median of the runs'\n", runs, o.flows)
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "compression\tpeer\tns/flow\tgoflow2 costs times as much")
	for _, compression := range compressions {
		costs := make([][]float64, len(peers))
		for range runs {
			for i, p := range peers {
				cmd := exec.Command(self, "-one", p, "-brokers", o.brokers, "-topic", o.topic, "-compressions", compression, "-flows", fmt.Sprint(o.flows))
				cmd.Stderr = os.Stderr
				out, err := cmd.Output()
				if err != nil {
					return fmt.Errorf("%s: %w", p, err)
				}
				var cost float64
				if _, err := fmt.Sscan(string(out), &cost); err != nil {
					return fmt.Errorf("%s: read %q: %w", p, out, err)
				}
				costs[i] = append(costs[i], cost)
			}
		}
		for i, p := range peers {
			ratios := make([]float64, runs)
			for n := range ratios {
				ratios[n] = costs[0][n] / costs[i][n]
			}
			slices.Sort(ratios)
			sorted := slices.Sorted(slices.Values(costs[i]))
			fmt.Fprintf(w, "%s\t%s\t%.0f (%.0f-%.0f)\t%.1f\n", compression, p, sorted[runs/2], sorted[0], sorted[runs-1], ratios[runs/2])
		}
	}
	return w.Flush()
}

// An output delivers flows and, by close, returns when the brokers have all.
type output interface {
	deliver(load []*producer.Batch) error
	close() error
}

// measure prints what delivering costs.
func measure(peer string, o options) error {
	load := makeLoad(o.flows)
	runtime.GC()
	before := figures.CPU()
	var out output
	var err error
	if shape, ok := strings.CutPrefix(peer, "weir "); ok {
		out, err = newWeir(o, shape)
	} else {
		out, err = newGoflow2(o)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(out.deliver(load), out.close()); err != nil {
		return err
	}
	fmt.Println(float64(figures.CPU()-before) / float64(o.flows))
	return nil
}

// makeLoad returns so many flows, in batches as a worker seals them. The same
// memory is used again and again, as in a collector.
func makeLoad(flows int) []*producer.Batch {
	g, err := workload.New(workload.Config{Workload: "nf9", Exporters: 64, Seed: 1})
	if err != nil {
		panic(err) // the workload is there
	}
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	var made []*producer.Batch
	var d workload.Datagram
	for len(made) < 40 {
		b := producer.NewBatch(0, producer.DefaultBatchSize)
		for len(b.Buf) < producer.DefaultBatchSize {
			g.Next(&d)
			source := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
			p.Datagram(b, producer.Meta{Source: source, ReceivedNs: time.Now().UnixNano()}, d.Payload)
		}
		made = append(made, b)
	}
	var load []*producer.Batch
	for i := 0; flows > 0; i++ {
		b := made[i%len(made)]
		if n := b.Records(); n > flows {
			b = &producer.Batch{Buf: b.Buf[:b.Ends[flows-1]], Ends: b.Ends[:flows], FirstNs: b.FirstNs}
		}
		load = append(load, b)
		flows -= b.Records()
	}
	return load
}
