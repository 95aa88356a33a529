package bpf

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// A Replacement is a program with other rules, another rate and other listen addresses that
// shares all other maps with the one that it was made from: sockets, bells and counts go on as
// they are when it takes that one's place.
type Replacement struct {
	cfg     Config
	listens []Listen
	program *ebpf.Program
	all     *ebpf.Collection
}

// Replacement makes a program with these rules and this rate (Config.Allow, Deny and
// RatePPS) for datagrams to these addresses. Errors are as those of Load. The caller attaches it in the place of p and calls
// Adopt, or closes it.
func (p *Program) Replacement(allow, deny []netip.Prefix, ratePPS uint32, listens []Listen) (*Replacement, error) {
	r := &Replacement{cfg: p.cfg, listens: listens}
	r.cfg.Allow, r.cfg.Deny, r.cfg.RatePPS = allow, deny, ratePPS
	if err := r.cfg.Validate(); err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	tables := newTables(r.cfg, listens)
	spec, err := newSpec(r.cfg, tables, p.entry, p.linear)
	if err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	shared := map[string]*ebpf.Map{}
	for _, name := range []string{weirMapVerdicts, weirMapXsks, weirMapBells, weirMapCountdowns} {
		if m := p.all.Maps[name]; m != nil && spec.Maps[name] != nil {
			shared[name] = m
		}
	}
	if p.cfg.RatePPS > 0 && ratePPS > 0 {
		shared[weirMapRates] = p.rates
	}
	if r.all, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared}); err != nil {
		return nil, fmt.Errorf("load program: %w", loadError(p.entry, err))
	}
	r.program = r.all.Programs[p.entry]
	if err := tables.fill(r.all); err != nil {
		return nil, errors.Join(fmt.Errorf("load program: %w", err), r.Close())
	}
	return r, nil
}

// XDP returns the program, to be attached. It is valid until Close, or that of the Program
// that has adopted it.
func (r *Replacement) XDP() *ebpf.Program { return r.program }

// Close lets go of a replacement that was not adopted.
func (r *Replacement) Close() error {
	r.all.Close()
	return nil
}

// Adopt makes p the program of the replacement, which is attached by now. It must not run
// while another method of p does. Counts by exporter begin again where there was no rate
// before or is none now.
func (p *Program) Adopt(r *Replacement) {
	old := p.all
	p.cfg, p.listens, p.all, p.program = r.cfg, r.listens, r.all, r.program
	p.verdicts, p.rates, p.sockets = r.all.Maps[weirMapVerdicts], r.all.Maps[weirMapRates], r.all.Maps[weirMapXsks]
	old.Close() // its descriptors only: the maps that are shared are held by both
}
