package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/testnet"
)

// pageServer serves a page over HTTP on a host.
func pageServer(t *testing.T, host *testnet.Host, addr string, page []byte) {
	t.Helper()
	var listener net.Listener
	if err := host.Do(func() (err error) {
		listener, err = net.Listen("tcp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
}

// fetch gets a page from a host.
func fetch(host *testnet.Host, addr string) ([]byte, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			doErr := host.Do(func() error {
				conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
				return err
			})
			return conn, doErr
		},
	}}
	res, err := client.Get("http://" + addr)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// echoServer sends every datagram back.
func echoServer(t *testing.T, host *testnet.Host, addr string) {
	t.Helper()
	var conn net.PacketConn
	if err := host.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(b[:n], from) // who asked misses the answer
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
}

// echo has a datagram sent back.
func echo(conn net.Conn, payload []byte) error {
	if _, err := conn.Write(payload); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	b := make([]byte, len(payload)+1)
	n, err := conn.Read(b)
	if err == nil && !bytes.Equal(b[:n], payload) {
		err = fmt.Errorf("%d other bytes for %d", n, len(payload))
	}
	return err
}

// TestXDPLeavesOthersAlone: while weir captures, other services on the same
// interface are undisturbed, in both directions, and none of theirs is taken for
// weir's.
func TestXDPLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range xdpKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			w := startXDP(l, append(delimited, "-xdp.mode", kind.mode, "-xdp.workers", "2")...)
			page := make([]byte, 1<<20)
			for i := range page {
				page[i] = byte(rand.Uint32())
			}
			pageServer(t, l.collector, collector4+":80", page)
			pageServer(t, l.exporter, exporter4+":80", page)
			echoServer(t, l.collector, collector4+":7")
			pings := dialOn(t, l.exporter, "", collector4+":7")

			var others sync.WaitGroup
			for what, get := range map[string]struct {
				from *testnet.Host
				addr string
			}{"from the collector": {l.exporter, collector4 + ":80"}, "by the collector": {l.collector, exporter4 + ":80"}} {
				others.Go(func() {
					for range 3 {
						if got, err := fetch(get.from, get.addr); err != nil || !bytes.Equal(got, page) {
							t.Errorf("page fetched %s: %d bytes, %v", what, len(got), err)
						}
					}
				})
			}
			const small, large, fragmentsOfLarge = 200, 20, 3
			others.Go(func() {
				for i := range small {
					if err := echo(pings, fmt.Appendf(nil, "ping %d", i)); err != nil {
						t.Errorf("echo %d: %v", i, err)
					}
				}
				for i := range large {
					if err := echo(pings, bytes.Repeat([]byte{byte(i)}, 4000)); err != nil {
						t.Errorf("large echo %d: %v", i, err)
					}
				}
			})
			const datagrams = 2000
			l.deliver(w, l.numberedFrames(0, datagrams))
			others.Wait()

			m := w.settleBoth(datagrams)
			m.lossless(t)
			for label, want := range map[string]int{
				"redirect": datagrams, "pass_other_port": small, "pass_fragment": large * fragmentsOfLarge,
				"pass_malformed": 0, "pass_ext_headers": 0, "pass_vlan_depth": 0, "pass_no_socket": 0,
				"pass_not_ip": 0, "drop_denied": 0, "drop_rate": 0,
			} {
				if n := m.verdict(label); n != want {
					t.Errorf("verdict %s: %d, want %d", label, n, want)
				}
			}
			if n := m.verdict("pass_not_udp"); n < 3*len(page)/65536 {
				t.Errorf("verdict pass_not_udp: %d, which is too few for 3 pages", n)
			}
			w.stop()
			eachOnce(t, delimitedNumbers(t, w.file), datagrams*recordsPerDatagram)
		})
	}
}
