package sflow

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// corpus returns the folder of captures of real exporters, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		t.Skipf("no corpus of captures: set WEIR_CORPUS to its folder (%v)", err)
	}
	return dir
}

// payloads returns the payload of every UDP datagram of a capture.
func payloads(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, _, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if udp, ok := gopacket.NewPacket(b, r.LinkType(), gopacket.NoCopy).Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
			all = append(all, udp.Payload)
		}
	}
}

// tally is a number by name, written as the corpus's index does.
type tally map[string]int

func (t tally) String() string {
	var parts []string
	for name, n := range t {
		parts = append(parts, fmt.Sprintf("%s:%d", name, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// TestCorpus counts samples and records of real exporters and compares with
// the counts of the corpus's index.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var files int
	for line := range strings.Lines(string(index)) {
		columns := strings.Split(strings.TrimSpace(line), "\t")
		name := columns[0]
		if !strings.Contains(name, "sflow5") {
			continue
		}
		files++
		notes := columns[len(columns)-1]
		t.Run(filepath.Base(name), func(t *testing.T) {
			compareCounts(t, payloads(t, filepath.Join(dir, name)), notes)
		})
	}
	if files < 9 {
		t.Errorf("only %d captures of sFlow in the index", files)
	}
}

func compareCounts(t *testing.T, all [][]byte, notes string) {
	samples, flows, counters, protocols := tally{}, tally{}, tally{}, tally{}
	var datagrams, total, other, agents6 int
	for _, b := range all {
		h, rest, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrVersion) {
				t.Error(err)
			}
			other++
			continue
		}
		datagrams++
		if len(h.Agent) == 16 {
			agents6++
		}
		var s Samples
		s.Init(rest, h.SampleCount)
		for s.Next() {
			total++
			name := map[Kind]string{Flow: "flow", Counter: "counters", Drop: "drop", Unknown: "unknown"}[s.Sample.Kind]
			records := flows
			if s.Sample.Kind == Counter {
				records = counters
			}
			if s.Sample.Expanded {
				name += "-exp"
			}
			samples[name]++
			if s.Err() != ReasonNone {
				t.Errorf("datagram %d: sample %d: %v", datagrams, total, s.Err())
			}
			for s.Records.Next() {
				r := &s.Records.Record
				name := fmt.Sprint(r.Format)
				if r.Enterprise != 0 {
					name = fmt.Sprint(r.Enterprise, ":", r.Format)
				}
				records[name]++
				if s.Sample.Kind != Counter && r.Enterprise == 0 {
					checkRecord(t, r, protocols)
				}
			}
			if s.Records.Err() != ReasonNone {
				t.Errorf("datagram %d: sample %d: %v", datagrams, total, s.Records.Err())
			}
		}
		if s.Err() != ReasonNone {
			t.Logf("datagram %d: %v, %d missing, %d bytes left", datagrams, s.Err(), s.Missing(), len(s.Rest()))
		}
	}
	for _, c := range []struct {
		field string
		got   tally
	}{{"samples", samples}, {"flowrec", flows}, {"ctrrec", counters}} {
		if want := noted(notes, c.field); c.got.String() != want {
			t.Errorf("%s: %s, want %s", c.field, c.got, want)
		}
	}
	if want := fmt.Sprintf("own-count: samples=%d", total); !strings.Contains(notes+";", want+";") && !strings.Contains(notes, want+" ") {
		t.Errorf("%d samples, want %s", total, notes)
	}
	if want := noted(notes, "hdrproto"); want != "" && protocols.String() != want {
		t.Errorf("header protocols %s, want %s", protocols, want)
	}
	if want := fmt.Sprintf("agent-ipv6x%d", agents6); strings.Contains(notes, "agent-ipv6") != (agents6 > 0) || agents6 > 0 && !strings.Contains(notes, want) {
		t.Errorf("%d datagrams of IPv6 agents, want %s", agents6, notes)
	}
	if strings.Contains(notes, "NetFlow v5 datagrams") != (other > 0) {
		t.Errorf("%d datagrams are not sFlow", other)
	}
}

// noted returns what the notes hold within field{...}, in order of names.
func noted(notes, field string) string {
	_, s, ok := strings.Cut(notes, " "+field+"{")
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, "}")
	parts := strings.Fields(s)
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// checkRecord wants every record of a known format to be readable.
func checkRecord(t *testing.T, r *Record, protocols tally) {
	ok := true
	switch r.Format {
	case FlowRawHeader:
		var h RawHeader
		h, ok = ParseRawHeader(r.Data)
		ok = ok && len(h.Header) == int(h.HeaderLength)
		protocols[fmt.Sprint(h.Protocol)]++
	case FlowExtendedSwitch:
		_, ok = ParseExtendedSwitch(r.Data)
	case FlowExtendedRouter:
		_, ok = ParseExtendedRouter(r.Data)
	case FlowExtendedGateway:
		_, ok = ParseExtendedGateway(r.Data)
	}
	if !ok {
		t.Errorf("cannot read record %d of %d bytes: %x", r.Format, len(r.Data), r.Data)
	}
}
