package live

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
)

// refusedXDP is a capture that cannot be.
type refusedXDP struct {
	name    string
	args    []string
	prepare func(t *testing.T, l *xdpLab) // before weir is started
	asUser  func(cmd *testnet.Cmd)        // nil: as root
	words   []string                      // in what weir says about it
}

// nobody has a program run without root's rights, but for some capabilities.
func nobody(caps ...uintptr) func(cmd *testnet.Cmd) {
	return func(cmd *testnet.Cmd) {
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
			AmbientCaps: caps,
		}
	}
}

// lockedMemory lets a program lock 64 KiB and no more.
func lockedMemory(then func(cmd *testnet.Cmd)) func(cmd *testnet.Cmd) {
	return func(cmd *testnet.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `ulimit -l 64; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		then(cmd)
	}
}

// foreigner attaches another program, which passes all, and returns its number.
func foreigner(t *testing.T, l *xdpLab) uint32 {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "foreigner", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	index := l.link(l.collector).Attrs().Index
	var attached link.Link
	if err := l.collector.Do(func() (err error) {
		attached, err = link.AttachXDP(link.XDPOptions{Program: program, Interface: index, Flags: link.XDPDriverMode})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { attached.Close() })
	return l.programOn()
}

var refusedXDPs = []refusedXDP{
	{name: "no capabilities", asUser: nobody(),
		words: []string{"missing CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF"}},
	{name: "no CAP_BPF", asUser: nobody(unix.CAP_NET_RAW, unix.CAP_NET_ADMIN),
		words: []string{"missing CAP_BPF"}},
	{name: "no CAP_NET_ADMIN", asUser: nobody(unix.CAP_NET_RAW, unix.CAP_BPF),
		words: []string{"missing CAP_NET_ADMIN"}},
	{name: "no CAP_NET_RAW", asUser: nobody(unix.CAP_NET_ADMIN, unix.CAP_BPF),
		words: []string{"missing CAP_NET_RAW"}},
	{name: "locked memory", asUser: lockedMemory(nobody(unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_BPF)),
		words: []string{"RLIMIT_MEMLOCK", "CAP_IPC_LOCK"}},
	{name: "another program", prepare: func(t *testing.T, l *xdpLab) { foreigner(t, l) },
		words: []string{`foreigner`, "is not evicted", "ip link set dev eth0 xdp off"}},
	{name: "another program, generic mode", args: []string{"-xdp.mode", "generic"}, prepare: func(t *testing.T, l *xdpLab) { foreigner(t, l) },
		words: []string{`foreigner`, "is not evicted"}},
	{name: "MTU of the other end", args: []string{"-xdp.mode", "native"}, prepare: func(_ *testing.T, l *xdpLab) { l.setMTU(l.exporter, 9000) },
		words: []string{"attach program (native)", "the MTU is too large"}},
	{name: "no such interface", args: []string{"-xdp.interface", "eth7"},
		words: []string{"eth7", "no such network interface", "ip link"}},
	{name: "no native mode", args: []string{"-xdp.interface", "lo", "-xdp.mode", "native"},
		words: []string{"lo", "no native XDP", "generic"}},
	{name: "no zero-copy", args: []string{"-xdp.zerocopy", "on"},
		words: []string{"no zero-copy", "auto or off"}},
	{name: "too few queues", args: []string{"-xdp.queues", "8"},
		words: []string{"fewer receive queues", "1, not 8"}},
}

// publicDir makes a folder that everybody may write to.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestXDPRefused: what keeps weir from capturing is said in a word that helps, and
// it goes on over UDP; with -xdp.require it ends.
func TestXDPRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range refusedXDPs {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, 1)
			if tc.prepare != nil {
				tc.prepare(t, l)
			}
			holder := l.programOn()
			file := filepath.Join(publicDir(t), "flows.json")
			name := "eth0"
			if len(tc.args) > 0 && tc.args[0] == "-xdp.interface" {
				name = tc.args[1]
			}
			command := func(more ...string) *testnet.Cmd {
				args := append([]string{"-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms", "-xdp.interface", "eth0"}, tc.args...)
				cmd := weirCommand(l.collector, append(args, more...)...)
				if tc.asUser != nil {
					tc.asUser(cmd)
				}
				return cmd
			}

			required := command("-xdp.require")
			code, _, stderr := runWeir(t, required)
			if code != 1 {
				t.Errorf("with -xdp.require: code %d, want 1", code)
			}
			last := stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:]
			for _, want := range append(tc.words, "weir: ", "-xdp.require") {
				if !strings.Contains(last, want) {
					t.Errorf("with -xdp.require: no %q in %q", want, last)
				}
			}

			w := startWeirCommand(t, l.collector, file, command())
			for _, want := range tc.words {
				if !strings.Contains(strings.ReplaceAll(w.out.String(), `\"`, `"`), want) {
					t.Errorf("no %q in what weir wrote", want)
				}
			}
			if n := w.out.count("not captured by XDP"); n != 1 {
				t.Errorf("%d lines that it is not captured, want one", n)
			}
			const datagrams = 100
			l.deliver(w, l.numberedFrames(0, datagrams))
			m := w.settleBoth(datagrams)
			m.lossless(t)
			if m.path("udp") != datagrams || m.mode(name) != "udp" || m.verdict("redirect") != 0 {
				t.Errorf("%d datagrams over udp, want %d; mode %q", m.path("udp"), datagrams, m.mode(name))
			}
			if status, page, err := w.get("/__health"); err != nil || status != 200 || page != "OK\ncapture "+name+" udp\n" {
				t.Errorf("health: status %d, %v: %q", status, err, page)
			}
			w.stop()
			eachOnce(t, numbersOf(readLines(t, file)), datagrams*recordsPerDatagram)
			if now := l.programOn(); now != holder {
				t.Errorf("XDP program %d is on the interface, was %d", now, holder)
			}
		})
	}
}

// TestXDPWithoutRoot: four capabilities are enough.
func TestXDPWithoutRoot(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 2)
	file := filepath.Join(publicDir(t), "flows.json")
	cmd := weirCommand(l.collector, "-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms", "-xdp.interface", "eth0", "-xdp.require")
	nobody(unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_BPF, unix.CAP_IPC_LOCK)(cmd)
	w := startWeirCommand(t, l.collector, file, cmd)
	l.deliver(w, l.numberedFrames(0, 500))
	if m := w.settleBoth(500); m.path("xdp") != 500 || m.mode("eth0") != "native" {
		t.Errorf("%d datagrams by AF_XDP of 500, mode %q", m.path("xdp"), m.mode("eth0"))
	}
	w.stop()
	l.noProgram()
	eachOnce(t, numbersOf(readLines(t, file)), 500*recordsPerDatagram)
}

// TestXDPKilled: a weir that is killed takes its program along: the stack works,
// and so does the next capture.
func TestXDPKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range []int{0, 2} {
		kind := xdpKinds[kind]
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			w := startXDP(l, "-xdp.mode", kind.mode)
			stop := l.stream(burst, func(i int) []byte { return l.frame(source(i%16), netflow5(0, 1)) })
			w.waitMetric(1000, "datagrams_received_total", `path="xdp"`)
			w.signal(syscall.SIGKILL)
			w.waitEnd()
			stop()
			l.noProgram()

			plain := startWeir(t, l.collector)
			l.deliver(plain, l.numberedFrames(0, 100))
			plain.settle(100).lossless(t)
			plain.stop()

			again := startXDP(l, "-xdp.mode", kind.mode)
			l.deliver(again, l.numberedFrames(0, 100))
			if m := again.settleBoth(100); m.path("xdp") != 100 {
				t.Errorf("%d datagrams by AF_XDP after the restart, want 100", m.path("xdp"))
			}
			again.stop()
			l.noProgram()
		})
	}
}

// TestXDPSecond: a second weir on the same interface is refused, and told by
// whom; it receives over UDP until the first is gone.
func TestXDPSecond(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 2)
	const datagrams = 200
	first := startXDP(l, "-addr", ":8081")
	holder := l.programOn()
	args := []string{"-listen", "flow://:2057", "-xdp.interface", "eth0"}
	word := fmt.Sprintf("XDP program %d", holder)

	code, _, stderr := runWeir(t, weirCommand(l.collector, append(args, "-xdp.require", "-addr", "")...))
	if code != 1 || !strings.Contains(stderr, word) || !strings.Contains(stderr, "not evicted") || !strings.Contains(stderr, fmt.Sprintf("(process %d)", first.cmd.Process.Pid)) {
		t.Errorf("with -xdp.require: code %d, %q", code, stderr)
	}
	second := startWeir(t, l.collector, args...)
	second.waitFor(word)
	toSecond := func(first, n int) (frames [][]byte) {
		for i := first; i < first+n; i++ {
			src := source(i % 16)
			frames = append(frames, l.frameTo(src, netip.AddrPortFrom(collectorPort4.Addr(), 2057), netflow5(i*recordsPerDatagram, recordsPerDatagram)))
		}
		return frames
	}
	l.send(l.numberedFrames(0, datagrams)...)
	l.deliver(second, toSecond(0, datagrams))
	m := second.settleBoth(datagrams)
	if m.path("udp") != datagrams || m.mode("eth0") != "udp" {
		t.Errorf("%d datagrams over udp, want %d; mode %q", m.path("udp"), datagrams, m.mode("eth0"))
	}
	if now := l.programOn(); now != holder {
		t.Errorf("program %d is on the interface, was %d", now, holder)
	}
	first.stop()
	first.waitFor(fmt.Sprintf("datagrams_received=%d ", datagrams))
	eachOnce(t, numbersOf(readLines(t, first.file)), datagrams*recordsPerDatagram)

	eventually(t, "the second captures", func() bool { return second.scrape().mode("eth0") == "native" })
	l.deliver(second, toSecond(datagrams, datagrams))
	if m := second.settleBoth(2 * datagrams); m.path("xdp") != datagrams {
		t.Errorf("%d datagrams by AF_XDP, want %d", m.path("xdp"), datagrams)
	}
	second.stop()
	l.noProgram()
	eachOnce(t, numbersOf(readLines(t, second.file)), 2*datagrams*recordsPerDatagram)
}
