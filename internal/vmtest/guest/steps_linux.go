package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// verify has the kernel verify the program, with and without frames of several
// buffers, and tells how many instructions it went through for each.
func (l *lab) verify() (string, error) {
	var parts []string
	for _, frags := range []bool{false, true} {
		p, err := bpf.Load(bpf.Config{
			Workers: 2, Queues: 2, Frags: frags, RatePPS: 1000,
			Host: bpf.Host{MAC: [6]byte{2}, Addrs: []netip.Addr{netip.IPv6LinkLocalAllNodes()}},
		}, []bpf.Listen{{Port: port}})
		if err != nil {
			var refused *ebpf.VerifierError
			if errors.As(err, &refused) {
				return "", detailed{fmt.Errorf("frags %v: %w", frags, err), fmt.Sprintf("%+v", refused)}
			}
			return "", fmt.Errorf("frags %v: %w", frags, err)
		}
		info, err := p.XDP().Info()
		if err != nil {
			return "", errors.Join(err, p.Close())
		}
		n, ok := info.VerifiedInstructions()
		if !ok {
			return "", errors.Join(errors.New("the kernel does not tell the number of instructions"), p.Close())
		}
		parts = append(parts, fmt.Sprint(n))
		if err := p.Close(); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, " and with frags ") + " insns", nil
}

// check runs weir check, which must leave no program behind.
func (l *lab) check() (string, error) {
	out, err := command(weirProgram, "check", "-listen", fmt.Sprintf("flow://:%d", port), "-xdp.interface", nic, "-xdp.workers", "2", "-xdp.require")
	if err != nil {
		return "", detailed{fmt.Errorf("weir check: %w: %s", err, refusals(out)), out}
	}
	if err := unattached(); err != nil {
		return "", err
	}
	_, found, ok := strings.Cut(out, nic+": would be captured in ")
	if !ok {
		return "", fmt.Errorf("weir check does not tell the mode: %s", out)
	}
	found, _, _ = strings.Cut(found, "\n")
	return oneLine(found), carrier()
}

// refusals are the lines of weir check about what weir would not start with.
func refusals(out string) string {
	var found []string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "FAIL"); ok {
			found = append(found, oneLine(rest))
		}
	}
	return strings.Join(found, "; ")
}

// reasons are the errors that weir logged about the card.
func reasons(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "interface="+nic) {
			continue
		}
		if _, text, ok := strings.Cut(line, "error="); ok {
			if whole, err := strconv.QuotedPrefix(text); err == nil {
				text, _ = strconv.Unquote(whole)
			}
			found = append(found, oneLine(text))
		}
	}
	return strings.Join(slices.Compact(found), "; ")
}

// ranks are the modes from the least.
var ranks = []string{"udp", "generic", "native", "native-zerocopy"}

// attach starts weir.
func (l *lab) attach() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	m, err := l.weir.scrape()
	if err != nil {
		return "", err
	}
	l.mode = m.mode()
	id, err := programOn()
	if err != nil {
		return "", err
	}
	rank := slices.Index(ranks, l.mode)
	switch {
	case rank < 0:
		return "", fmt.Errorf("weir_capture_mode is no mode: %q", l.mode)
	case rank == 0:
		return "", fmt.Errorf("not captured: %s", reasons(l.weir.log.String()))
	case id == 0:
		return "", fmt.Errorf("the mode is %s, and no program on %s", l.mode, nic)
	case rank < slices.Index(ranks, l.expect):
		return "", fmt.Errorf("the mode is %s, want %s: %s", l.mode, l.expect, reasons(l.weir.log.String()))
	}
	return l.mode, carrier()
}

// receive receives an exact count, and tells how many queues had a part of it where
// the driver counts that.
func (l *lab) receive() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	text, err := l.exact(16 * window)
	if err != nil {
		return "", err
	}
	out, err := command("ethtool", "-S", nic)
	if err != nil {
		return text, nil // the driver has no counters
	}
	queues := map[string]bool{} // whether one has packets, by its number
	for _, found := range queuePackets.FindAllStringSubmatch(out, -1) {
		queues[found[1]] = queues[found[1]] || found[2] != "0"
	}
	used := 0
	for _, has := range queues {
		if has {
			used++
		}
	}
	if len(queues) == 0 {
		return text, nil
	}
	return fmt.Sprintf("%s, %d of %d queues", text, used, len(queues)), nil
}

// queuePackets are a queue's counters as virtio_net and igb name them.
var queuePackets = regexp.MustCompile(`(?m)^\s*rx_?(?:queue_)?(\d+)_(?:xdp_)?packets: (\d+)$`)

// fragments sends datagrams of two IP packets: the kernel puts them together, and
// they come over the socket.
func (l *lab) fragments() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	a, err := l.deliver(2*window, func(int) ([][]byte, int) {
		return l.frames.fragments(recordsFragments), recordsFragments
	})
	if err == nil && a.xdp > 0 {
		err = fmt.Errorf("%v", a)
	}
	return a.String(), err
}

// vlan sends frames with a tag, to a VLAN interface of the card: by which way they
// come depends on whether the card takes the tag off.
func (l *lab) vlan() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return "", err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = nic+".10", link.Attrs().Index
	tagged := &netlink.Vlan{LinkAttrs: attrs, VlanId: 10, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	if err := netlink.LinkAdd(tagged); err != nil {
		return "", fmt.Errorf("add VLAN: %w", err)
	}
	if err := netlink.LinkSetUp(tagged); err != nil {
		return "", fmt.Errorf("set VLAN up: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+attrs.Name+"/rp_filter", []byte("0"), 0); err != nil {
		return "", err
	}
	a, err := l.deliver(2*window, func(int) ([][]byte, int) {
		return [][]byte{l.frames.datagram(recordsFull-1, 10)}, recordsFull - 1
	})
	return a.String(), errors.Join(err, netlink.LinkDel(tagged))
}

// second starts another weir on the same interface, which must not get it, while
// the first receives on.
func (l *lab) second() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	id, err := programOn()
	if err != nil {
		return "", err
	}
	other, err := startWeir(secondAddr, port+1, "/tmp/second.json")
	if err != nil {
		return "", err
	}
	defer other.cmd.Process.Kill() //nolint:errcheck // it may have ended
	m, err := other.scrape()
	if err != nil {
		return "", err
	}
	if l.mode != "udp" && m.mode() != "udp" {
		return "", fmt.Errorf("the second weir captures in mode %q", m.mode())
	}
	text, err := l.exact(2 * window)
	if err != nil {
		return "", err
	}
	code, err := other.end(unix.SIGTERM)
	if err == nil && code != 0 {
		err = detailed{fmt.Errorf("the second weir ends with code %d", code), tail(other.log.String())}
	}
	if err != nil {
		return "", err
	}
	now, err := programOn()
	if err == nil && now != id {
		err = fmt.Errorf("program %d is on %s, was %d", now, nic, id)
	}
	if err != nil {
		return "", err
	}
	if l.mode == "udp" {
		return "both on sockets; " + text, nil
	}
	if why := reasons(other.log.String()); !strings.Contains(why, fmt.Sprintf("program %d ", id)) {
		return "", fmt.Errorf("the second weir does not name program %d, which has the interface: %s", id, why)
	}
	return "on sockets; the first: " + text, nil
}

// kill kills weir, which leaves no program behind, and starts it again.
func (l *lab) kill() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	if err := l.finish(unix.SIGKILL); err != nil {
		return "", err
	}
	if err := unattached(); err != nil {
		return "", err
	}
	if err := l.start(); err != nil {
		return "", err
	}
	return l.recover()
}

// jumbo starts weir at an MTU of 9000.
func (l *lab) jumbo() (text string, err error) {
	if err := l.finish(unix.SIGTERM); err != nil {
		return "", err
	}
	if err := setMTU(jumboMTU); err != nil {
		return "", err
	}
	defer func() {
		if err == nil {
			if err = l.finish(unix.SIGTERM); err == nil {
				err = setMTU(1500)
			}
		}
	}()
	if err := l.plain(recordsJumbo, 4, 10*time.Second); err != nil {
		return "", errors.Join(refusal{fmt.Errorf("without weir: %w", err)}, setMTU(1500))
	}
	if err := l.start(); err != nil {
		return "", err
	}
	if err := carrier(); err != nil {
		return "", err
	}
	m, err := l.weir.scrape()
	if err != nil {
		return "", err
	}
	if a, _, err := l.window([][][]byte{{l.frames.datagram(recordsSmall, 0)}}, quietLeast); err != nil || !a.all() {
		// The link may be a moment behind its carrier.
		time.Sleep(time.Second)
	}
	a, err := l.deliver(2*window, func(i int) ([][]byte, int) {
		records := recordsJumbo
		if i%4 == 3 {
			records = recordsFull
		}
		return [][]byte{l.frames.datagram(records, 0)}, records
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.mode(), err)
	}
	text = fmt.Sprintf("%s, %v", m.mode(), a)
	if m.mode() == "udp" {
		text += ": " + reasons(l.weir.log.String())
	}
	return text, nil
}

// setMTU sets the card's; a refusal is the driver's.
func setMTU(mtu int) error {
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return refusal{fmt.Errorf("MTU %d: %w", mtu, err)}
	}
	return carrier()
}

// detach stops weir: the exit code is 0, no program is left, and what comes then
// comes to an ordinary socket.
func (l *lab) detach() (string, error) {
	// As it was before a jumbo step that failed.
	link, err := netlink.LinkByName(nic)
	if err == nil && link.Attrs().MTU != 1500 {
		err = errors.Join(l.finish(unix.SIGTERM), setMTU(1500))
	}
	if err != nil {
		return "", err
	}
	if err := l.start(); err != nil {
		return "", err
	}
	if _, err := l.recover(); err != nil {
		return "", err
	}
	began := time.Now()
	if err := l.finish(unix.SIGTERM); err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := unattached(); err != nil {
		return "", err
	}
	if err := carrier(); err != nil {
		return "", err
	}
	if err := l.plain(recordsFull, window, patience); err != nil {
		return "", err
	}
	return fmt.Sprintf("code 0 in %.1fs", took.Seconds()), nil
}

// plain sends n datagrams to an ordinary socket, while weir does not run.
func (l *lab) plain(records, n int, patience time.Duration) error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 1<<16)
	for i := range n {
		frame := l.frames.datagram(records, 0)
		if err := l.send([][]byte{frame}); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Read(buf); err != nil {
			return fmt.Errorf("%d of %d frames of %d bytes came to an ordinary socket: %w", i, n, len(frame), err)
		}
	}
	return nil
}

// ledger tells whether the sums held in all lives.
func (l *lab) ledger() (string, error) {
	if err := l.finish(syscall.SIGTERM); err != nil {
		return "", err
	}
	if len(l.gaps) > 0 {
		return "", errors.New(strings.Join(l.gaps, "; "))
	}
	if l.lives == 0 || l.total == 0 {
		return "", errors.New("nothing was received")
	}
	return fmt.Sprintf("%d datagrams, %d records, %d lives", l.total, l.records, l.lives), nil
}
