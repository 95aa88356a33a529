package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/internal/capture"
)

// perCapture is how many datagrams of a capture are used: no capture is to
// outweigh the others, and all peers go over all of them in every round.
const perCapture = 16

// corpus reads the captures of the shared corpus; none if it is not at hand.
// Those that weir and goflow2 make different numbers of records of are left out,
// as broken ones are: a record would not be the same work. Exporters of
// different captures get different addresses, so that templates do not change.
func corpus() ([]input, error) {
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	names, err := filepath.Glob(filepath.Join(dir, "pcap", "*.pcap"))
	if err != nil {
		return nil, fmt.Errorf("list captures: %w", err)
	}
	var inputs []input
	used, exporters := 0, 0
	for _, name := range names {
		list, _, err := capture.Load(name)
		var damaged *capture.DamagedError
		if err != nil && !errors.As(err, &damaged) {
			return nil, err
		}
		addrs := map[netip.AddrPort]netip.AddrPort{}
		var some []input
		for i := range list {
			d := &list[i]
			if d.Cut || len(some) == perCapture {
				continue
			}
			if _, known := addrs[d.Src]; !known {
				exporters++
				addrs[d.Src] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(exporters >> 8), byte(exporters)}), d.Src.Port())
			}
			some = append(some, input{source: addrs[d.Src], payload: d.Payload})
		}
		same, err := agree(some)
		if err != nil {
			return nil, err
		}
		if same {
			used++
			inputs = append(inputs, some...)
		}
	}
	if len(names) > 0 {
		fmt.Printf("# corpus: %d of %d captures, at most %d datagrams of each\n", used, len(names), perCapture)
	}
	return inputs, nil
}

// agree sets the records of datagrams, and says whether goflow2 makes as many,
// and there are any.
func agree(inputs []input) (bool, error) {
	w, err := newWeir("bin", "weir", "")
	if err != nil {
		return false, err
	}
	g, err := newGoflow2("corpus", "bin", false)
	if err != nil {
		return false, err
	}
	total, same := 0, true
	for pass := range 2 { // templates may come late in a capture
		for i := range inputs {
			d := &inputs[i]
			theirs, _ := g.run(d)
			d.records, _ = w.run(d)
			if pass == 1 {
				total += d.records
				same = same && theirs == d.records
			}
		}
	}
	return same && total > 0, nil
}
