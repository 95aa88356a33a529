package xdp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// wantRefusal wants a refusal at a step that wraps an error and whose text has all
// of the words; and that it leaves nothing on the interface.
func (l *lab) wantRefusal(c *Capture, err error, step string, errno error, words ...string) {
	l.t.Helper()
	if err == nil {
		c.Close()
		l.t.Error("it was not refused")
		return
	}
	var r *Refusal
	if !errors.As(err, &r) || !strings.HasPrefix(r.Step, step) || !errors.Is(err, errno) {
		l.t.Errorf("%v (%T): want %v in step %q", err, err, errno, step)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			l.t.Errorf("%v: want %q in it", err, word)
		}
	}
}

func TestRefusals(t *testing.T) {
	l := newLab(t, 2, 0)
	l.open(Config{}).Close() // or skip
	linear := func(target Target) (Program, error) {
		target.Frags = false
		return loader(t, nil)(target)
	}
	failed := errors.New("mine")
	tests := []struct {
		name  string
		cfg   Config
		mtu   int
		step  string
		err   error
		words []string
	}{
		{"no interface", Config{Interface: "eth7"}, 0, stepFind, ErrNoInterface, []string{"eth7", "ip link"}},
		{"too many queues", Config{Queues: 3}, 0, stepFind, ErrTooFewQueues, []string{"2, not 3"}},
		{"program", Config{Load: func(Target) (Program, error) { return nil, failed }}, 0, stepLoad, failed, nil},
		{"no native XDP", Config{Interface: "lo", Mode: Native}, 0, stepAttach, unix.EOPNOTSUPP, []string{"(native)", "generic mode"}},
		{"no zero-copy", Config{ZeroCopy: ZeroCopyOn}, 0, stepBind, unix.EOPNOTSUPP, []string{"queue 0", "zero-copy to auto"}},
		{"zero-copy is not generic", Config{Interface: "lo", ZeroCopy: ZeroCopyOn}, 0, stepAttach, unix.EOPNOTSUPP, nil},
		{"MTU", Config{Mode: Native, Load: linear}, 9000, stepAttach, unix.ERANGE, []string{"MTU is too large"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.mtu != 0 {
				l = newLab(t, 2, test.mtu)
			}
			c, err := l.tryOpen(test.cfg)
			l.wantRefusal(c, err, test.step, test.err, test.words...)
			if id := l.programOn(); id != 0 {
				t.Errorf("program %d is left on the interface", id)
			}
		})
	}
}

// Auto falls back to generic mode, and says why not native.
func TestFallsBackToGeneric(t *testing.T) {
	l := newLab(t, 2, 0)
	setChannels(t, l, 1) // fewer than the exporter has to transmit
	for name, want := range map[string]error{"veth0": unix.ENOSPC, "lo": unix.EOPNOTSUPP} {
		c := l.open(Config{Interface: name, ZeroCopy: ZeroCopyAuto})
		mode, zeroCopy := c.Mode()
		if mode != "generic" || zeroCopy || !errors.Is(c.PassedOver(), want) {
			t.Errorf("%s: %s, zero-copy %v, because %v; want %v", name, mode, zeroCopy, c.PassedOver(), want)
		}
		if c.Interface().Queues != 1 || c.Queues() != 1 {
			t.Errorf("%s: %+v, %d queues", name, c.Interface(), c.Queues())
		}
		c.Close()
	}
	_, err := l.tryOpen(Config{Mode: Native})
	l.wantRefusal(nil, err, stepAttach, unix.ENOSPC, "transmit queues")
}

// setChannels sets the number of receive queues of the collector's interface.
func setChannels(t *testing.T, l *lab, n uint32) {
	t.Helper()
	err := l.collector.Do(func() error {
		p, err := newProber()
		if err != nil {
			return err
		}
		defer p.close()
		channels := ethtoolChannels{cmd: unix.ETHTOOL_GCHANNELS}
		if err := ethtoolChannelsIoctl(p.ethtool, "veth0", &channels); err != nil {
			return err
		}
		channels.cmd, channels.rxCount = unix.ETHTOOL_SCHANNELS, n
		return ethtoolChannelsIoctl(p.ethtool, "veth0", &channels)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Another program on the interface is named, and stays.
func TestForeignProgramStays(t *testing.T) {
	for _, held := range []Mode{Native, Generic} {
		for _, ours := range []Mode{Auto, Native, Generic} {
			t.Run(fmt.Sprintf("%v on %v", ours, held), func(t *testing.T) {
				l := newLab(t, 1, 0)
				l.open(Config{}).Close() // or skip
				foreign, err := ebpf.NewProgram(&ebpf.ProgramSpec{
					Name: "foreigner", Type: ebpf.XDP, License: "GPL",
					Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
				})
				if err != nil {
					t.Fatal(err)
				}
				defer foreign.Close()
				flags := map[Mode]link.XDPAttachFlags{Native: link.XDPDriverMode, Generic: link.XDPGenericMode}
				var attached link.Link
				if err := l.collector.Do(func() error {
					i, err := Probe("veth0")
					if err == nil {
						attached, err = link.AttachXDP(link.XDPOptions{Program: foreign, Interface: i.Index, Flags: flags[held]})
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				defer attached.Close()
				info, err := foreign.Info()
				if err != nil {
					t.Fatal(err)
				}
				id, _ := info.ID()

				start := time.Now()
				c, err := l.tryOpen(Config{Mode: ours})
				errno := unix.EBUSY
				if held != ours && !(held == Native && ours == Auto) {
					errno = unix.EEXIST // what the kernel says about the other mode
				}
				l.wantRefusal(c, err, stepAttach, errno, fmt.Sprintf("XDP program %d", id), "foreigner", info.Tag, "not evicted")
				var r *Refusal
				if errors.As(err, &r) && (r.Holder == nil || *r.Holder != Holder{ID: uint32(id), Name: "foreigner", Tag: info.Tag}) {
					t.Errorf("Holder = %v", r.Holder)
				}
				if now := l.programOn(); now != uint32(id) {
					t.Errorf("program %d is on the interface, want %d", now, id)
				}
				if took := time.Since(start); took > bindPatience {
					t.Errorf("the refusal took %v", took)
				}
			})
		}
	}
}

func TestSecondCaptureIsRefused(t *testing.T) {
	l := newLab(t, 1, 0)
	first := l.open(Config{})
	c, err := l.tryOpen(Config{})
	l.wantRefusal(c, err, stepAttach, unix.EBUSY, fmt.Sprintf("XDP program %d", first.programID), "veth0")
	l.send(l.from(0, 7, 100))
	gather(t, first.Worker(0), 1, func(f Frame) {
		if _, number, err := identify(l, f); err != nil || number != 7 {
			t.Errorf("datagram %d: %v", number, err)
		}
	})
}

// Open does not wait for a queue that another socket holds once Config.Done is closed.
func TestOpenDone(t *testing.T) {
	l := newLab(t, 1, 0)
	first := l.open(Config{})
	done := make(chan struct{})
	close(done)
	plan := queuePlan{workers: 1, ringSize: 64, layout: layout{chunk: smallChunk}, done: done}
	start := time.Now()
	err := l.collector.Do(func() error {
		_, err := openQueue(first.Interface(), 0, plan)
		return err
	})
	l.wantRefusal(first, err, stepBind, unix.EBUSY, "queue 0", "another AF_XDP socket")
	if took := time.Since(start); took >= bindPatience {
		t.Errorf("it took %v", took)
	}
}

// A queue that another socket holds is waited for, but not for ever.
func TestQueueIsHeld(t *testing.T) {
	l := newLab(t, 1, 0)
	c := l.open(Config{})
	device := c.Interface()
	plan := queuePlan{workers: 1, ringSize: 64, layout: layout{chunk: smallChunk}}
	var second *queue
	err := l.collector.Do(func() (err error) {
		second, err = openQueue(device, 0, plan)
		return err
	})
	l.wantRefusal(c, err, stepBind, unix.EBUSY, "queue 0", "another AF_XDP socket")
	time.AfterFunc(100*time.Millisecond, func() { c.Close() })
	err = l.collector.Do(func() (err error) {
		second, err = openQueue(device, 0, plan)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	second.close()
}

// dropCaps takes capabilities from the calling thread, which must end with the test.
func dropCaps(numbers ...uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, n := range numbers {
		data[n/32].Effective &^= 1 << (n % 32)
	}
	return unix.Capset(&header, &data[0])
}

func TestMissingCapabilities(t *testing.T) {
	l := newLab(t, 1, 0)
	l.open(Config{}).Close() // or skip
	tests := []struct {
		name, step string
		drop       []uint
	}{
		{"CAP_NET_RAW", stepSocket, []uint{unix.CAP_NET_RAW}},
		{"CAP_BPF", stepLoad, []uint{unix.CAP_BPF, unix.CAP_SYS_ADMIN}},
		{"CAP_NET_ADMIN", stepLoad, []uint{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}},
		{"CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF", stepLoad, []uint{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_BPF, unix.CAP_SYS_ADMIN}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c *Capture
			err := l.collector.Do(func() (err error) { // on a thread that ends
				if err := dropCaps(test.drop...); err != nil {
					return err
				}
				c, err = Open(Config{Interface: "veth0", Workers: 1, Load: loader(t, nil)})
				return err
			})
			l.wantRefusal(c, err, test.step, unix.EPERM, "missing "+test.name)
			if id := l.programOn(); id != 0 {
				t.Errorf("program %d is left on the interface", id)
			}
		})
	}
	// Only the three: a service does not get more.
	var c *Capture
	err := l.collector.Do(func() (err error) {
		var all []uint
		for n := range uint(unix.CAP_LAST_CAP + 1) {
			if n != unix.CAP_NET_RAW && n != unix.CAP_NET_ADMIN && n != unix.CAP_BPF && n != unix.CAP_IPC_LOCK {
				all = append(all, n)
			}
		}
		if err := dropCaps(all...); err != nil {
			return err
		}
		c, err = Open(Config{Interface: "veth0", Workers: 2, Load: loader(t, nil)})
		return err
	})
	if err != nil {
		t.Fatalf("with the capabilities that it asks for: %v", err)
	}
	c.Close()
}

func TestHints(t *testing.T) {
	for _, test := range []struct {
		step string
		err  error
		want string
	}{
		{stepSocket, unix.EAFNOSUPPORT, "CONFIG_XDP_SOCKETS"},
		{stepBind + " to queue 3", unix.EINVAL, "no such queue"},
		{stepMemory, unix.ENOMEM, "smaller rings"},
		{stepLoad, fmt.Errorf("load program: %w: %w", bpf.ErrMemlock, unix.EPERM), "RLIMIT_MEMLOCK"},
		{stepAttach, unix.ENOSPC, "ethtool -L"},
		{stepMap, unix.ENOSPC, ""},
		{stepAttach + " (native)", unix.EBUSY, "another XDP program"},
		{stepBind + " to queue 0", unix.EBUSY, "another AF_XDP socket"},
		{stepRings, unix.EBUSY, ""},
		{stepAttach + " (native)", unix.EINVAL, "smaller MTU"},
	} {
		r := refuse("eth0", test.step, test.err)
		if test.want == "" && r.Hint != "" || !strings.Contains(r.Hint, test.want) {
			t.Errorf("%s, %v: hint %q, want %q", test.step, test.err, r.Hint, test.want)
		}
		if want := "open xdp on eth0: " + test.step; !strings.HasPrefix(r.Error(), want) {
			t.Errorf("%v: want %q first", r, want)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	_, err := Open(Config{Queues: -1, Mode: Generic, ZeroCopy: ZeroCopyOn, RingSize: 1000, BusyPoll: -1, BusyPollBudget: -1})
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{"interface", "queues", "workers", "zero-copy", "ring size: 1000", "busy poll:", "budget", "load"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q in it", err, want)
		}
	}
	for _, m := range []Mode{Auto, Native, Generic} {
		if got, err := ParseMode(m.String()); got != m || err != nil {
			t.Errorf("ParseMode(%v) = %v, %v", m, got, err)
		}
	}
	for _, z := range []ZeroCopy{ZeroCopyAuto, ZeroCopyOn, ZeroCopyOff} {
		if got, err := ParseZeroCopy(z.String()); got != z || err != nil {
			t.Errorf("ParseZeroCopy(%v) = %v, %v", z, got, err)
		}
	}
	if _, err := ParseMode("offload"); err == nil {
		t.Error("mode offload was taken")
	}
	if _, err := Probe("no-such-interface"); !errors.Is(err, ErrNoInterface) {
		t.Errorf("Probe: %v", err)
	}
}
