package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/internal/capture"
)

// start runs the command and returns its exit code and summary.
func start(t *testing.T, ctx context.Context, args ...string) (int, summary, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, &stdout, &stderr)
	var s summary
	if code == 0 {
		if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
			t.Fatalf("summary %q: %v", stdout.String(), err)
		}
	}
	return code, s, stderr.String()
}

// TestWrite: a capture holds what the generator makes, byte by byte.
func TestWrite(t *testing.T) {
	for _, name := range workload.Names() {
		file := filepath.Join(t.TempDir(), "out.pcap")
		code, s, text := start(t, t.Context(), "-workload", name, "-exporters", "300", "-seed", "7", "-pps", "500", "-count", "1000", "-ids", "-write", file)
		if code != 0 || s.Datagrams != 1000 || s.Skipped != 0 || s.Errors != 0 || s.FirstID != 1 {
			t.Fatalf("%s: exit code %d, %+v, %s", name, code, s, text)
		}
		got, stats, err := capture.Load(file)
		if err != nil || stats.Datagrams != 1000 || stats.Frames != 1000 || stats.Cut != 0 {
			t.Fatalf("%s: %+v, %v", name, stats, err)
		}
		g, err := workload.New(workload.Config{Workload: name, Exporters: 300, Seed: 7, IntervalNs: 2e6, IDs: true})
		if err != nil {
			t.Fatal(err)
		}
		records, size := uint64(0), uint64(0)
		for i, want := range g.Take(1000) {
			records += uint64(len(want.Flows))
			size += uint64(len(want.Payload))
			port := uint16(2055)
			if want.Protocol == workload.SFlow {
				port = 6343
			}
			if !bytes.Equal(got[i].Payload, want.Payload) || got[i].TimeNs != want.TimeNs || got[i].Dst.Port() != port ||
				got[i].Src.Addr() != workload.ExporterAddr(want.Exporter) {
				t.Fatalf("%s: datagram %d is not as made: from %v to %v at %d", name, i, got[i].Src, got[i].Dst, got[i].TimeNs)
			}
		}
		if s.Records != records || s.Bytes != size || uint64(s.NextID) != records+1 {
			t.Errorf("%s: %+v, want %d records, %d bytes", name, s, records, size)
		}
		sum := uint64(0)
		for _, p := range s.Protocols {
			sum += p.Records
		}
		if sum != records {
			t.Errorf("%s: protocols have %d of %d records", name, sum, records)
		}
	}
}

// TestWriteDuration: the time of a capture is the exporters', not the host's.
func TestWriteDuration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.pcap")
	before := time.Now().UnixNano()
	code, s, text := start(t, t.Context(), "-workload", "nf5", "-clock", "now", "-pps", "10", "-duration", "1h", "-write", file)
	if code != 0 || s.Datagrams != 36000 {
		t.Fatalf("exit code %d, %+v, %s", code, s, text)
	}
	list, _, err := capture.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	first, last := list[0].TimeNs, list[len(list)-1].TimeNs
	if first < before || first > time.Now().UnixNano() || last-first != int64(time.Hour-100*time.Millisecond) {
		t.Errorf("from %d to %d", first, last)
	}
	if secs := int64(binary.BigEndian.Uint32(list[0].Payload[8:])); secs != first/1e9 {
		t.Errorf("export time %d in a datagram of %d", secs, first/1e9)
	}
}

// receiver counts datagrams, and the addresses that they come from.
type receiver struct {
	conn    *net.UDPConn
	count   int
	sources map[netip.Addr]int
	bytes   int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return &receiver{conn: conn, sources: map[netip.Addr]int{}}
}

// receive reads until n datagrams are there, or none comes for two seconds.
func (r *receiver) receive(t *testing.T, n int, each func([]byte)) {
	buf := make([]byte, 1<<16)
	for r.count < n {
		if err := r.conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Error(err)
			return
		}
		size, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		r.count++
		r.bytes += size
		r.sources[from.Addr()]++
		if each != nil {
			each(buf[:size])
		}
	}
}

// TestSend: what the summary says was sent arrives, sFlow at its own target,
// each exporter from its own address.
func TestSend(t *testing.T) {
	const count, exporters = 600, 12
	flows, samples := newReceiver(t), newReceiver(t)
	done := make(chan struct{}, 2)
	ahead := 0
	go func() {
		flows.receive(t, count*3/4, func(b []byte) {
			if v := binary.BigEndian.Uint16(b); v != 5 && v != 9 && v != 10 {
				t.Errorf("version %d", v)
			}
			if binary.BigEndian.Uint16(b) == 5 {
				if d := time.Since(time.Unix(int64(binary.BigEndian.Uint32(b[8:])), 0)); d < -time.Second || d > time.Minute {
					ahead++
				}
			}
		})
		done <- struct{}{}
	}()
	go func() {
		samples.receive(t, count/4, nil)
		done <- struct{}{}
	}()
	code, s, text := start(t, t.Context(), "-exporters", fmt.Sprint(exporters), "-count", fmt.Sprint(count), "-pps", "4000",
		"-to", flows.conn.LocalAddr().String(), "-to-sflow", samples.conn.LocalAddr().String())
	<-done
	<-done
	if code != 0 || s.Datagrams != count || s.Errors != 0 {
		t.Fatalf("exit code %d, %+v, %s", code, s, text)
	}
	if flows.count != count*3/4 || samples.count != count/4 || uint64(flows.bytes+samples.bytes) != s.Bytes {
		t.Errorf("%d and %d datagrams, %d bytes arrived; sent: %+v", flows.count, samples.count, flows.bytes+samples.bytes, s)
	}
	if ahead > 0 {
		t.Errorf("%d export times are not now", ahead)
	}
	if took := s.Seconds; took < float64(count-1)/4000 || took > 10 {
		t.Errorf("%d datagrams at 4000 a second took %v s", count, took)
	}
	if runtime.GOOS != "linux" {
		return
	}
	for i := range exporters {
		from, other := flows, samples
		if i%4 == 3 {
			from, other = samples, flows
		}
		addr := workload.LoopbackAddr(i)
		if from.sources[addr] != count/exporters || other.sources[addr] != 0 {
			t.Errorf("%d datagrams from %v, want %d", from.sources[addr], addr, count/exporters)
		}
	}
}

// TestInterrupt: a signal ends a run that has no other end, with a summary.
func TestInterrupt(t *testing.T) {
	r := newReceiver(t)
	for _, pps := range []string{"0", "0.5"} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		began := time.Now()
		code, s, _ := start(t, ctx, "-quiet", "-workload", "nf5", "-pps", pps, "-to", r.conn.LocalAddr().String())
		cancel()
		if code != 0 || !s.Interrupted || s.Datagrams == 0 || time.Since(began) > 2*time.Second {
			t.Errorf("-pps %s: exit code %d after %v, %+v", pps, code, time.Since(began), s)
		}
	}
}

// TestDuration: the time ends a run, which is no interruption; progress is said.
func TestDuration(t *testing.T) {
	r := newReceiver(t)
	code, s, text := start(t, t.Context(), "-workload", "nf5", "-pps", "20", "-duration", "1200ms", "-to", r.conn.LocalAddr().String())
	if code != 0 || s.Interrupted || s.Datagrams < 20 || s.Datagrams > 26 || s.Seconds < 1.2 {
		t.Errorf("exit code %d, %+v", code, s)
	}
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "gen:    1s  ") {
		t.Errorf("progress %q", text)
	}
}

// TestRefused: errors are counted, by kind.
func TestRefused(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("whether a closed port is told depends on the system; run this on Linux")
	}
	r := newReceiver(t)
	addr := r.conn.LocalAddr().String()
	r.conn.Close()
	code, s, _ := start(t, t.Context(), "-quiet", "-workload", "nf5", "-exporters", "1", "-count", "50", "-to", addr)
	if code != 0 || s.Errors == 0 || s.ErrorsByKind["connection refused"] != s.Errors || s.Datagrams+s.Skipped != 50 {
		t.Errorf("exit code %d, %+v", code, s)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-h", 0, ""},
		{"", 2, "-to or -write is missing"},
		{"-to 127.0.0.1:1 -write x", 2, "exclude each other"},
		{"-write x", 2, "-write wants -count or -duration"},
		{"-to 127.0.0.1:1 -workload nf8", 2, `workload "nf8": want nf5, nf9, ipfix, sflow, mix`},
		{"-to 127.0.0.1:1 -exporters 0", 2, "exporters 0"},
		{"-to 127.0.0.1:1 -pps -1", 2, "-pps -1: want 0"},
		{"-to 127.0.0.1:1 -clock utc", 2, `-clock "utc": want now or sim`},
		{"-to 127.0.0.1:1 -duration -1s", 2, "-duration -1s"},
		{"-to 127.0.0.1:1 -first-id 0", 2, "-first-id 0"},
		{"-to 127.0.0.1:1 -max-payload 900", 2, "longest payload 900"},
		{"-to 127.0.0.1:1 more", 2, `unexpected argument "more"`},
		{"-to 127.0.0.1", 2, "missing port"},
		{"-to 127.0.0.1:0", 2, "want a host and a port"},
		{"-to 127.0.0.1:1 -to-sflow 0.0.0.0:1", 2, "-to-sflow 0.0.0.0:1: want a host and a port"},
		{"-nonsense", 2, "-nonsense"},
		{"-write /nonexistent/x -count 1", 1, "create capture"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("gen %s: exit code %d, %q", c.args, code, stderr.String())
		}
		if shown := strings.Contains(stdout.String()+stderr.String(), "Usage: gen"); shown != (c.code != 1) {
			t.Errorf("gen %s: usage shown: %v", c.args, shown)
		}
	}
}
