package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// withCapabilities runs fn on a thread that has these capabilities and no others,
// and that ends with it.
func withCapabilities(t *testing.T, caps []uint, fn func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		for _, c := range caps {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		err := unix.Capset(&header, &data[0])
		if err == nil {
			fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("give up capabilities: %v", err)
	}
}

// Two capabilities are enough to load, to run and to read; CAP_SYS_ADMIN and
// CAP_PERFMON are not among them, and the limit of locked memory stays.
func TestCapabilities(t *testing.T) {
	load(t, Config{}, listens()).Close() // skip where even this may not be
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{Workers: 1, Queues: 1},
		{Workers: 1, Queues: 1, MaxFrame: 3520},
		{Workers: 1, Queues: 1, MaxFrame: 3520, Host: host},
		{Workers: 4, Queues: 2, Frags: true, RatePPS: 1000, Host: host, Allow: prefixes("192.0.2.0/24"), Deny: prefixes("2001:db8::/32")},
	} {
		withCapabilities(t, []uint{unix.CAP_BPF, unix.CAP_NET_ADMIN}, func() {
			p, err := Load(cfg, listens())
			if err != nil {
				t.Errorf("load with CAP_BPF and CAP_NET_ADMIN: %s", withLog(err))
				return
			}
			defer p.Close()
			if _, err := p.XDP().Run(options(v4(datagram{}), nil)); err != nil {
				t.Errorf("run: %v", err)
			}
			sums, err := p.Verdicts()
			if err != nil || sums[PassNoSocket] != 1 {
				t.Errorf("verdicts %v, %v: want one %v", sums, err, PassNoSocket)
			}
			if err := p.RateLimited(func(netip.Addr, uint64) bool { return true }); err != nil {
				t.Error(err)
			}
		})
	}
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &after); err != nil {
		t.Fatal(err)
	}
	if before != after && !memlockLimits() {
		t.Errorf("RLIMIT_MEMLOCK was %v, is %v", before, after)
	}
}

// The twin for older kernels needs one capability more.
func TestCapabilitiesBefore518(t *testing.T) {
	load(t, Config{}, listens()).Close()
	withCapabilities(t, []uint{unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_PERFMON}, func() {
		p, err := loadEntry(Config{Workers: 1, Queues: 1}, listens(), weirProgWeirBefore518)
		if err != nil {
			t.Errorf("load with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: %s", withLog(err))
			return
		}
		p.Close()
	})
}

func TestMissingCapability(t *testing.T) {
	load(t, Config{}, listens()).Close()
	if memlockLimits() {
		t.Skip("this kernel says EPERM for locked memory too")
	}
	for name, caps := range map[string][]uint{
		"none":          nil,
		"CAP_NET_ADMIN": {unix.CAP_NET_ADMIN},
		"CAP_BPF":       {unix.CAP_BPF},
	} {
		withCapabilities(t, caps, func() {
			p, err := Load(Config{Workers: 1, Queues: 1}, listens())
			if err == nil {
				p.Close()
			}
			if !errors.Is(err, unix.EPERM) || errors.Is(err, ErrMemlock) {
				t.Errorf("load with %s: %v, want %v", name, err, unix.EPERM)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	_, err := Load(Config{}, []Listen{{Port: 1}, {Addr: collector4}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"workers: want", "queues: want", "no port with address " + collector4.String()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := Load(Config{Workers: 1, Queues: 1}, nil); err == nil || !strings.Contains(err.Error(), "listen: want") {
		t.Errorf("without addresses: %v", err)
	}
}

func TestManyListensAndRules(t *testing.T) {
	var list []Listen
	for port := range uint16(300) {
		list = append(list, Listen{Port: 2000 + port}, Listen{Addr: collector4, Port: 2000 + port}, Listen{Addr: collector6, Port: 2000 + port})
	}
	cfg := Config{Workers: 1, Queues: 1}
	a := netip.MustParseAddr("10.0.0.0")
	for range 2000 {
		cfg.Allow = append(cfg.Allow, netip.PrefixFrom(a, 32), netip.PrefixFrom(a, 30))
		a = a.Next()
	}
	p := load(t, cfg, append(list, list...))
	if v := run(t, p, v4(datagram{src: netip.MustParseAddr("10.0.7.207"), port: 2299}), nil); v != PassNoSocket {
		t.Errorf("last of all: %v, want %v", v, PassNoSocket)
	}
	if v := run(t, p, v4(datagram{src: netip.MustParseAddr("10.0.7.208"), port: 2299}), nil); v != DropDenied {
		t.Errorf("after the last: %v, want %v", v, DropDenied)
	}
}

// A low limit of locked memory is nothing to a kernel that charges the memory cgroup.
func TestMemlockLimits(t *testing.T) {
	load(t, Config{}, listens()).Close()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before)
	p, err := Load(Config{Workers: 1, Queues: 1}, listens())
	if err != nil {
		t.Fatalf("this kernel limits maps, or says so: %s", withLog(err))
	}
	p.Close()
	if memlockLimits() {
		t.Error("this kernel is said to limit maps, and made them")
	}
}

// The programs are tried in order: the next where the kernel cannot run one, not where this
// process may not load it.
func TestLoadFirst(t *testing.T) {
	refused := &Refused{Program: "a", err: unix.EACCES}
	for _, test := range []struct {
		name  string
		errs  map[string]error
		want  error
		tried string
	}{
		{"the first", nil, nil, "a"},
		{"the verifier refuses it", map[string]error{"a": refused}, nil, "ab"},
		{"it needs what the kernel has not", map[string]error{"a": fmt.Errorf("map: %w", ebpf.ErrNotSupported)}, nil, "ab"},
		{"both are refused", map[string]error{"a": refused, "b": unix.EINVAL}, refused, "ab"},
		{"a capability is missing", map[string]error{"a": unix.EPERM}, unix.EPERM, "a"},
	} {
		tried := ""
		_, err := loadFirst([]string{"a", "b"}, func(entry string) (*Program, error) {
			tried += entry
			return nil, test.errs[entry]
		})
		if !errors.Is(err, test.want) || tried != test.tried {
			t.Errorf("%s: %v after %s, want %v after %s", test.name, err, tried, test.want, test.tried)
		}
	}
}
