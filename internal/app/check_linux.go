package app

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/xdp"
)

// deaf is a program that is never told of sockets: it passes every frame to the
// stack, so that trying an attachment takes no datagram from anyone.
type deaf struct{ *bpf.Program }

func (deaf) SetSocket(uint32, uint32, int) error { return nil }

// captures tries what -xdp.interface asks for: it attaches, for a moment, a
// program that leaves all frames to the kernel.
func (r *report) captures(cfg *config.Config) {
	for _, name := range cfg.XDP.Interfaces {
		info, err := xdp.Probe(name)
		if err != nil {
			r.noCapture(cfg, name, err)
			continue
		}
		if info.Driver == "" {
			info.Driver = "none" // lo has none
		}
		r.OK("xdp", fmt.Sprintf("%s: driver %s, %s, MTU %d, up: %v", name, info.Driver, countOf(info.Queues, "receive queue"), info.MTU, info.Up))
		mode, err := tryCapture(cfg, name)
		if err != nil {
			r.noCapture(cfg, name, err)
			continue
		}
		r.OK("xdp", name+": "+mode)
	}
}

// noCapture reports that an interface cannot be captured.
func (r *report) noCapture(cfg *config.Config, name string, err error) {
	finding, advice := fmt.Sprintf("%s: %v", name, err), ""
	var refusal *xdp.Refusal
	if errors.As(err, &refusal) {
		finding, advice = fmt.Sprintf("%s: %s: %s", name, refusal.Step, refusal.Reason()), refusal.Hint
		if refusal.Holder != nil {
			finding += " (" + refusal.Holder.String() + ")"
		}
	}
	if cfg.XDP.Require {
		r.Refuse("xdp", finding, advice)
		return
	}
	r.Warn("xdp", finding+": its datagrams would be received on the sockets", advice)
}

// tryCapture opens and closes a capture, and says how it was attached.
func tryCapture(cfg *config.Config, name string) (mode string, err error) {
	x := &cfg.XDP
	how, err := xdp.ParseMode(x.Mode)
	if err != nil {
		return "", err
	}
	zeroCopy, err := xdp.ParseZeroCopy(x.ZeroCopy)
	if err != nil {
		return "", err
	}
	workers := x.Workers
	if workers == 0 {
		workers = runtime.NumCPU()
	}
	var program *bpf.Program
	defer func() {
		if program != nil {
			err = errors.Join(err, program.Close())
		}
	}()
	c, err := xdp.Open(xdp.Config{
		Interface: name, Queues: x.Queues, Workers: workers, Mode: how, ZeroCopy: zeroCopy,
		RingSize: x.RingSize, BusyPoll: x.BusyPoll,
		Load: func(t xdp.Target) (xdp.Program, error) {
			p, err := bpf.Load(bpf.Config{Workers: t.Workers, Queues: t.Queues, Host: t.Interface.Host, Frags: t.Frags, MaxFrame: t.MaxFrame},
				[]bpf.Listen{{Addr: netip.Addr{}, Port: 1}})
			if err != nil {
				return nil, err
			}
			program = p
			return deaf{p}, nil
		},
	})
	if err != nil {
		return "", err
	}
	attach, zero := c.Mode()
	mode = fmt.Sprintf("would be captured in %s mode by %s on %s", attach, countOf(workers, "worker"), countOf(c.Queues(), "queue"))
	if zero {
		mode += ", zero-copy"
	}
	if passed := c.PassedOver(); passed != nil {
		mode += fmt.Sprintf(" (a better mode was refused: %v)", passed)
	}
	if n := c.MaxFrame(); n > 0 {
		mode += fmt.Sprintf("; frames longer than %d bytes are received on UDP sockets, because this kernel has no multi-buffer AF_XDP (XDP_USE_SG, Linux 6.6)", n)
	}
	if why := program.NoBells(); why != nil {
		mode += fmt.Sprintf("; workers are not woken up by the program: %v", why)
	}
	if x.BusyPoll > 0 && !c.BusyPolling() {
		mode += "; the kernel does not take -xdp.busy-poll"
	}
	return mode, c.Close()
}
