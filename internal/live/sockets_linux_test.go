package live

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
)

// TestAddressFamilies: one socket takes both families, and an IPv4 exporter is
// an IPv4 address; a host without IPv4 or without IPv6 is served as well.
func TestAddressFamilies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, listen string
		v4, v6       bool // what arrives
	}{
		{"all", "flow://:2055", true, true},
		{"unspecified6", "flow://[::]:2055", true, true},
		{"unspecified4", "flow://0.0.0.0:2055", true, false},
		{"one6", "flow://[" + collector6 + "]:2055", false, true},
		{"one4", "flow://" + collector4 + ":2055", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			w := startWeir(t, l.collector, "-listen", tc.listen)
			want := map[string]int{}
			if tc.v4 {
				send(t, dialOn(t, l.exporter, "", hostPort(collector4, 2055)), netflow5(0, 3))
				want[exporter4] = 3
			}
			if tc.v6 {
				send(t, dialOn(t, l.exporter, "", hostPort(collector6, 2055)), netflow5(0, 5))
				want[exporter6] = 5
			}
			m := w.settle(len(want))
			w.stop()
			got := map[string]int{}
			for _, r := range readLines(t, w.file) {
				got[r.Sampler]++
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("records by exporter %v, want %v", got, want)
			}
			for addr, n := range want {
				if m.count("exporter_records_total", fmt.Sprintf("exporter=%q", addr)) != n {
					t.Errorf("metrics of %s: %v", addr, seriesOf(m, "exporter_records_total"))
				}
			}
		})
	}
}

// TestOneFamilyOnly: hosts on which the other family does not work at all.
func TestOneFamilyOnly(t *testing.T) {
	t.Parallel()
	t.Run("no IPv4 address", func(t *testing.T) {
		t.Parallel()
		n := testnet.New(t)
		a, b := n.AddHost("exporter"), n.AddHost("collector")
		testnet.Veth(t, a, "eth0", "", exporter6+"/64", b, "eth0", "", collector6+"/64", 1)
		w := startWeir(t, b)
		send(t, dialOn(t, a, "", hostPort(collector6, 2055)), netflow5(0, 5))
		w.settle(1)
		w.stop()
		if records := readLines(t, w.file); len(records) != 5 || records[0].Sampler != exporter6 {
			t.Errorf("%d records", len(records))
		}
	})
	t.Run("no IPv6", func(t *testing.T) {
		t.Parallel()
		host := newHost(t)
		err := host.Do(func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0)
		})
		if err != nil {
			t.Skipf("switch IPv6 off: %v: /proc/sys must be writable", err)
		}
		w := startWeir(t, host)
		send(t, dial(t, host), netflow5(0, 5))
		w.settle(1)
		w.stop()
		if records := readLines(t, w.file); len(records) != 5 || records[0].Sampler != "127.0.0.1" {
			t.Errorf("%d records", len(records))
		}
	})
}

// ipfixOfSize returns an IPFIX message of exactly so many bytes, and the number
// of its records.
func ipfixOfSize(size int) ([]byte, int) {
	template := set(setIPFIXTemplate, flowTemplate(400))
	room := size - 16 - len(template) - 4
	n := room / flowRecordSize
	d := ipfix(1, template, set(400, flowRecords(n), make([]byte, room%flowRecordSize)))
	if len(d) != size {
		panic(fmt.Sprintf("message of %d bytes, want %d", len(d), size))
	}
	return d, n
}

// TestLargestDatagram: the largest datagram that UDP over IPv4 has is decoded
// whole.
func TestLargestDatagram(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host)
	d, n := ipfixOfSize(65507)
	send(t, dial(t, host), d)
	m := w.settle(1)
	m.lossless(t)
	if clean := m.count("datagrams_total", "decoded", `reason="none"`); clean != 1 {
		t.Errorf("%d datagrams decoded without a fault", clean)
	}
	if got := m.count("datagrams_received_bytes_total"); got != 65507 {
		t.Errorf("%d bytes received", got)
	}
	w.stop()
	eachOnce(t, numbersOf(readLines(t, w.file)), n)
}

// TestFragments: datagrams larger than the link's packets come in fragments,
// which the kernel puts together.
func TestFragments(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	w := startWeir(t, l.collector)
	var want []int
	for _, end := range []struct{ to, from string }{{collector4, exporter4}, {collector6, exporter6}} {
		conn := dialOn(t, l.exporter, "", hostPort(end.to, 2055))
		for _, size := range []int{1472, 1480, 3000, 9000, 40_000, 65_000} {
			d, n := ipfixOfSize(size)
			send(t, conn, d)
			for v := range n {
				want = append(want, v)
			}
			w.waitMetric(len(d), "datagrams_received_bytes_total")
		}
	}
	m := w.settle(12)
	m.lossless(t)
	if clean := m.count("datagrams_total", "decoded", `reason="none"`); clean != 12 {
		t.Errorf("%d of 12 datagrams decoded without a fault", clean)
	}
	w.stop()
	got := numbersOf(readLines(t, w.file))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if n := reassembled(t, l.collector); n == 0 {
		t.Error("the collector's kernel has put nothing together: these were no fragments")
	}
}

// reassembled returns how many datagrams a host has put together of fragments.
func reassembled(t *testing.T, host *testnet.Host) int {
	t.Helper()
	total := 0
	err := host.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[0] == "Ip6ReasmOKs" {
				total, err = strconv.Atoi(f[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// TestSmallMTU: the same where the link's packets are as small as IPv6 allows.
func TestSmallMTU(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, host := range []*testnet.Host{l.exporter, l.collector} {
		link, err := host.Netlink().LinkByName("eth0")
		if err == nil {
			err = host.Netlink().LinkSetMTU(link, 1280)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w := startWeir(t, l.collector)
	send(t, dialOn(t, l.exporter, "", hostPort(collector6, 2055)), numbered(20)...)
	w.settle(20).lossless(t)
	w.stop()
	eachOnce(t, numbersOf(readLines(t, w.file)), 20*recordsPerDatagram)
}

// TestCPUPin: the workers' threads may run on their CPUs alone, all others
// anywhere.
func TestCPUPin(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []string
	for cpu := 0; len(cpus) < 2 && cpu < 1024; cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, strconv.Itoa(cpu))
		}
	}
	if len(cpus) < 2 {
		t.Skip("one CPU: a thread pinned to it looks like any other")
	}
	w := startWeir(t, host, "-listen", "flow://:2055/?count=3", "-cpu.pin", strings.Join(cpus, ","))
	want := map[string]int{cpus[0]: 2, cpus[1]: 1} // in turn
	var got map[string]int
	eventually(t, fmt.Sprintf("threads pinned as %v", want), func() bool {
		got = allowedLists(t, w.pid())
		for list := range got {
			if strings.ContainsAny(list, ",-") {
				delete(got, list) // threads that are not pinned
			}
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
	w.stop()
}

// allowedLists counts the threads of a process by the CPUs they may run on.
func allowedLists(t *testing.T, pid int) map[string]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string]int{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
				lists[strings.TrimSpace(list)]++
			}
		}
	}
	return lists
}

// TestSystemd: a service manager hears that weir is ready, that it is alive, and
// that it stops.
func TestSystemd(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir, err := os.MkdirTemp("", "notify") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	next := func() string {
		t.Helper()
		buf := make([]byte, 512)
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("read notification: %v", err)
			}
			if got := string(buf[:n]); !strings.HasPrefix(got, "STATUS=") { // TestStatusLine looks at these
				return got
			}
		}
	}
	file := filepath.Join(t.TempDir(), "flows.json")
	cmd := weirCommand(host, "-listen", "flow://:2055", "-transport.file", file)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=4500000")
	w := startWeirCommand(t, host, file, cmd)
	if got := next(); got != "READY=1" {
		t.Fatalf("first %q, want READY=1", got)
	}
	// An idle collector is alive: the signs come often enough.
	for range 3 {
		began := time.Now()
		if got := next(); got != "WATCHDOG=1" || time.Since(began) > 4500*time.Millisecond {
			t.Errorf("%q after %v, want WATCHDOG=1 within 4.5s", got, time.Since(began))
		}
	}
	if n := w.out.count("loop stands still"); n != 0 {
		t.Errorf("%d warnings of workers that do not turn", n)
	}
	w.signal(syscall.SIGTERM)
	got := next()
	for got == "WATCHDOG=1" {
		got = next()
	}
	if got != "STOPPING=1" {
		t.Errorf("%q, want STOPPING=1", got)
	}
	if code, _ := w.waitEnd(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
}
