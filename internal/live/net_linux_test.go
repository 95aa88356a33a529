package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/weirtest"
)

// Addresses of the lab.
const (
	exporter4  = "10.1.0.1"
	exporter6  = "fd00:1::1"
	collector4 = "10.1.0.2"
	collector6 = "fd00:1::2"
)

// lab is the network of a test with an exporter: frames go over mon0 from
// outside to the exporter, datagrams over eth0 from the exporter to the
// collector.
type lab struct {
	outside, exporter, collector *testnet.Host
}

func newLab(t *testing.T) *lab {
	t.Helper()
	n := testnet.New(t)
	l := &lab{n.AddHost("outside"), n.AddHost("exporter"), n.AddHost("collector")}
	testnet.Veth(t, l.exporter, "eth0", exporter4+"/24", exporter6+"/64",
		l.collector, "eth0", collector4+"/24", collector6+"/64", 1)
	testnet.Veth(t, l.outside, "mon0", "", "", l.exporter, "mon0", "", "", 1)
	return l
}

// newHost makes a host on its own, whose loopback carries the datagrams.
func newHost(t *testing.T) *testnet.Host {
	t.Helper()
	return testnet.New(t).AddHost("collector")
}

// dialOn opens a UDP socket on a host. An empty from leaves it to the kernel.
func dialOn(t *testing.T, host *testnet.Host, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
	}
	var conn net.Conn
	err := host.Do(func() (err error) {
		conn, err = d.Dial("udp", to)
		return err
	})
	if err != nil {
		t.Fatalf("dial %s: %v", to, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dial opens a UDP socket to the collector on the same host.
func dial(t *testing.T, host *testnet.Host) net.Conn {
	t.Helper()
	return dialOn(t, host, "", "127.0.0.1:2055")
}

// send sends every datagram once.
func send(t *testing.T, conn net.Conn, datagrams ...[]byte) {
	t.Helper()
	for _, d := range datagrams {
		if _, err := conn.Write(d); err != nil {
			t.Fatalf("send %d bytes to %s: %v", len(d), conn.RemoteAddr(), err)
		}
	}
}

// metrics are the samples of one scrape, by name with labels as exported.
type metrics map[string]float64

// get fetches a page of weir's web server.
func (w *weir) get(path string) (status int, body string, err error) {
	return w.getFrom("127.0.0.1:8080", path)
}

// getFrom fetches a page of a web server on weir's host.
func (w *weir) getFrom(server, path string) (status int, body string, err error) {
	client := http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
				doErr := w.host.Do(func() error {
					conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
					return err
				})
				return conn, doErr
			},
		},
	}
	res, err := client.Get("http://" + server + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// scrape reads the metrics.
func (w *weir) scrape() metrics {
	w.t.Helper()
	m, err := w.tryScrape()
	if err != nil {
		w.t.Fatalf("scrape: %v", err)
	}
	return m
}

// tryScrape is scrape for a weir that may have ended.
func (w *weir) tryScrape() (metrics, error) {
	status, body, err := w.get("/metrics")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, err
	}
	return weirtest.ParseMetrics(body)
}

// sum adds up all series of a metric that have these labels, each written as
// exported: reason="none".
func (m metrics) sum(name string, labels ...string) float64 { return weirtest.Sum(m, name, labels...) }

// count is sum for numbers that are whole.
func (m metrics) count(name string, labels ...string) int { return int(m.sum(name, labels...)) }

// waitMetric waits until a sum of the metrics is at least n and returns the
// scrape that said so.
func (w *weir) waitMetric(n int, name string, labels ...string) metrics {
	w.t.Helper()
	var m metrics
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		m = w.scrape()
		if m.count(name, labels...) >= n {
			return m
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s%v is %d after %v, want %d", name, labels, m.count(name, labels...), patience, n)
		}
	}
}

// settle waits until n datagrams were received and nothing is in flight, and
// checks that the books balance.
func (w *weir) settle(n int) metrics {
	w.t.Helper()
	w.waitMetric(n, "datagrams_received_total")
	eventually(w.t, "no records in flight", func() bool { return w.scrape().sum("records_in_flight") == 0 })
	m := w.balance()
	if got := m.count("datagrams_received_total"); got != n {
		w.t.Errorf("%d datagrams received, want %d", got, n)
	}
	return m
}

// rest waits until nothing more is received, the exporter having ended, and does
// as settle.
func (w *weir) rest() metrics {
	w.t.Helper()
	return w.settle(w.quiet())
}

// quiet waits until no datagram was received for ten looks, which are 50 ms apart, or two
// that took seconds, and returns how many were. A worker that waits for a CPU on a busy
// machine is not taken for one that has nothing to receive.
func (w *weir) quiet() int {
	w.t.Helper()
	last, same, since := -1, 0, time.Now()
	eventually(w.t, "nothing more is received", func() bool {
		n := w.received()
		if same++; n != last {
			last, same, since = n, 0, time.Now()
		}
		time.Sleep(50 * time.Millisecond)
		return same == 10 || same >= 2 && time.Since(since) > 5*time.Second
	})
	return last
}

// balance waits until the books of a running weir balance, and fails if they do
// not. One page need not: a page is read while workers count, and what they
// counted in total is published once a receive batch, by exporter at once.
func (w *weir) balance() metrics {
	w.t.Helper()
	var m metrics
	var wrong []string
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		m = w.scrape()
		if wrong = m.unbalanced(); len(wrong) == 0 {
			return m
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("books do not balance: %s", strings.Join(wrong, "; "))
		}
	}
}

// unbalanced returns the sums on the page that should be equal and are not.
func (m metrics) unbalanced() (wrong []string) {
	equal := func(what string, a float64, other string, b float64) {
		if a != b {
			wrong = append(wrong, fmt.Sprintf("%v %s, %v %s", a, what, b, other))
		}
	}
	received := m.sum("datagrams_received_total")
	held := m.sum("datagrams_held")
	decoded := m.sum("datagrams_total", `outcome="decoded"`)
	wrong = m.readme()
	equal("datagrams received", received, "by protocol", m.sum("protocol_datagrams_total"))
	equal("datagrams received", received, "by exporter", m.sum("exporter_datagrams_total"))
	equal("datagrams received", received, "decoded of exporters + their failed", decoded+m.sum("exporter_datagrams_failed_total")+held)
	produced, dropped := m.sum("records_produced_total"), m.sum("records_sink_total", `outcome="dropped"`)
	equal("records dropped", dropped, "by reason", m.sum("records_dropped_total"))
	equal("records produced", produced, "by exporter", m.sum("exporter_records_total"))
	return wrong
}

// lossless checks that nothing was dropped anywhere.
func (m metrics) lossless(t *testing.T) {
	t.Helper()
	for _, name := range []string{"socket_dropped_total", "records_dropped_total"} {
		if n := m.sum(name); n != 0 {
			t.Errorf("%s is %v, want 0", name, n)
		}
	}
}

// hostPort joins an address and a port as flags want them.
func hostPort(addr string, port int) string { return net.JoinHostPort(addr, fmt.Sprint(port)) }

func itoa(n int) string { return strconv.Itoa(n) }
