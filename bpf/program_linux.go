package bpf

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ErrSlot says that a queue or worker is not below the number configured.
var ErrSlot = errors.New("no such queue or worker")

// rateBatch is how many rates are read with one system call.
const rateBatch = 4096

// Program is a loaded program with its maps. Its methods may be called by
// several goroutines at once, Close once and after all others. The kernel keeps
// the program while an interface has it, whether it was closed here or not; it
// passes everything to the stack once its sockets are closed.
type Program struct {
	cfg      Config
	program  *ebpf.Program
	verdicts *ebpf.Map
	rates    *ebpf.Map
	sockets  *ebpf.Map
	all      *ebpf.Collection // owns the above and the maps of listens and rules

	bells      []*Bell // by worker, or none
	noBells    error   // why there are none
	countdowns []byte  // the mapping of the map

	// What a replacement is made of.
	entry   string
	linear  bool
	listens []Listen
}

// Load verifies the program with the kernel and fills its maps; attaching it is
// the caller's. Of its errors, errors.Is tells apart: [ErrMemlock], locked memory
// is limited (before Linux 5.11); unix.EPERM otherwise, CAP_BPF or CAP_NET_ADMIN is
// missing, or a seccomp filter forbids bpf(2); unix.EINVAL with Config.Frags, the kernel
// may be older than 5.18, and Load without it may work. A [*Refused] holds the verifier's
// log: with unix.EACCES before Linux 5.18, CAP_PERFMON may be missing.
func Load(cfg Config, listens []Listen) (*Program, error) {
	return loadFirst(entries(cfg), func(entry string) (*Program, error) { return loadEntry(cfg, listens, entry) })
}

// loadFirst loads the first program that this kernel can run. If it is none, the error is
// that of the first.
func loadFirst(entries []string, load func(entry string) (*Program, error)) (*Program, error) {
	var first error
	for _, entry := range entries {
		p, err := load(entry)
		if err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
		var refused *Refused
		if !errors.As(err, &refused) && !errors.Is(err, ebpf.ErrNotSupported) {
			break
		}
	}
	return nil, first
}

func loadEntry(cfg Config, listens []Listen, entry string) (*Program, error) {
	if err := errors.Join(cfg.Validate(), validate(listens)); err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	if cfg.RateExporters == 0 {
		cfg.RateExporters = DefaultRateExporters
	}
	tables := newTables(cfg, listens)
	load := func(linear bool) (*ebpf.Collection, error) {
		spec, err := newSpec(cfg, tables, entry, linear)
		if err != nil {
			return nil, err
		}
		all, err := ebpf.NewCollection(spec)
		return all, loadError(entry, err)
	}
	linear := !cfg.Frags
	all, err := load(linear)
	if errors.Is(err, unix.EPERM) && memlockLimits() {
		if limit := raiseMemlock(); limit != nil {
			return nil, fmt.Errorf("load program: %w: %w: %w", ErrMemlock, limit, err)
		}
		all, err = load(linear)
	}
	if linear && errors.Is(err, unix.EACCES) { // CAP_PERFMON is missing
		linear = false
		all, err = load(linear)
	}
	var refused *Refused
	if errors.Is(err, unix.EPERM) && !errors.As(err, &refused) {
		err = unix.EPERM // the library's text is about locked memory, which it is not
	}
	if err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	p := &Program{
		cfg:      cfg,
		program:  all.Programs[entry],
		verdicts: all.Maps[weirMapVerdicts],
		rates:    all.Maps[weirMapRates],
		sockets:  all.Maps[weirMapXsks],
		all:      all,
		entry:    entry,
		linear:   linear,
		listens:  listens,
	}
	if err := tables.fill(all); err != nil {
		all.Close()
		return nil, fmt.Errorf("load program: %w", err)
	}
	if p.noBells = p.hangBells(all); p.noBells != nil {
		p.takeBellsDown() // workers do without: they look more often
	}
	return p, nil
}

func validate(listens []Listen) error {
	if len(listens) == 0 {
		return errors.New("listen: want at least one address")
	}
	var faults []error
	for _, l := range listens {
		if l.Port == 0 {
			faults = append(faults, fmt.Errorf("listen: no port with address %s", l.Addr))
		}
	}
	return errors.Join(faults...)
}

// XDP returns the program, to be attached. It is valid until Close.
func (p *Program) XDP() *ebpf.Program { return p.program }

// SetSocket gives a worker's AF_XDP socket on a queue the frames that are for it.
// The socket must be bound to that queue of the interface: the kernel drops what
// comes for another without a count. The kernel takes the socket out again when
// its last descriptor is closed. Errors: ErrSlot; unix.EOPNOTSUPP, fd is not an
// AF_XDP socket; unix.EBADF.
func (p *Program) SetSocket(queue, worker uint32, fd int) error {
	slot, err := p.slot(queue, worker)
	if err == nil {
		err = p.sockets.Put(slot, uint32(fd))
	}
	if err != nil {
		return fmt.Errorf("set socket of queue %d worker %d: %w", queue, worker, err)
	}
	return nil
}

// ClearSocket sends the frames of a worker and queue to the stack from now on.
// Frames that were redirected before may still be on the socket's ring. It is no
// error if there was no socket.
func (p *Program) ClearSocket(queue, worker uint32) error {
	slot, err := p.slot(queue, worker)
	if err == nil {
		err = p.sockets.Delete(slot)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("clear socket of queue %d worker %d: %w", queue, worker, err)
	}
	return nil
}

func (p *Program) slot(queue, worker uint32) (uint32, error) {
	if queue >= p.cfg.Queues || worker >= p.cfg.Workers {
		return 0, ErrSlot
	}
	return queue*p.cfg.Workers + worker, nil
}

// Verdicts returns the counts of all CPUs. Each count is exact, but they are
// read one after the other: while frames come, a sum over them is near a moment's.
func (p *Program) Verdicts() (Verdicts, error) {
	var sums Verdicts
	var perCPU []uint64
	for v := range sums {
		if err := p.verdicts.Lookup(uint32(v), &perCPU); err != nil {
			return Verdicts{}, fmt.Errorf("read verdicts: %w", err)
		}
		for _, n := range perCPU {
			sums[v] += n
		}
	}
	return sums, nil
}

// RateLimited calls yield for each exporter of which datagrams were dropped
// because of the rate, with their number since it was first heard, in no order,
// until yield returns false. Exporters that lost their state to others
// (Config.RateExporters) are not among them or start again; verdict DropRate
// counts all. Exporters that come or go meanwhile may be missed.
func (p *Program) RateLimited(yield func(exporter netip.Addr, dropped uint64) bool) error {
	if p.cfg.RatePPS == 0 {
		return nil
	}
	n := min(rateBatch, int(p.rates.MaxEntries()))
	keys, values := make([]rateKey, n), make([]rateValue, n)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := p.rates.BatchLookup(&cursor, keys, values, nil)
		last := errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !last {
			return fmt.Errorf("read rates: %w", err)
		}
		for i := range n {
			if values[i].Dropped > 0 && !yield(keys[i].exporter(), values[i].Dropped) {
				return nil
			}
		}
		if last {
			return nil
		}
	}
}

// Close lets go of the program and its maps.
func (p *Program) Close() error {
	p.takeBellsDown()
	p.all.Close()
	return nil
}
