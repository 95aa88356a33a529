package testnet

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Net is the network of one test.
type Net struct {
	t testing.TB
}

// Host is a network namespace without a name in the file system.
type Host struct {
	Name string // for messages only

	t     testing.TB
	ns    netns.NsHandle
	links *netlink.Handle

	mu       sync.Mutex
	commands []*Cmd // started here
}

// New makes an empty network, or skips the test where this process may not.
func New(t testing.TB) *Net {
	t.Helper()
	ns, err := newNamespace()
	if err != nil {
		refuse(t, err, os.Getenv("CI"))
		return nil
	}
	ns.Close()
	return &Net{t: t}
}

// refuse skips or fails the test for which no namespace can be made.
func refuse(t testing.TB, err error, ci string) {
	t.Helper()
	switch {
	case !errors.Is(err, unix.EPERM):
		t.Fatalf("make network namespace: %v", err)
	case ci == "true":
		t.Fatalf("make network namespace: %v: CAP_SYS_ADMIN and CAP_NET_ADMIN are missing, and with CI=true this test must run", err)
	default:
		t.Skipf("make network namespace: %v: CAP_SYS_ADMIN and CAP_NET_ADMIN are missing: try as root", err)
	}
}

// AddHost adds a host with nothing but a loopback interface, which is up.
func (n *Net) AddHost(name string) *Host {
	n.t.Helper()
	ns, err := newNamespace()
	if err != nil {
		n.t.Fatalf("add host %s: %v", name, err)
	}
	h := &Host{Name: name, t: n.t, ns: ns}
	n.t.Cleanup(h.remove)
	err = h.Do(func() error {
		// Duplicate address detection would hold back IPv6 addresses for a second;
		// a host may be configured to start namespaces without IPv6. Where /proc/sys
		// is read-only the flag given with each address has to do.
		for _, name := range []string{"all", "default"} {
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/accept_dad", []byte("0"), 0)
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("0"), 0)
		}
		var err error
		if h.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		lo, err := h.links.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find lo: %w", err)
		}
		return h.links.LinkSetUp(lo)
	})
	if err != nil {
		n.t.Fatalf("add host %s: %v", name, err)
	}
	return h
}

// Netlink returns a handle to the host's interfaces, addresses and routes, valid
// until the test ends.
func (h *Host) Netlink() *netlink.Handle { return h.links }

// Do runs fn on the host and returns its error. fn must not call t.FailNow and
// the like, since it does not run on the test's goroutine.
func (h *Host) Do(fn func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("enter host %s: %w", h.Name, err)
		}
		return fn()
	})
}

// remove ends what runs on the host and lets go of the namespace. The kernel
// frees it when the last socket in it is closed.
func (h *Host) remove() {
	h.mu.Lock()
	commands := h.commands
	h.mu.Unlock()
	for _, c := range commands {
		c.end()
	}
	if h.links != nil {
		h.links.Close()
	}
	h.ns.Close()
}

// newNamespace makes a network namespace and returns a handle to it; the calling
// thread stays where it is.
func newNamespace() (netns.NsHandle, error) {
	ns := netns.None()
	err := onOwnThread(func() error {
		var err error
		if ns, err = netns.New(); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		return nil
	})
	return ns, err
}

// errLeft says that a function ended without returning.
var errLeft = errors.New("function ended its goroutine (t.FailNow or runtime.Goexit)")

// onOwnThread runs fn on a thread that ends with it: a goroutine that is still
// locked to its thread when it returns takes the thread along. The process's
// first thread cannot end, and /proc/self shows its namespace: it is never used.
func onOwnThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			result <- onOwnThread(fn) // on another thread, while this goroutine holds the first
			runtime.UnlockOSThread()
			return
		}
		err := errLeft
		defer func() { result <- err }()
		err = fn()
	}()
	return <-result
}
