package xdp

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf/link"
)

// ownName begins the names of weir's programs and of its process.
const ownName = "weir"

// Errors of [DetachLeft].
var (
	// ErrNoProgram: the interface has no XDP program.
	ErrNoProgram = errors.New("the interface has no XDP program")
	// ErrInUse: the program is not weir's, or a weir that runs has it.
	ErrInUse = errors.New("not left by an earlier weir")
)

// left reports whether the program is one that a weir left which has ended: a service
// manager has it, and no weir that this process can see.
func (h *Holder) left() bool {
	if !strings.HasPrefix(h.Name, ownName) {
		return false
	}
	for _, name := range processesOf(h.ID) {
		if isWeir(name) {
			return false
		}
	}
	return true
}

// isWeir reports whether a process of that name may be a weir: weir, weir-1.2, or whatever
// this program is called.
func isWeir(name string) bool {
	own, err := os.ReadFile("/proc/self/comm")
	return strings.HasPrefix(name, ownName) || err == nil && name == string(bytes.TrimSpace(own))
}

// DetachLeft takes the program off an interface that a weir left there which has ended, and
// returns which it was. It needs CAP_SYS_ADMIN, to look at what other processes hold.
func DetachLeft(name string) (*Holder, error) {
	info, err := Probe(name)
	if err != nil {
		return nil, fmt.Errorf("detach from %s: %w", name, err)
	}
	if info.ProgramID == 0 {
		return nil, fmt.Errorf("detach from %s: %w", name, ErrNoProgram)
	}
	h := holderOf(info.ProgramID)
	if !h.left() {
		return h, fmt.Errorf("detach from %s: %s: %w", name, h, ErrInUse)
	}
	var links link.Iterator
	defer links.Close()
	for links.Next() {
		found, err := links.Link.Info()
		if err != nil || uint32(found.Program) != info.ProgramID {
			continue
		}
		if x := found.XDP(); x == nil || int(x.Ifindex) != info.Index {
			continue
		}
		if err := links.Link.Detach(); err != nil {
			return h, fmt.Errorf("detach %s from %s: %w", h, name, err)
		}
		return h, nil
	}
	if err := links.Err(); err != nil {
		return h, fmt.Errorf("detach from %s: look for links, as root: %w", name, err)
	}
	return h, fmt.Errorf("detach from %s: %s has no link", name, h)
}
