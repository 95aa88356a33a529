package xdp

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// privileges are what decides about XDP besides the capabilities it needs, as the
// calling thread has them.
type privileges struct {
	missing []string // capabilities
	perfmon bool     // has CAP_PERFMON, or CAP_SYS_ADMIN
	// filter: a seccomp filter is installed; filtered: and bpf(2) does not get through.
	filter, filtered bool
	// userNS: a user namespace other than the initial one, whose capabilities do not
	// count for bpf(2).
	userNS bool
}

// capabilities that a capture needs, with their numbers in linux/capability.h.
var capabilities = []struct {
	name   string
	number uint
}{{"CAP_NET_RAW", unix.CAP_NET_RAW}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_BPF", unix.CAP_BPF}}

// ownPrivileges returns those of the calling thread. What cannot be found out counts as
// no obstacle.
func ownPrivileges() (p privileges) {
	var effective [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &effective[0]); err == nil {
		has := func(number uint) bool { return effective[number/32].Effective&(1<<(number%32)) != 0 }
		for _, c := range capabilities {
			if !has(c.number) && !(c.number == unix.CAP_BPF && has(unix.CAP_SYS_ADMIN)) {
				p.missing = append(p.missing, c.name)
			}
		}
		p.perfmon = has(unix.CAP_PERFMON) || has(unix.CAP_SYS_ADMIN)
	}
	if status, err := os.ReadFile("/proc/thread-self/status"); err == nil && hasSeccompFilter(status) {
		err := tryBPF()
		p.filter, p.filtered = true, errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)
	}
	if uids, err := os.ReadFile("/proc/thread-self/uid_map"); err == nil {
		p.userNS = !wholeUIDMap(uids)
	}
	return p
}

// hasSeccompFilter reads the status of a thread, proc(5): mode 2 is a filter.
func hasSeccompFilter(status []byte) bool {
	for line := range bytes.Lines(status) {
		if mode, ok := bytes.CutPrefix(line, []byte("Seccomp:")); ok {
			return string(bytes.TrimSpace(mode)) == "2"
		}
	}
	return false
}

// wholeUIDMap reports whether a map of user IDs is that of the initial user namespace,
// user_namespaces(7): all of them, each to itself.
func wholeUIDMap(uids []byte) bool {
	return strings.Join(strings.Fields(string(uids)), " ") == "0 0 4294967295"
}

// missingCallHint says what the system's ENOSYS in a step may be about: some filters of
// containers answer so to what they do not know.
func (p privileges) missingCallHint(step string) string {
	what, option := "the system call bpf", "CONFIG_BPF_SYSCALL"
	if !callsBPF(step) {
		what, option = "AF_XDP sockets", "CONFIG_XDP_SOCKETS"
	}
	if p.filter {
		return fmt.Sprintf("a seccomp filter of this process hides %s, as those of containers do: use another seccomp profile", what)
	}
	return fmt.Sprintf("this kernel does not have %s (%s)", what, option)
}

// callsBPF reports whether a step makes the system call bpf.
func callsBPF(step string) bool {
	return strings.HasPrefix(step, stepLoad) || strings.HasPrefix(step, stepAttach) || strings.HasPrefix(step, stepMap)
}

// hint says what the system's EPERM or EACCES in a step may be about.
func (p privileges) hint(step string) string {
	callsBPF := callsBPF(step)
	switch {
	case len(p.missing) > 0:
		return needs() + ": missing " + strings.Join(p.missing, ", ")
	case p.filtered && callsBPF && !p.userNS:
		return "a seccomp filter of this process forbids the system call bpf: allow it (systemd: SystemCallFilter=bpf, as in weir-xdp.conf; a container: another seccomp profile)"
	case p.filtered && callsBPF:
		return "a seccomp filter of this process, or its user namespace, forbids the system call bpf: allow it (SystemCallFilter=bpf), and leave the user namespace (PrivateUsers=no)"
	case p.filter && strings.HasPrefix(step, stepSocket) && !p.userNS:
		return "a seccomp filter of this process may forbid AF_XDP sockets: allow them (a container: another seccomp profile)"
	case p.userNS:
		return needs() + ": this process has them, but in a user namespace of its own, where they do not count (systemd: PrivateUsers=no)"
	case callsBPF:
		return needs() + ": this process has them; a security module of the kernel (SELinux, AppArmor, lockdown) may forbid it: see the kernel's log and the audit log"
	}
	return needs() + ": this process has them, but perhaps not in the user namespace that the network namespace belongs to"
}

func needs() string {
	var names []string
	for _, c := range capabilities {
		names = append(names, c.name)
	}
	return "XDP needs " + strings.Join(names, ", ")
}

// verifierHint says what helps against a refusal of the verifier.
func (p privileges) verifierHint() string {
	if !p.perfmon {
		return "the verifier of this kernel may accept the program from a process with CAP_PERFMON too: grant it (systemd: CapabilityBoundingSet= and AmbientCapabilities=)"
	}
	return "this kernel cannot run the program: please report its version with this line; weir check shows it too"
}

// refusedByVerifier reports whether an error is the verifier's.
func refusedByVerifier(err error) bool {
	var refused *bpf.Refused
	return errors.As(err, &refused)
}
