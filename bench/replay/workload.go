package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/weirflow/weir/internal/capture"
)

// workload is what is sent, over and over.
type workload struct {
	datagrams []datagram
	sources   []source // where datagrams are sent from
}

// datagram is one payload and the index of its source.
type datagram struct {
	payload []byte
	source  int
	numbers []number // of -rewrite-sequence
}

// source is an address to send from.
type source struct {
	captured netip.AddrPort
	local    netip.AddrPort // to bind to; invalid: whatever the kernel chooses
}

// loadWorkload reads the files. A damaged capture is warned of and used as far as
// it goes; datagrams that the capture holds only in part are left out.
func loadWorkload(o options, warnings io.Writer) (*workload, error) {
	w := &workload{}
	index := map[netip.AddrPort]int{}
	for _, name := range o.files {
		list, stats, err := capture.Load(name)
		var damaged *capture.DamagedError
		if errors.As(err, &damaged) && len(list) > 0 {
			fmt.Fprintf(warnings, "replay: warning: %v\n", err)
		} else if err != nil {
			return nil, err
		}
		if stats.Cut > 0 {
			fmt.Fprintf(warnings, "replay: warning: %s: %d datagrams are captured in part and not sent\n", name, stats.Cut)
		}
		for i := range list {
			d := &list[i]
			if d.Cut || o.port != 0 && d.Dst.Port() != o.port {
				continue
			}
			from := netip.AddrPort{}
			if o.keepSource || o.sources > 0 {
				from = d.Src
			}
			at, known := index[from]
			if !known {
				at = len(w.sources)
				index[from] = at
				w.sources = append(w.sources, source{captured: from})
			}
			w.datagrams = append(w.datagrams, datagram{payload: d.Payload, source: at})
		}
	}
	if len(w.datagrams) == 0 {
		if o.port != 0 {
			return nil, fmt.Errorf("no UDP datagram to port %d in %q", o.port, o.files)
		}
		return nil, fmt.Errorf("no UDP datagram in %q", o.files)
	}
	if o.rewriteSequence {
		findNumbers(w)
	}
	return w, nil
}
