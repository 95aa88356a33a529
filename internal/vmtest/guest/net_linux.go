package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// nic is the name of the card under test, gen that of the sender's.
	nic, gen = "eth0", "gen0"
	// The ends of the hardware addresses that QEMU gives them.
	nicEnd, genEnd = ":01", ":02"
	// jumboMTU is that of the sender from the beginning.
	jumboMTU = 9000
	// patience is how long anything that must happen may take: an emulated CPU may
	// have a tenth of one of a busy host.
	patience = 4 * time.Minute
)

// eventually waits until cond holds and reports whether it does.
func eventually(cond func() bool) bool {
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// wires makes the network: the card under test here, the sender in a namespace.
// It returns the sender's packet socket and the maker of its frames.
func wires(driver string) (socket int, f *framer, err error) {
	// The sender's first: the other's name may be its own until then.
	sender, err := named(genEnd, gen)
	if err != nil {
		return 0, nil, err
	}
	under, err := named(nicEnd, nic)
	if err != nil {
		return 0, nil, err
	}
	if have := driverOf(nic); have != driver {
		return 0, nil, fmt.Errorf("the driver of %s is %q, want %q", nic, have, driver)
	}
	if lo, err := netlink.LinkByName("lo"); err != nil {
		return 0, nil, err
	} else if err := netlink.LinkSetUp(lo); err != nil {
		return 0, nil, err
	}
	// Debian's fq_codel drops what waits for a slow machine.
	if err := os.WriteFile("/proc/sys/net/core/default_qdisc", []byte("pfifo_fast"), 0); err != nil {
		return 0, nil, err
	}
	for _, name := range []string{"all", "default", nic} {
		for file, value := range map[string]string{"ipv4/conf/" + name + "/rp_filter": "0", "ipv6/conf/" + name + "/disable_ipv6": "1"} {
			if err := os.WriteFile("/proc/sys/net/"+file, []byte(value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
				return 0, nil, err
			}
		}
	}
	addr, err := netlink.ParseAddr(collector.String() + "/16")
	if err != nil {
		return 0, nil, err
	}
	if err := netlink.AddrAdd(under, addr); err != nil {
		return 0, nil, fmt.Errorf("give %s its address: %w", nic, err)
	}
	if err := netlink.LinkSetUp(under); err != nil {
		return 0, nil, fmt.Errorf("set %s up: %w", nic, err)
	}
	if socket, err = openSender(sender); err != nil {
		return 0, nil, fmt.Errorf("make sender: %w", err)
	}
	return socket, &framer{from: sender.Attrs().HardwareAddr, to: under.Attrs().HardwareAddr}, nil
}

// named gives the interface whose hardware address has this end its name.
func named(end, name string) (netlink.Link, error) {
	var all []netlink.Link
	if !eventually(func() bool { // cards are probed in the background
		var err error
		if all, err = netlink.LinkList(); err != nil {
			return false
		}
		for _, l := range all {
			if strings.HasSuffix(l.Attrs().HardwareAddr.String(), end) {
				return true
			}
		}
		return false
	}) {
		return nil, fmt.Errorf("no interface with hardware address ...%s among %d: is the driver in the image?", end, len(all))
	}
	for _, l := range all {
		if !strings.HasSuffix(l.Attrs().HardwareAddr.String(), end) {
			continue
		}
		if err := netlink.LinkSetName(l, name); err != nil {
			return nil, fmt.Errorf("name %s: %w", name, err)
		}
	}
	return netlink.LinkByName(name)
}

func driverOf(name string) string {
	path, err := os.Readlink("/sys/class/net/" + name + "/device/driver")
	if err != nil {
		return ""
	}
	return filepath.Base(path)
}

// openSender moves the interface into a namespace of its own and opens a packet
// socket there. The namespace lives as long as the socket.
func openSender(link netlink.Link) (socket int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		socket, err = moveAndOpen(link)
	}()
	<-done
	return socket, err
}

func moveAndOpen(link netlink.Link) (int, error) {
	root, err := netns.Get()
	if err != nil {
		return 0, err
	}
	defer root.Close()
	own, err := netns.New()
	if err != nil {
		return 0, err
	}
	defer own.Close()
	outside, err := netlink.NewHandleAt(root, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, err
	}
	defer outside.Close()
	if err := outside.LinkSetNsFd(link, int(own)); err != nil {
		return 0, err
	}
	if link, err = netlink.LinkByName(gen); err != nil {
		return 0, err
	}
	_ = os.WriteFile("/proc/thread-self/sys/net/ipv6/conf/"+gen+"/disable_ipv6", []byte("1"), 0)
	if err := netlink.LinkSetMTU(link, jumboMTU); err != nil {
		return 0, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, err
	}
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return socket, unix.Bind(socket, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index})
}

// carrier waits until the card's link is up, and a moment more: switches and
// drivers say so before they pass frames.
func carrier() error {
	up := func() bool {
		text, err := os.ReadFile("/sys/class/net/" + nic + "/carrier")
		return err == nil && strings.TrimSpace(string(text)) == "1"
	}
	if !eventually(up) {
		return fmt.Errorf("%s has no carrier after %v", nic, patience)
	}
	return nil
}

// programOn returns the kernel's number of the XDP program on the card, 0 for none.
func programOn() (uint32, error) {
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return 0, err
	}
	if x := link.Attrs().Xdp; x != nil && x.Attached {
		return x.ProgId, nil
	}
	return 0, nil
}

// command runs a program to its end and returns all that it wrote.
func command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// oneLine joins the lines of a program's words, for a cell.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
