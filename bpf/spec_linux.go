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
	bound   bool // an address and port are in listens
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
			t.bound = true
		}
	}
	if cfg.Host.onWire() {
		for _, a := range cfg.Host.Addrs {
			t.listens[hostKey(a)] = struct{}{}
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
	masterMAC := etherAddr(cfg.Host.MasterMAC)
	if masterMAC == 0 {
		masterMAC = etherAddr(cfg.Host.MAC)
	}
	ownFirst, ownSecond := cfg.Host.ownBits()
	var faults []error
	for name, value := range map[string]any{
		weirVarWorkers:   cfg.Workers,
		weirVarQueues:    cfg.Queues,
		weirVarMaxFrame:  cfg.MaxFrame,
		weirVarHas:       t.has(cfg, linear),
		weirVarOwnFirst:  ownFirst,
		weirVarOwnSecond: ownSecond,
		weirVarHostMac:   etherAddr(cfg.Host.MAC),
		weirVarMasterMac: masterMAC,
		weirVarRateCost:  cost,
		weirVarRateBurst: burst,
		weirVarPorts:     &t.ports,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			faults = append(faults, fmt.Errorf("set variable %s: %w", name, err))
		}
	}
	program := spec.Programs[entry]
	if cfg.Frags {
		program.Flags |= unix.BPF_F_XDP_HAS_FRAGS
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{entry: program}
	return spec, errors.Join(faults...)
}

// has returns which parts of the program there are.
func (t *tables) has(cfg Config, linear bool) (bits uint32) {
	for bit, on := range map[uint32]bool{
		hasBound:    t.bound,
		hasMaxFrame: cfg.MaxFrame > 0,
		hasWire:     cfg.Host.onWire(),
		hasRules:    len(t.rules4)+len(t.rules6) > 0,
		hasAllow:    len(cfg.Allow) > 0,
		hasRate:     cfg.RatePPS > 0,
		hasLinear:   linear,
	} {
		if on {
			bits |= bit
		}
	}
	return bits
}

// fill writes the entries into the kernel's maps.
func (t *tables) fill(all *ebpf.Collection) error {
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
