package xdp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// Refusal says that the system does not let a capture be, and what would help. It
// wraps the system's error.
type Refusal struct {
	Interface string
	Step      string // what was being done: "attach program (native)"
	Err       error
	Hint      string  // may be empty
	Holder    *Holder // the program that has the interface, if that is the reason
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("open xdp on %s: %s: %s", r.Interface, r.Step, r.Reason())
	if r.Hint != "" {
		text += ": " + r.Hint
	}
	return text
}

// Reason returns the text of Err, without the step where it begins with that.
func (r *Refusal) Reason() string { return strings.TrimPrefix(r.Err.Error(), r.Step+": ") }

func (r *Refusal) Unwrap() error { return r.Err }

// Steps of Open that hints depend on.
const (
	stepFind   = "find interface"
	stepLoad   = "load program"
	stepAttach = "attach program"
	stepMemory = "allocate umem"
	stepSocket = "create socket"
	stepUMEM   = "register umem"
	stepRings  = "create rings"
	stepBind   = "bind"
	stepMap    = "hand socket to program"
)

// refuse makes a Refusal of an error, which must not be nil. The step may say more
// after its name.
func refuse(name, step string, err error) *Refusal {
	return &Refusal{Interface: name, Step: step, Err: err, Hint: hint(step, err)}
}

func hint(step string, err error) string {
	is := func(s string) bool { return strings.HasPrefix(step, s) }
	switch {
	case errors.Is(err, ErrNoInterface):
		return "ip link lists the interfaces of this network namespace"
	case errors.Is(err, bpf.ErrMemlock):
		return "this kernel counts maps as locked memory: raise RLIMIT_MEMLOCK (LimitMEMLOCK=infinity), or give CAP_SYS_RESOURCE"
	case refusedByVerifier(err):
		return ownPrivileges().verifierHint()
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return ownPrivileges().hint(step)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, ebpf.ErrNotSupported) && ownPrivileges().filtered:
		// Where bpf(2) says ENOSYS, the library finds that the kernel lacks what it looks for.
		return ownPrivileges().missingCallHint(step)
	case errors.Is(err, unix.ENOBUFS):
		return "the UMEM is locked memory: raise RLIMIT_MEMLOCK (LimitMEMLOCK=infinity), give CAP_IPC_LOCK, or set smaller rings"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS), or a filter forbids them (systemd: RestrictAddressFamilies=AF_XDP)"
	case errors.Is(err, unix.ERANGE):
		return "the MTU is too large for this driver's XDP: set a smaller one, or use generic mode"
	case errors.Is(err, unix.ENOSPC) && is(stepAttach):
		return "the peer has more transmit queues than this interface has receive queues: make them equal (ethtool -L), or use generic mode"
	case errors.Is(err, unix.EBUSY) && is(stepBind), errors.Is(err, unix.EBUSY) && is(stepUMEM):
		return "another AF_XDP socket has the queue"
	case (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST)) && is(stepAttach):
		return "another XDP program has the interface, and is not evicted (bpftool net list): end its process, or detach it (ip link set dev NAME xdp off; bpftool link detach if it has a link), or use another interface"
	case errors.Is(err, unix.EOPNOTSUPP) && is(stepBind):
		return "the driver has no zero-copy for this interface: set zero-copy to auto or off"
	case errors.Is(err, unix.EOPNOTSUPP):
		return "the driver has no native XDP for this interface: use generic mode"
	case errors.Is(err, unix.EINVAL) && is(stepBind):
		return "the interface has no such queue, or cannot take frames in several buffers there"
	case errors.Is(err, unix.EINVAL) && is(stepAttach):
		return "the driver does not run the program with this MTU or these offloads (dmesg may say which): set a smaller MTU, turn LRO off (ethtool -K), or use generic mode"
	case errors.Is(err, unix.ENOMEM):
		return "not enough memory: set smaller rings, or fewer workers"
	}
	return ""
}

// ErrTooFewQueues says that a configuration asks for more queues than there are.
var ErrTooFewQueues = errors.New("the interface has fewer receive queues")
