package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// tables are the entries of the maps that user space fills.
type tables struct {
	ports   portTable
	listens map[listenKey]struct{}
	rules4  map[rule4Key]uint32
	rules6  map[rule6Key]uint32
}

func newTables(cfg Config, listens []Listen) *tables {
	t := &tables{
		listens: make(map[listenKey]struct{}),
		rules4:  make(map[rule4Key]uint32),
		rules6:  make(map[rule6Key]uint32),
	}
	for _, l := range listens {
		if k, bound := t.ports.add(l); bound {
			t.listens[k] = struct{}{}
		}
	}
	for prefix, allow := range cfg.rules() {
		t.addRule(prefix, allow)
	}
	return t
}

func (t *tables) addRule(prefix netip.Prefix, allow bool) {
	rule := ruleDeny
	if allow {
		rule = ruleAllow
	}
	if prefix.Addr().Is4() {
		t.rules4[rule4Key{Prefixlen: uint32(prefix.Bits()), Addr: prefix.Addr().As4()}] = rule
	} else {
		t.rules6[rule6Key{Prefixlen: uint32(prefix.Bits()), Addr: prefix.Addr().As16()}] = rule
	}
}

// entries returns the names of the programs to try, the best first: the ordinary one, unless
// the kernel is known not to have the helper that it calls (Linux 5.18), and the one for
// older kernels, which takes frames of one buffer alone.
func entries(cfg Config) []string {
	var list []string
	if err := features.HaveProgramHelper(ebpf.XDP, asm.FnXdpGetBuffLen); !errors.Is(err, ebpf.ErrNotSupported) {
		list = append(list, weirProgWeir)
	}
	if len(list) == 0 || !cfg.Frags {
		list = append(list, weirProgWeirBefore518)
	}
	return list
}

// newSpec returns the program of that name for this configuration: sizes of its
// maps, constants, flags. A linear one adds lengths to pointers.
func newSpec(cfg Config, t *tables, entry string, linear bool) (*ebpf.CollectionSpec, error) {
	spec, err := loadWeir()
	if err != nil {
		return nil, err
	}
	sizes := map[string]int{
		weirMapListens: len(t.listens),
		weirMapRules4:  len(t.rules4),
		weirMapRules6:  len(t.rules6),
		weirMapXsks:    int(cfg.Queues * cfg.Workers),
		weirMapBells:   int(cfg.Workers),

		weirMapCountdowns: int(cfg.Queues * cfg.Workers),
	}
	if cfg.RatePPS > 0 {
		sizes[weirMapRates] = int(cfg.RateExporters)
	}
	for name, n := range sizes {
		spec.Maps[name].MaxEntries = uint32(max(n, 1))
	}

	spec.Maps[weirMapBells].InnerMap.MaxEntries = uint32(os.Getpagesize())
	if entry == weirProgWeirBefore518 { // it does not use them, and the kernel may not have such
		delete(spec.Maps, weirMapBells)
		delete(spec.Maps, weirMapCountdowns)
	}

	cost, burst := cfg.rate()
	var faults []error
	for name, value := range map[string]any{
		weirVarWorkers:    cfg.Workers,
		weirVarQueues:     cfg.Queues,
		weirVarLinear:     flag(linear),
		weirVarMaxFrame:   cfg.MaxFrame,
		weirVarListenAddr: flag(len(t.listens) > 0),
		weirVarHasRules:   flag(len(t.rules4)+len(t.rules6) > 0),
		weirVarHasAllow:   flag(len(cfg.Allow) > 0),
		weirVarRateCost:   cost,
		weirVarRateBurst:  burst,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			faults = append(faults, fmt.Errorf("set constant %s: %w", name, err))
		}
	}
	program := spec.Programs[entry]
	if cfg.Frags {
		program.Flags |= unix.BPF_F_XDP_HAS_FRAGS
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{entry: program}
	return spec, errors.Join(faults...)
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// fill writes the entries into the kernel's maps.
func (t *tables) fill(all *ebpf.Collection) error {
	if err := all.Maps[weirMapPorts].Put(uint32(0), &t.ports); err != nil {
		return fmt.Errorf("fill ports: %w", err)
	}
	for k := range t.listens {
		if err := all.Maps[weirMapListens].Put(k, uint32(1)); err != nil {
			return fmt.Errorf("fill listens: %w", err)
		}
	}
	for k, rule := range t.rules4 {
		if err := all.Maps[weirMapRules4].Put(k, rule); err != nil {
			return fmt.Errorf("fill rules of IPv4: %w", err)
		}
	}
	for k, rule := range t.rules6 {
		if err := all.Maps[weirMapRules6].Put(k, rule); err != nil {
			return fmt.Errorf("fill rules of IPv6: %w", err)
		}
	}
	return nil
}
