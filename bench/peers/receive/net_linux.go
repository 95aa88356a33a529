package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// side is a network namespace without a name, which ends with the process.
type side struct {
	ns    netns.NsHandle
	links *netlink.Handle
}

// onThread runs f on a thread that is thrown away: one that has changed its
// namespace must not be used for anything else.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- f()
	}()
	return <-result
}

func newSide() (*side, error) {
	s := &side{}
	err := onThread(func() (err error) {
		if s.ns, err = netns.New(); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if s.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		lo, err := s.links.LinkByName("lo")
		if err != nil {
			return err
		}
		// No IPv6: its discovery would send frames of its own.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		return s.links.LinkSetUp(lo)
	})
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: network namespaces want CAP_SYS_ADMIN: try as root", err)
		}
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	return s, nil
}

// do runs f in the namespace.
func (s *side) do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(s.ns); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}

// cable is a veth pair from the sender's to the receiver's side, which has the
// address.
type cable struct {
	name               string // on both sides
	sendIndex          int
	recvIndex          int
	sendMAC, recvMAC   [6]byte
	recvAddr, sendAddr [4]byte
}

// newCable makes pair number n.
func newCable(n int, send, recv *side) (*cable, error) {
	c := &cable{
		name:     fmt.Sprintf("wrx%d", n),
		sendAddr: [4]byte{10, 99, byte(n), 1},
		recvAddr: [4]byte{10, 99, byte(n), 2},
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.NumRxQueues, attrs.NumTxQueues = c.name, 1, 1
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace = c.name, netlink.NsFd(int(recv.ns))
	if err := send.links.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("add %s: %w", c.name, err)
	}
	for _, end := range []struct {
		side  *side
		addr  [4]byte
		index *int
		mac   *[6]byte
	}{{send, c.sendAddr, &c.sendIndex, &c.sendMAC}, {recv, c.recvAddr, &c.recvIndex, &c.recvMAC}} {
		link, err := end.side.links.LinkByName(c.name)
		if err != nil {
			return nil, err
		}
		*end.index = link.Attrs().Index
		copy(end.mac[:], link.Attrs().HardwareAddr)
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: end.addr[:], Mask: net.CIDRMask(24, 32)}}
		if err := end.side.links.AddrAdd(link, addr); err != nil {
			return nil, fmt.Errorf("add address to %s: %w", c.name, err)
		}
		if err := end.side.links.LinkSetUp(link); err != nil {
			return nil, fmt.Errorf("set %s up: %w", c.name, err)
		}
	}
	return c, c.waitUp(send, recv)
}

// waitUp waits until both ends carry traffic.
func (c *cable) waitUp(sides ...*side) error {
	for _, s := range sides {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			link, err := s.links.LinkByName(c.name)
			if err != nil {
				return err
			}
			if link.Attrs().OperState == netlink.OperUp {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s does not come up", c.name)
			}
		}
	}
	return nil
}

// offload switches generic receive offload of the receiver's end on: with it the
// end takes frames that a program redirected to its peer, though it has no program
// in native mode itself.
func (c *cable) offload(recv *side) error {
	return recv.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		if err := ethtoolSet(fd, c.name, unix.ETHTOOL_SGRO, 1); err != nil {
			return fmt.Errorf("switch gro on: %w", err)
		}
		return nil
	})
}

// threaded has the receiver's end run its NAPI poll in a kernel thread, or in
// softirqs again. It returns the thread.
func (c *cable) threaded(recv *side, on bool) (pid int, err error) {
	before, err := kernelThreads("napi/" + c.name)
	if err != nil {
		return 0, err
	}
	value := "0"
	if on {
		value = "1"
	}
	err = recv.do(func() error {
		// The namespace's own view of sysfs, for this thread alone, which ends.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		return os.WriteFile("/sys/class/net/"+c.name+"/threaded", []byte(value), 0)
	})
	if err != nil || !on {
		return 0, err
	}
	after, err := kernelThreads("napi/" + c.name)
	if err != nil {
		return 0, err
	}
	for _, pid := range after {
		if !slices.Contains(before, pid) || len(after) == 1 {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("find the napi thread of %s: there is none", c.name)
}

// kernelThreads returns the processes whose name begins like that.
func kernelThreads(prefix string) (list []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		name, err := os.ReadFile("/proc/" + e.Name() + "/comm")
		if err == nil && strings.HasPrefix(string(name), prefix) { // else it has ended
			list = append(list, pid)
		}
	}
	return list, nil
}
