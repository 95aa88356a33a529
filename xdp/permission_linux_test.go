package xdp

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// What forbids a capture is told apart, so that nobody looks in the wrong place.
func TestPermissionHints(t *testing.T) {
	all := privileges{perfmon: true}
	const (
		capability = "missing CAP_BPF"
		seccomp    = "seccomp filter of this process forbids"
		either     = "or its user namespace"
		namespace  = "user namespace of its own"
		module     = "security module"
		foreign    = "the user namespace that the network namespace belongs to"
		sockets    = "may forbid AF_XDP sockets"
	)
	for _, test := range []struct {
		name, step string
		p          privileges
		want       string
	}{
		{"capability", stepLoad, privileges{missing: []string{"CAP_BPF"}, filtered: true, userNS: true}, capability},
		{"seccomp", stepLoad, privileges{filtered: true}, seccomp},
		{"seccomp", stepAttach + " (native)", privileges{filtered: true}, seccomp},
		{"seccomp and namespace", stepLoad, privileges{filtered: true, userNS: true}, either},
		{"namespace", stepLoad, privileges{userNS: true}, namespace},
		{"no filter for sockets", stepSocket, privileges{}, foreign},
		{"a filter for sockets", stepSocket, privileges{filter: true}, sockets},
		{"a filter for sockets too", stepSocket, privileges{filter: true, filtered: true}, sockets},
		{"sockets, and namespace", stepSocket, privileges{filter: true, userNS: true}, namespace},
		{"a filter, which lets bpf through", stepLoad, privileges{filter: true}, module},
		{"a filter is nothing to bind", stepBind, privileges{filter: true}, foreign},
		{"security module", stepLoad, all, module},
		{"another's network namespace", stepBind, all, foreign},
	} {
		got := test.p.hint(test.step)
		for _, text := range []string{capability, seccomp, either, namespace, module, foreign, sockets} {
			if strings.Contains(got, text) != (text == test.want) {
				t.Errorf("%s, %s: hint %q, want %q", test.name, test.step, got, test.want)
			}
		}
	}
	verifier := &bpf.Refused{Program: "weir"}
	if !refusedByVerifier(verifier) || refusedByVerifier(unix.EACCES) {
		t.Error("a refusal of the verifier is not told from other errors")
	}
	if got := (privileges{}).verifierHint(); !strings.Contains(got, "CAP_PERFMON") {
		t.Errorf("without CAP_PERFMON: %q", got)
	}
	if got := all.verifierHint(); strings.Contains(got, "CAP_PERFMON") {
		t.Errorf("with CAP_PERFMON: %q", got)
	}
}

func TestReadPrivileges(t *testing.T) {
	for text, want := range map[string]bool{
		"Name:\tweir\nSeccomp:\t2\nSeccomp_filters:\t1\n": true, "Seccomp:\t0\n": false, "Seccomp_filters:\t2\n": false, "": false,
	} {
		if got := hasSeccompFilter([]byte(text)); got != want {
			t.Errorf("status %q: filter %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		"         0          0 4294967295\n": true, "0 100000 65536\n": false, "0 0 1\n1 100000 4294967294\n": false,
	} {
		if got := wholeUIDMap([]byte(text)); got != want {
			t.Errorf("uid_map %q: whole %v, want %v", text, got, want)
		}
	}
}

// A seccomp filter that forbids bpf(2) or AF_XDP sockets is named, with all capabilities
// and none lost, whether it says EPERM or, as those of some containers, ENOSYS.
func TestSeccomp(t *testing.T) {
	l := newLab(t, 1, 0)
	l.open(Config{}).Close() // or skip
	for _, test := range []struct {
		name   string
		call   uint32
		first  uint32 // its first argument, if it is not 0
		answer unix.Errno
		step   string
		words  []string
	}{
		{"bpf, EPERM", unix.SYS_BPF, 0, unix.EPERM, stepLoad, []string{"seccomp", "SystemCallFilter=bpf"}},
		{"bpf, ENOSYS", unix.SYS_BPF, 0, unix.ENOSYS, stepLoad, []string{"seccomp filter of this process hides the system call bpf"}},
		{"AF_XDP, EPERM", unix.SYS_SOCKET, unix.AF_XDP, unix.EPERM, stepSocket, []string{"seccomp", "may forbid AF_XDP sockets"}},
		{"AF_XDP, ENOSYS", unix.SYS_SOCKET, unix.AF_XDP, unix.ENOSYS, stepSocket, []string{"seccomp filter of this process hides AF_XDP sockets"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c *Capture
			var own privileges
			var unsupported string                     // the hint for what the library makes of ENOSYS
			err := l.collector.Do(func() (err error) { // on a thread that ends
				if err := forbid(test.call, test.first, test.answer); err != nil {
					return err
				}
				own, unsupported = ownPrivileges(), hint(test.step, ebpf.ErrNotSupported)
				c, err = Open(Config{Interface: "veth0", Workers: 1, Load: loader(t, nil)})
				return err
			})
			if !own.filter || own.filtered != (test.call == unix.SYS_BPF) {
				t.Errorf("%+v: the filter is not noticed", own)
			}
			if own.userNS && test.answer == unix.EPERM {
				return // in a user namespace the filter is only one of two reasons
			}
			want := error(test.answer)
			if errors.Is(err, ebpf.ErrNotSupported) { // the library had not tried it before
				want = ebpf.ErrNotSupported
			}
			l.wantRefusal(c, err, test.step, want, test.words...)
			if says := strings.Contains(unsupported, "seccomp filter"); says != (test.call == unix.SYS_BPF) {
				t.Errorf("hint where bpf is not supported: %q", unsupported)
			}
		})
	}
}
