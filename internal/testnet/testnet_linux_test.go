package testnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func pair(t *testing.T, queues int) (a, b *Host) {
	n := New(t)
	a, b = n.AddHost("a"), n.AddHost("b")
	Veth(t, a, "veth0", "10.1.0.1/24", "fd00:1::1/64", b, "veth0", "10.1.0.2/24", "fd00:1::2/64", queues)
	return a, b
}

func TestDatagramsCrossAtOnce(t *testing.T) {
	a, b := pair(t, 1)
	for _, addr := range [][2]string{{"10.1.0.1", "10.1.0.2"}, {"fd00:1::1", "fd00:1::2"}} {
		t.Run(addr[1], func(t *testing.T) {
			var receiver, sender *net.UDPConn
			err := b.Do(func() (err error) {
				receiver, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr[1]), 2055)))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer receiver.Close()
			err = a.Do(func() (err error) {
				sender, err = net.DialUDP("udp", nil, receiver.LocalAddr().(*net.UDPAddr))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Close()
			if _, err := sender.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			receiver.SetReadDeadline(time.Now().Add(5 * time.Second))
			got := make([]byte, 100)
			n, from, err := receiver.ReadFromUDPAddrPort(got)
			if err != nil || string(got[:n]) != "hello" || from.Addr() != netip.MustParseAddr(addr[0]) {
				t.Errorf("got %q from %v, %v", got[:n], from, err)
			}
		})
	}
}

func TestCommandRunsOnHost(t *testing.T) {
	a, _ := pair(t, 1)
	out, err := a.Command(t.Context(), "cat", "/proc/net/dev").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "veth0:") || strings.Contains(string(out), "eth1:") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = a.Command(t.Context(), "sh", "-c", "echo to stdout; echo to stderr >&2; exit 3").Output()
	if err == nil || string(out) != "to stdout\n" {
		t.Errorf("%v: %q", err, out)
	}
	if err := a.Command(t.Context(), "/no/such/program").Run(); err == nil {
		t.Error("a program that is not there ran")
	}
}

func TestCommandIsKilledAtTheEnd(t *testing.T) {
	var c *Cmd
	t.Run("leaves it running", func(t *testing.T) {
		c = New(t).AddHost("a").Command(t.Context(), "sleep", "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	})
	if c == nil {
		t.Skip("the test that starts it was skipped")
	}
	if c.ProcessState == nil {
		t.Error("it was left running")
	}
}

func TestQueues(t *testing.T) {
	a, b := pair(t, 4)
	for _, h := range []*Host{a, b} {
		link, err := h.Netlink().LinkByName("veth0")
		if err != nil {
			t.Fatal(err)
		}
		if got := link.Attrs(); got.NumRxQueues != 4 || got.NumTxQueues != 4 {
			t.Errorf("host %s: %d receive and %d transmit queues", h.Name, got.NumRxQueues, got.NumTxQueues)
		}
	}
}

// The threads of this process stay in the namespace they are in, however many
// functions run on hosts, and the hosts see only their own interfaces.
func TestNothingLeaks(t *testing.T) {
	before := netnsOfThread(t)
	a, b := pair(t, 1)
	done := make(chan error)
	for i := range 20 {
		host := []*Host{a, b}[i%2]
		go func() {
			done <- host.Do(func() error {
				list, err := net.Interfaces()
				if err == nil && len(list) != 2 {
					err = fmt.Errorf("%d interfaces on host %s: %v", len(list), host.Name, list)
				}
				return err
			})
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		link, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net")
		if err != nil {
			continue // a thread that is ending
		}
		// One that has not quite ended is not there a moment later.
		for deadline := time.Now().Add(5 * time.Second); link != before && err == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("thread %s is still in %s", task.Name(), link)
			}
			link, err = os.Readlink("/proc/self/task/" + task.Name() + "/ns/net")
		}
	}
	if after := netnsOfThread(t); after != before {
		t.Errorf("the test is in %s, was in %s", after, before)
	}
}

func netnsOfThread(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ns, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	link, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestDoReturnsErrors(t *testing.T) {
	h := New(t).AddHost("a")
	want := errors.New("mine")
	if err := h.Do(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	if err := h.Do(func() error { runtime.Goexit(); return nil }); !errors.Is(err, errLeft) {
		t.Errorf("got %v", err)
	}
}

// recorder stands in for a test to see how it ends.
type recorder struct {
	testing.TB
	fatal, skip string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Fatalf(format string, args ...any) { r.fatal = fmt.Sprintf(format, args...) }
func (r *recorder) Skipf(format string, args ...any)  { r.skip = fmt.Sprintf(format, args...) }

func TestRefuse(t *testing.T) {
	denied := os.NewSyscallError("unshare", unix.EPERM)
	tests := []struct {
		name, ci    string
		err         error
		fatal, skip string
	}{
		{"at home", "", denied, "", "CAP_SYS_ADMIN and CAP_NET_ADMIN are missing: try as root"},
		{"in CI", "true", denied, "this test must run", ""},
		{"out of something", "", os.NewSyscallError("unshare", unix.ENOSPC), "no space", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &recorder{TB: t}
			refuse(r, test.err, test.ci)
			if !strings.Contains(r.fatal, test.fatal) || (r.fatal == "") != (test.fatal == "") ||
				!strings.Contains(r.skip, test.skip) || (r.skip == "") != (test.skip == "") {
				t.Errorf("fatal %q, skip %q", r.fatal, r.skip)
			}
		})
	}
}
