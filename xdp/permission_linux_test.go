package xdp

import (
	"strings"
	"testing"

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
		{"a filter is nothing to sockets", stepSocket, privileges{filtered: true}, foreign},
		{"security module", stepLoad, all, module},
		{"another's network namespace", stepBind, all, foreign},
	} {
		got := test.p.hint(test.step)
		for _, text := range []string{capability, seccomp, either, namespace, module, foreign} {
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

// A seccomp filter that forbids bpf(2) is named, with all capabilities and none lost.
func TestSeccomp(t *testing.T) {
	l := newLab(t, 1, 0)
	l.open(Config{}).Close() // or skip
	var c *Capture
	var own privileges
	err := l.collector.Do(func() (err error) { // on a thread that ends
		if err := forbid(unix.SYS_BPF); err != nil {
			return err
		}
		own = ownPrivileges()
		c, err = Open(Config{Interface: "veth0", Workers: 1, Load: loader(t, nil)})
		return err
	})
	if !own.filtered {
		t.Errorf("%+v: the filter is not noticed", own)
	}
	if own.userNS {
		t.Skip("in a user namespace the filter is only one of two reasons")
	}
	l.wantRefusal(c, err, stepLoad, unix.EPERM, "seccomp", "SystemCallFilter=bpf")
}
