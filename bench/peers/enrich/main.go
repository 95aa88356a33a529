package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/bench/peers/figures"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/mmdbtest"
	"github.com/weirflow/weir/producer"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "enrich:", err)
		os.Exit(1)
	}
}

func run() error {
	ours := flag.String("weir", "bin/enricher", "weir's enricher")
	theirs := flag.String("goflow2", "bin/goflow2-enricher", `goflow2's enricher, "" for none`)
	rounds := flag.Int("rounds", 7, "rounds, at least 5")
	flows := flag.Int("flows", 1_000_000, "flows in the stream; goflow2 reads the first tenth")
	write := flag.String("write", "", "only write asn.mmdb, country.mmdb and flows.bin into this directory")
	flag.Parse()
	if *rounds < 5 {
		return errors.New("-rounds: at least 5, for a median that means something")
	}
	dir := *write
	if dir == "" {
		temp, err := os.MkdirTemp("", "weir-bench-enrich-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	if err := databases(dir); err != nil {
		return err
	}
	small, err := stream(dir, *flows)
	if err != nil || *write != "" {
		return err
	}
	fmt.Printf("# %d CPUs, %s, %s\n# command: enrich %s\n", runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly), strings.Join(os.Args[1:], " "))
	fmt.Println("# CPU ns per flow, user and system time of the process less that of an empty run: median (min-max)")
	for _, format := range []string{"bin", "json"} {
		if err := compare(dir, format, *ours, *theirs, *flows, small, *rounds); err != nil {
			return err
		}
	}
	return nil
}

// databases makes networks of all sizes: some 200,000 for AS numbers, of which
// half are longer than /24 and /48, and fewer for countries.
func databases(dir string) error {
	rng := rand.New(rand.NewPCG(1, 2))
	as, country := map[string]uint32{}, map[string]string{}
	codes := []string{"DE", "FR", "JP", "US", "BR", "ZA", "IN", "NZ"}
	for i := range 100_000 {
		as[fmt.Sprintf("%d.%d.%d.0/%d", 1+rng.IntN(222), rng.IntN(256), rng.IntN(256), 16+rng.IntN(9))] = uint32(1000 + i%60000)
		as[fmt.Sprintf("%d.%d.%d.%d/%d", 1+rng.IntN(222), rng.IntN(256), rng.IntN(256), rng.IntN(256), 25+rng.IntN(6))] = uint32(1000 + i%60000)
		if i%4 == 0 {
			country[fmt.Sprintf("%d.%d.0.0/%d", 1+rng.IntN(222), rng.IntN(256), 12+rng.IntN(8))] = codes[i%len(codes)]
		}
	}
	// The ranges of the synthetic flows.
	for i := range 256 {
		as[fmt.Sprintf("198.18.%d.0/24", i)], as[fmt.Sprintf("198.19.%d.0/25", i)] = uint32(64512+i), uint32(65000+i)
		as[fmt.Sprintf("2001:db8:%x::/48", i)] = uint32(64000 + i)
	}
	for _, n := range []string{"192.0.2.0/24", "198.51.100.0/25", "203.0.113.0/24", "100.64.0.0/10", "10.0.0.0/8"} {
		as[n], country[n] = 64496, "DE"
	}
	country["198.18.0.0/16"], country["198.19.0.0/17"], country["2001:db8::/32"] = "US", "JP", "FR"
	return errors.Join(
		mmdbtest.WriteASN(filepath.Join(dir, "asn.mmdb"), as),
		mmdbtest.WriteCountry(filepath.Join(dir, "country.mmdb"), country))
}

// stream writes flows of the mix, and a tenth of them once more apart; it returns
// how many that are.
func stream(dir string, flows int) (small int, err error) {
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 64, Seed: 1})
	if err != nil {
		return 0, err
	}
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	b := producer.NewBatch(0, 256*flows)
	for b.Records() < flows {
		for _, d := range g.Take(256) {
			source := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055)
			p.Datagram(b, producer.Meta{Source: source, ReceivedNs: 1_790_000_000_000_000_000}, d.Payload)
		}
	}
	all := b.Buf[:b.Ends[flows-1]]
	small = flows / 10
	return small, errors.Join(
		os.WriteFile(filepath.Join(dir, "flows.bin"), all, 0o644),
		os.WriteFile(filepath.Join(dir, "small.bin"), all[:b.Ends[small-1]], 0o644),
		os.WriteFile(filepath.Join(dir, "empty.bin"), nil, 0o644))
}

// compare runs both programs in turn.
func compare(dir, format, ours, theirs string, flows, small, rounds int) error {
	type peer struct {
		name, path, file string
		flows            int
		ns               []float64
	}
	peers := []*peer{{name: "weir", path: ours, file: "flows.bin", flows: flows}}
	if theirs != "" {
		peers = append(peers, &peer{name: "goflow2", path: theirs, file: "small.bin", flows: small})
	}
	for range rounds {
		for _, p := range peers {
			none, err := measure(dir, p.path, "empty.bin", format, -1)
			if err != nil {
				return err
			}
			used, err := measure(dir, p.path, p.file, format, p.flows)
			if err != nil {
				return err
			}
			p.ns = append(p.ns, float64(max(used-none, 1))/float64(p.flows))
		}
	}
	for _, p := range peers {
		fmt.Printf("%-5s %-8s %9.1f (%6.0f-%6.0f) %10.0f flows/s a core\n", format, p.name, figures.Median(p.ns), slices.Min(p.ns), slices.Max(p.ns), 1e9/figures.Median(p.ns))
	}
	if len(peers) == 2 {
		var ratios []float64
		for i := range rounds {
			ratios = append(ratios, peers[1].ns[i]/peers[0].ns[i])
		}
		fmt.Printf("ratio %s %.1f # goflow2 / weir; %.1f-%.1f\n", format, figures.Median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	return nil
}

// measure runs a program over a file and returns its CPU time. want is how many
// messages it has to write, -1 for any.
func measure(dir, path, file, format string, want int) (time.Duration, error) {
	in, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out := filepath.Join(dir, "out")
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	sep := "-transport.file.sep="
	if format == "json" {
		sep = `-transport.file.sep=` + "\n"
	}
	cmd := exec.Command(path, "-db.asn", filepath.Join(dir, "asn.mmdb"), "-db.country", filepath.Join(dir, "country.mmdb"),
		"-format", format, "-transport.file", out, sep)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = in, &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", path, err, stderr.String())
	}
	if want >= 0 {
		text, err := os.ReadFile(out)
		if err != nil {
			return 0, err
		}
		if n := messages(text, format); n != want {
			return 0, fmt.Errorf("%s wrote %d messages of %d", path, n, want)
		}
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// messages counts the messages in an output.
func messages(text []byte, format string) (n int) {
	if format == "json" {
		return bytes.Count(text, []byte("\n"))
	}
	for len(text) > 0 {
		size, k := binary.Uvarint(text)
		if k <= 0 || size > uint64(len(text)-k) {
			return -1
		}
		text = text[k+int(size):]
		n++
	}
	return n
}
