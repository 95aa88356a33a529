package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// attach links the program to the interface. The link lives as long as its
// descriptors, so that a process that is killed leaves nothing behind that no other
// process was given. It returns
// why native mode was passed over, if it was.
func (p *prober) attach(device Interface, program Program, mode Mode) (l link.Link, used Mode, passed error, err error) {
	if mode != Generic {
		l, err = p.attachIn(device, program, Native)
		var held *Refusal
		if err == nil || mode == Native || errors.As(err, &held) && held.Holder != nil ||
			errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY) {
			return l, Native, nil, err
		}
		passed = err
	}
	l, err = p.attachIn(device, program, Generic)
	return l, Generic, passed, err
}

func (p *prober) attachIn(device Interface, program Program, mode Mode) (link.Link, error) {
	flags := link.XDPDriverMode
	if mode == Generic {
		flags = link.XDPGenericMode
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: program.XDP(), Interface: device.Index, Flags: flags})
	if err == nil {
		return l, nil
	}
	r := refuse(device.Name, fmt.Sprintf("%s (%s)", stepAttach, mode), err)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
		if now, err := p.byIndex(device.Index); err == nil && now.ProgramID != 0 {
			r.Holder = holderOf(now.ProgramID)
			r.Hint = r.Holder.String() + " has the interface and is not evicted: detach it " +
				"(end its process; ip link set dev " + device.Name + " xdp off; bpftool link detach if it has a link), or use another interface"
			if r.Holder.left() {
				r.Hint = r.Holder.String() + " keeps what an earlier weir left for the next one: start the service again, or remove it (weir xdp detach " + device.Name + ")"
			}
			if r.Holder.Tag == "" {
				r.Hint += fmt.Sprintf("; bpftool prog show id %d, as root, says which it is", r.Holder.ID)
			}
		}
	}
	return nil, r
}
