package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/internal/capture"
)

// perCapture is how many datagrams of a capture are used: no capture is to
// outweigh the others, and all peers go over all of them in every round.
const perCapture = 16

// corpus reads the captures of the shared corpus; none if it is not at hand. A
// datagram's records are those that weir makes of it.
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
	for _, name := range names {
		list, _, err := capture.Load(name)
		var damaged *capture.DamagedError
		if err != nil && !errors.As(err, &damaged) {
			return nil, err
		}
		taken := 0
		for i := range list {
			if !list[i].Cut && taken < perCapture {
				taken++
				inputs = append(inputs, input{source: list[i].Src, payload: list[i].Payload})
			}
		}
	}
	w := newWeir("bin")
	for range 2 { // templates may come late in a capture
		for i := range inputs {
			inputs[i].records, _ = w.run(&inputs[i])
		}
	}
	return inputs, nil
}
