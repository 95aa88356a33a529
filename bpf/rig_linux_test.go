package bpf

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpRedirect = 4
)

// listens is what most tests listen on.
func listens() []Listen {
	return []Listen{{Port: anyPort}, {Addr: collector4, Port: boundPort}, {Addr: collector6, Port: boundPort}}
}

// host is what the frames of v4 and v6 are for: they are to MAC.
var host = Host{
	MAC: [6]byte{2, 0, 0, 0, 0, 1}, MasterMAC: [6]byte{2, 0, 0, 0, 0, 9},
	Addrs: []netip.Addr{collector4, collector6, netip.MustParseAddr("192.0.2.65"), netip.MustParseAddr("2001:db8::41")},
}

// load loads a program for the test, or skips it where this process may not.
func load(t testing.TB, cfg Config, listens []Listen) *Program {
	t.Helper()
	cfg.Workers, cfg.Queues = max(cfg.Workers, 1), max(cfg.Queues, 1)
	return loaded(t, func() (*Program, error) { return Load(cfg, listens) })
}

// loaded does the same with what fn loads.
func loaded(t testing.TB, fn func() (*Program, error)) *Program {
	t.Helper()
	p, err := fn()
	if errors.Is(err, unix.EPERM) {
		const why = "%v: CAP_BPF and CAP_NET_ADMIN are missing"
		if os.Getenv("CI") == "true" {
			t.Fatalf(why+", and with CI=true this test must run", err)
		}
		t.Skipf(why+": try as root", err)
	}
	if err != nil {
		t.Fatal(withLog(err))
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// socket returns an AF_XDP socket that is closed when the test ends.
func socket(t testing.TB) int {
	t.Helper()
	fd := openSocket(t)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// openSocket returns an AF_XDP socket with an RX ring, without which newer kernels do not
// take it into the map (7.3: ENOBUFS); it need not be bound.
func openSocket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open AF_XDP socket: %v: CONFIG_XDP_SOCKETS or CAP_NET_RAW is missing", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_XDP, unix.XDP_RX_RING, 64); err != nil {
		_ = unix.Close(fd)
		t.Fatalf("make RX ring: %v", err)
	}
	return fd
}

// fillSlots puts sockets into all slots.
func fillSlots(t testing.TB, p *Program) {
	t.Helper()
	for q := range p.cfg.Queues {
		for w := range p.cfg.Workers {
			if err := p.SetSocket(q, w, socket(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// xdpMD is the context of a test run, struct xdp_md.
type xdpMD struct {
	Data, DataEnd, DataMeta                     uint32
	IngressIfindex, RxQueueIndex, EgressIfindex uint32
}

// options are those of one run of the program.
func options(frame []byte, ctx *xdpMD) *ebpf.RunOptions {
	opts := &ebpf.RunOptions{Data: frame, Repeat: 1}
	if ctx != nil {
		opts.Context = ctx
	}
	return opts
}

// run gives the program a frame and returns its verdict, after checking that it
// counted one verdict, and the action that belongs to that. ctx may be nil.
func run(t testing.TB, p *Program, frame []byte, ctx *xdpMD) Verdict {
	t.Helper()
	return runOn(t, p, frame, ctx, func(fn func() error) error { return fn() })
}

// runOn does the same with the system call made by do.
func runOn(t testing.TB, p *Program, frame []byte, ctx *xdpMD, do func(func() error) error) Verdict {
	t.Helper()
	before, err := p.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	var action uint32
	err = do(func() error {
		var err error
		action, err = p.XDP().Run(options(frame, ctx))
		return err
	})
	if err != nil {
		t.Fatalf("run frame of %d bytes: %v", len(frame), err)
	}
	after, err := p.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	if before.Total()+1 != after.Total() {
		t.Fatalf("one frame counted %d times: %v, then %v", after.Total()-before.Total(), before, after)
	}
	for v := range Verdict(NumVerdicts) {
		if after[v] == before[v] {
			continue
		}
		if action != actionOf(v) {
			t.Fatalf("verdict %v with action %d, want %d", v, action, actionOf(v))
		}
		return v
	}
	panic("unreachable: the total grew")
}

func actionOf(v Verdict) uint32 {
	switch v {
	case Redirect:
		return xdpRedirect
	case DropDenied, DropRate:
		return xdpDrop
	}
	return xdpPass
}
