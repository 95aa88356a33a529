// Outputs hashes what the producer writes: every capture of the given folders and
// every synthetic load, under every mapping file, in every format, with and without
// keys and enrichment, one line each. Run it before a change and after, and compare:
//
//	go run ./scripts/outputs internal/corpus/testdata >before
//	go run ./scripts/outputs internal/corpus/testdata >after
//	diff before after
//
// Under core.yaml messages have the fields of goflow2 alone: its hashes stay when
// others are added.
//
// Each format is written by two producers that share a template store with nobody:
// one that keeps data for its template, one that does not.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

func main() {
	only := flag.String("only", "", "regular expression of the setups to run, all by default")
	flag.Parse()
	if err := run(flag.Args(), *only); err != nil {
		fmt.Fprintln(os.Stderr, "outputs:", err)
		os.Exit(1)
	}
}

// An input is a sequence of datagrams with a name.
type input struct {
	name      string
	datagrams []datagram
}

type datagram struct {
	meta producer.Meta
	data []byte
}

// A setup is what the outputs depend on in addition to the datagrams.
type setup struct {
	name     string
	programs *producer.Programs
	raw      bool
	geo      bool
	override *producer.Override
	rate     uint64
}

func run(folders []string, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var inputs []input
	for _, dir := range folders {
		names, err := filepath.Glob(filepath.Join(dir, "*.pcap*"))
		if err != nil || len(names) == 0 {
			return fmt.Errorf("no captures in %s (%v)", dir, err)
		}
		for _, name := range names {
			list, _, err := capture.Load(name)
			if err != nil && len(list) == 0 {
				return err
			}
			in := input{name: filepath.Base(name)}
			for _, d := range list {
				in.datagrams = append(in.datagrams, datagram{producer.Meta{Source: d.Src, ReceivedNs: d.TimeNs, Truncated: d.Cut}, d.Payload})
			}
			inputs = append(inputs, in)
		}
	}
	for _, name := range workload.Names() {
		g, err := workload.New(workload.Config{Workload: name, Exporters: 16, Seed: 3})
		if err != nil {
			return err
		}
		in := input{name: "workload-" + name}
		for i, d := range g.Take(600) {
			in.datagrams = append(in.datagrams, datagram{producer.Meta{
				Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: 1_700_000_000_000_000_000 + int64(i),
			}, d.Payload})
		}
		inputs = append(inputs, in)
	}
	setups, err := setups()
	if err != nil {
		return err
	}
	for i := range inputs {
		for j := range setups {
			if !wanted.MatchString(setups[j].name) {
				continue
			}
			for _, format := range []producer.Format{producer.FormatBin, producer.FormatJSON, producer.FormatText} {
				fmt.Printf("%-40s %-28s %d %s\n", inputs[i].name, setups[j].name, format, hash(&inputs[i], &setups[j], format))
			}
		}
	}
	return nil
}

func setups() ([]setup, error) {
	var all []setup
	add := func(name, file string, s producer.Settings) error {
		p, _, err := mapping.Load(file, s)
		if err != nil {
			return fmt.Errorf("mapping %s: %w", file, err)
		}
		all = append(all, setup{name: name, programs: producer.NewPrograms(p)})
		return nil
	}
	if err := add("none", "", producer.Settings{}); err != nil {
		return nil, err
	}
	all = append(all,
		setup{name: "raw", programs: all[0].programs, raw: true},
		setup{name: "rate", programs: all[0].programs, rate: 77},
		setup{name: "override", programs: all[0].programs, override: &producer.Override{Rate: 5}},
		setup{name: "override-interface", programs: all[0].programs, override: &producer.Override{Interfaces: map[uint32]uint64{1: 10, 2: 20, 3: 30}}},
	)
	if err := add("enriched", "", producer.Settings{Enriched: true}); err != nil {
		return nil, err
	}
	all[len(all)-1].geo = true
	if err := add("compat", "", producer.Settings{Compat: true}); err != nil {
		return nil, err
	}
	if err := add("key-5tuple", "", producer.Settings{Hash: []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port"}}); err != nil {
		return nil, err
	}
	if err := add("key-all", "", producer.Settings{Hash: producer.FieldNames()[:50]}); err != nil {
		return nil, err
	}
	if err := add("key-sampler", "", producer.Settings{Hash: []string{"sampler_address"}}); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join("bench", "peers", "testdata", "mappings", "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no mapping files, is this the repository's root? (%v)", err)
	}
	more, err := filepath.Glob(filepath.Join("scripts", "outputs", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(files, more...) {
		for _, s := range []producer.Settings{{}, {Compat: true}, {Enriched: true}} {
			name := filepath.Base(file)
			if s.Compat {
				name += "+compat"
			}
			if s.Enriched {
				name += "+enriched"
			}
			if err := add(name, file, s); err != nil {
				if s.Enriched { // it uses the numbers of the countries
					continue
				}
				return nil, err
			}
			all[len(all)-1].geo = s.Enriched
		}
	}
	return all, nil
}

// hash returns the hash of all messages, message ends, keys and counts.
func hash(in *input, s *setup, format producer.Format) string {
	h := sha256.New()
	total := 0
	for _, pending := range []bool{false, true} {
		cfg := producer.Config{Format: format, Raw: s.raw, SamplingRate: s.rate, Programs: s.programs}
		if format != producer.FormatBin {
			cfg.Separator = []byte("\n")
		}
		if s.geo {
			cfg.Geo = geo.NewCache(&geo.Source{Find: find})
		}
		if pending {
			cfg.Held = producer.NewHeld(producer.HeldLimits{Bytes: 1 << 20, Sets: 1 << 10, AgeNs: 60e9})
		}
		p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, producer.DefaultBatchSize)
		for i := range in.datagrams {
			d := &in.datagrams[i]
			d.meta.Override = s.override
			res := p.Datagram(batch, d.meta, d.data)
			total += res.Records
			fmt.Fprintln(h, res.Protocol, res.Decoded, res.Records)
			if format == producer.FormatBin && !s.raw {
				for n := range batch.Records() {
					h.Write(sorted(batch.Message(n)))
				}
			} else {
				h.Write(batch.Buf)
			}
			_ = binary.Write(h, binary.LittleEndian, batch.Ends)
			_ = binary.Write(h, binary.LittleEndian, batch.Keys)
			batch.Reset()
		}
		fmt.Fprintln(h, p.Counters.Sampling)
	}
	return fmt.Sprintf("%8d %x", total, h.Sum(nil)[:12])
}

// sorted returns a delimited message with its fields in the order of their numbers,
// those of one number as they were: writers may choose the order.
func sorted(msg []byte) []byte {
	type field struct {
		number protowire.Number
		bytes  []byte
	}
	_, n := protowire.ConsumeVarint(msg)
	out, msg := append([]byte(nil), msg[:n]...), msg[n:]
	var fields []field
	for len(msg) > 0 {
		number, _, n := protowire.ConsumeField(msg)
		if n < 0 {
			return append(out, msg...) // it differs from any message
		}
		fields = append(fields, field{number, msg[:n]})
		msg = msg[n:]
	}
	slices.SortStableFunc(fields, func(a, b field) int { return int(a.number - b.number) })
	for _, f := range fields {
		out = append(out, f.bytes...)
	}
	return out
}

// find answers for a third of all addresses.
func find(a netip.Addr) (geo.Answer, int) {
	b := a.As16()
	v := b[12] ^ b[13] ^ b[2]
	if v%3 == 0 {
		return geo.Answer{}, a.BitLen()
	}
	country, _ := geo.ParseCountry([]byte{'A' + v%26, 'Z' - v%26})
	if v%3 == 1 {
		country = 0
	}
	return geo.Answer{AS: uint32(v) * 1000, Country: country}, a.BitLen()
}
