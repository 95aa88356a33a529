package xdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// Interface is what was found of a network interface.
type Interface struct {
	Index  int
	Name   string
	Driver string // "veth", "ice"; may be empty
	MTU    int    // bytes, without the Ethernet header
	Queues int    // receive queues in use
	Up     bool   // set up, and with a carrier
	// Host is what tells frames for this host from others; zero for a loopback interface.
	Host bpf.Host
	// ProgramID is the kernel's number of the XDP program on it; 0 is none.
	ProgramID uint32

	attached Mode // of the program: Native or Generic
}

// ErrNoInterface says that there is no interface of that name or index.
var ErrNoInterface = errors.New("no such network interface")

// Probe looks at an interface in the network namespace of the calling thread. It
// needs no capability.
func Probe(name string) (Interface, error) {
	p, err := newProber()
	if err != nil {
		return Interface{}, err
	}
	defer p.close()
	return p.byName(name)
}

// prober asks about interfaces of the network namespace it was made in, from
// whatever thread.
type prober struct {
	links   *netlink.Handle
	ethtool int // a socket: its ioctls are about its namespace

	// asking is held while the counters are asked for and guards what follows.
	asking   sync.Mutex
	whole    *int // see statistic; nil until it was looked for
	answered bool // the driver's own statistics could be read
	closed   bool
}

func newProber() (*prober, error) {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		links.Close()
		return nil, os.NewSyscallError("socket", err)
	}
	return &prober{links: links, ethtool: fd}, nil
}

func (p *prober) close() {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.closed = true
	p.links.Close()
	unix.Close(p.ethtool)
}

func (p *prober) byName(name string) (Interface, error) {
	link, err := p.links.LinkByName(name)
	return p.describe(link, err)
}

func (p *prober) byIndex(index int) (Interface, error) {
	link, err := p.links.LinkByIndex(index)
	return p.describe(link, err)
}

func (p *prober) describe(link netlink.Link, err error) (Interface, error) {
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing), errors.Is(err, unix.ENODEV):
		return Interface{}, ErrNoInterface
	case err != nil:
		return Interface{}, fmt.Errorf("ask about interface: %w", err)
	}
	a := link.Attrs()
	found := Interface{
		Index: a.Index,
		Name:  a.Name,
		MTU:   a.MTU,
		// Some devices, loopback among them, do not report a state.
		Up: a.Flags&net.FlagUp != 0 && a.RawFlags&unix.IFF_RUNNING != 0,
	}
	if a.Xdp != nil {
		found.ProgramID = a.Xdp.ProgId
		found.attached = Native
		if a.Xdp.AttachMode == nl.XDP_ATTACHED_SKB {
			found.attached = Generic
		}
	}
	if info, err := unix.IoctlGetEthtoolDrvinfo(p.ethtool, a.Name); err == nil {
		found.Driver = unix.ByteSliceToString(info.Driver[:])
	}
	found.Queues = p.queues(a)
	found.Host, err = p.host(a)
	return found, err
}

// host returns the hardware addresses that frames for this host may have on an interface,
// and the host's IP addresses.
func (p *prober) host(a *netlink.LinkAttrs) (h bpf.Host, err error) {
	if len(a.HardwareAddr) != len(h.MAC) || a.Flags&net.FlagLoopback != 0 {
		return h, nil
	}
	h.MAC = [6]byte(a.HardwareAddr)
	if a.MasterIndex != 0 {
		// A master may be in another network namespace, where nobody finds it.
		if master, err := p.links.LinkByIndex(a.MasterIndex); err == nil && len(master.Attrs().HardwareAddr) == len(h.MasterMAC) {
			h.MasterMAC = [6]byte(master.Attrs().HardwareAddr)
		}
	}
	addrs, err := p.links.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return h, fmt.Errorf("ask about addresses: %w", err)
	}
	for _, one := range addrs {
		if addr, ok := netip.AddrFromSlice(one.IP); ok && !addr.IsLoopback() {
			h.Addrs = append(h.Addrs, addr.Unmap())
		}
	}
	return h, nil
}

// queues returns how many receive queues an interface uses. Drivers that have no
// say in it are asked by way of sysfs, which may show another network namespace
// than ours; the last word is how many were allocated, which may be too many.
func (p *prober) queues(a *netlink.LinkAttrs) int {
	channels := ethtoolChannels{cmd: unix.ETHTOOL_GCHANNELS}
	if err := ethtoolChannelsIoctl(p.ethtool, a.Name, &channels); err == nil {
		if n := channels.rxCount + channels.combinedCount; n > 0 {
			return int(n)
		}
	}
	if n := sysfsQueues(a); n > 0 {
		return n
	}
	return max(a.NumRxQueues, 1)
}

func sysfsQueues(a *netlink.LinkAttrs) int {
	dir := "/sys/class/net/" + a.Name
	index, err := os.ReadFile(dir + "/ifindex")
	if err != nil || strings.TrimSpace(string(index)) != strconv.Itoa(a.Index) {
		return 0
	}
	hardware, err := os.ReadFile(dir + "/address")
	if err != nil || strings.TrimSpace(string(hardware)) != a.HardwareAddr.String() {
		return 0
	}
	entries, err := os.ReadDir(dir + "/queues")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "rx-") {
			n++
		}
	}
	return n
}
