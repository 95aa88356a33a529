// Command kafka measures what it costs the producing process to deliver flows
// to Kafka: CPU nanoseconds a flow, user and system together, by getrusage.
// It compares weir's sink with the two ways that sarama has, against the same
// brokers, in turns.
//
//	eval "$(scripts/kafka up)"
//	scripts/kafka topic bench 8
//	go run ./bench/kafka -n 5
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/producer"
)

// setup is one thing to measure.
type setup struct {
	client, shape, compression string
	level                      int
	acks                       string
	brokers                    []string
	topic                      string
}

// A client delivers batches and returns when all are acknowledged.
type client interface {
	deliver(batches []*producer.Batch) error
	close()
}

func main() {
	brokers := flag.String("brokers", os.Getenv("KAFKA_TEST_BROKERS"), "brokers, separated by commas")
	topic := flag.String("topic", "bench", "topic, which must exist")
	clients := flag.String("clients", "weir,broker,async", "weir; broker: Broker.AsyncProduce with our own record sets; async: AsyncProducer")
	shapes := flag.String("shapes", "flow,batch", "flow: one flow a message; batch: many")
	compressions := flag.String("compressions", "none,lz4,zstd", "none, gzip, snappy, lz4, zstd; with a level as zstd:3")
	acks := flag.String("acks", "1", "1 or all")
	flows := flag.Int("flows", 500_000, "flows a run")
	size := flag.Int("size", 200, "about this many bytes a flow")
	runs := flag.Int("n", 5, "runs of each, in turns")
	flag.Parse()
	if err := run(strings.Split(*brokers, ","), *topic, strings.Split(*clients, ","), strings.Split(*shapes, ","),
		strings.Split(*compressions, ","), *acks, *flows, *size, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(brokers []string, topic string, clients, shapes, compressions []string, acks string, flows, size, runs int) error {
	batches := makeBatches(40, size, 1)
	records, bytes := 0, 0
	for _, b := range batches {
		records += b.Records()
		bytes += len(b.Buf)
	}
	fmt.Printf("flows of %d bytes, %d a run, acks %s, %d runs each\n", bytes/records, flows, acks, runs)

	var setups []setup
	for _, shape := range shapes {
		for _, text := range compressions {
			s := setup{shape: shape, acks: acks, brokers: brokers, topic: topic}
			name, level, ok := strings.Cut(text, ":")
			s.compression = name
			if ok {
				if _, err := fmt.Sscan(level, &s.level); err != nil {
					return fmt.Errorf("level of %q: %w", text, err)
				}
			}
			for _, s.client = range clients {
				setups = append(setups, s)
			}
		}
	}
	costs := make([][]float64, len(setups))
	rates := make([][]float64, len(setups))
	for range runs {
		for i, s := range setups {
			cost, rate, err := measure(s, batches, records, flows)
			if err != nil {
				return fmt.Errorf("%s %s %s: %w", s.client, s.shape, s.compression, err)
			}
			costs[i] = append(costs[i], cost)
			rates[i] = append(rates[i], rate)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "shape\tcompression\tlevel\tclient\tns a flow: least\tmedian\tmost\tflows/s: median\t")
	for i, s := range setups {
		slices.Sort(costs[i])
		slices.Sort(rates[i])
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t\n", s.shape, s.compression, s.level, s.client,
			costs[i][0], costs[i][len(costs[i])/2], costs[i][len(costs[i])-1], rates[i][len(rates[i])/2])
	}
	return w.Flush()
}

// measure returns CPU nanoseconds a flow and flows a second.
func measure(s setup, batches []*producer.Batch, records, flows int) (cost, rate float64, err error) {
	var c client
	switch s.client {
	case "weir":
		c, err = newWeir(s)
	case "broker":
		c, err = newBroker(s)
	case "async":
		c, err = newAsync(s)
	default:
		err = fmt.Errorf("no such client")
	}
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	// Connections, pools and tables first.
	if err := c.deliver(batches[:8]); err != nil {
		return 0, 0, err
	}
	var load []*producer.Batch
	done := 0
	for done < flows {
		load = append(load, batches...)
		done += records
	}
	cpu, start := cpuTime(), time.Now()
	if err := c.deliver(load); err != nil {
		return 0, 0, err
	}
	return float64(cpuTime()-cpu) / float64(done), float64(done) / time.Since(start).Seconds(), nil
}

func cpuTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
