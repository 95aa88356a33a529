package live

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/internal/reload"
	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/producer/flowpb"
)

// startReloadable starts weir with nothing but a configuration file.
func startReloadable(t *testing.T, host *testnet.Host, file, text string, args ...string) *reloadable {
	t.Helper()
	r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "weir.yaml")}
	r.put(text)
	r.w = startWeirCommand(t, host, file, weirCommand(host, append([]string{"-config", r.path}, args...)...))
	return r
}

// ask puts a file in force as weir reload does, without a process for it, and returns the answer.
func (r *reloadable) ask(text string) (answer string, ok bool) {
	r.t.Helper()
	r.put(text)
	eventually(r.t, "weir answers", func() bool { // it may still be starting
		err := r.w.host.Do(func() (err error) {
			answer, ok, err = reload.Ask(r.w.pid())
			return err
		})
		return err == nil && !strings.Contains(answer, "starting or stopping")
	})
	return answer, ok
}

// A pump sends datagrams of numbered records until it is stopped.
type pump struct {
	sent int // datagrams, after stop
	quit chan struct{}
	done sync.WaitGroup
}

// startPump sends to an address, some 400 datagrams a second, of the records from number on.
func startPump(t *testing.T, host *testnet.Host, to string, number int) *pump {
	t.Helper()
	p := &pump{quit: make(chan struct{})}
	conn := dialOn(t, host, "", to)
	p.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-tick.C:
			}
			for range 4 {
				if _, err := conn.Write(netflow5(number+p.sent*recordsPerDatagram, recordsPerDatagram)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
				p.sent++
			}
		}
	})
	return p
}

// stop ends the sending and returns how many datagrams were sent.
func (p *pump) stop() int {
	close(p.quit)
	p.done.Wait()
	return p.sent
}

// eachNumberOnce fails unless the numbers are those from first on, each once.
func eachNumberOnce(t *testing.T, what string, numbers []int, first, count int) {
	t.Helper()
	slices.Sort(numbers)
	if len(numbers) != count {
		t.Errorf("%s: %d records, want %d", what, len(numbers), count)
	}
	for i, n := range numbers {
		if n != first+i {
			t.Fatalf("%s: record %d has number %d, want %d", what, i, n, first+i)
		}
	}
}

// TestReloadListen adds and removes listen addresses, and sockets of one, while datagrams come:
// none is lost.
func TestReloadListen(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "flows.json")
	rest := fmt.Sprintf("\ntransport.file: %s\nbatch.linger: 20ms\nmetrics.exporters: 10\n", file)
	r := startReloadable(t, host, file, "listen: netflow://:2055"+rest)
	p := startPump(t, host, "127.0.0.1:2055", 0)
	other := 1 << 24 // their records
	sent := 0
	for round := range 6 {
		count := 1 + round%3
		text, ok := r.ask(fmt.Sprintf("listen: netflow://:2055?count=%d,flow://127.0.0.1:2056", count) + rest)
		if !ok || !strings.Contains(text, "changed: listen\n") {
			t.Fatalf("weir reload says %q", text)
		}
		conn := dialOn(t, host, "", "127.0.0.1:2056")
		for range 50 {
			send(t, conn, netflow5(other+sent*recordsPerDatagram, recordsPerDatagram))
			sent++
		}
		r.ask("listen: netflow://:2055" + rest) // what waits there is decoded before
	}
	if _, page, err := r.w.get("/config"); err != nil || strings.Contains(page, "2056") {
		t.Errorf("/config: %v\n%s", err, page)
	}
	// A port that is taken changes nothing, and what sockets got until then is decoded.
	if err := host.Do(func() error {
		taken, err := net.ListenPacket("udp", "127.0.0.1:2057")
		if err == nil {
			t.Cleanup(func() { taken.Close() })
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if text := r.reload("listen: netflow://:2055?count=3,netflow://127.0.0.1:2058,netflow://127.0.0.1:2057"+rest, 1); !strings.Contains(text, "2057") || !strings.Contains(text, "ss -ulpn") {
		t.Errorf("a port that is taken: %q", text)
	}
	all := p.stop() + sent
	m := r.w.settle(all)
	m.lossless(t)
	if n := m.sum("socket_dropped_total"); n != 0 {
		t.Errorf("%v dropped by the kernel", n)
	}
	if n := m.count("flow_traffic_packets_total", `local_port="2056"`); n != 0 && n != sent {
		t.Errorf("goflow2's metrics have %d datagrams of %d", n, sent)
	}
	r.w.stop()
	var own, others []int
	for _, n := range numbersOf(readLines(t, file)) {
		if n >= other {
			others = append(others, n)
		} else {
			own = append(own, n)
		}
	}
	eachNumberOnce(t, "the address that stays", own, 0, p.sent*recordsPerDatagram)
	eachNumberOnce(t, "the one that comes and goes", others, other, sent*recordsPerDatagram)
	r.w.allAccounted(all)
}

// TestReloadOutput has weir write elsewhere and in another way while datagrams come: each record
// is in one of the files, once, in the form that the file had then.
func TestReloadOutput(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir := t.TempDir()
	config := func(name, more string) string {
		return fmt.Sprintf("listen: netflow://:2055\nbatch.linger: 20ms\ntransport.file: {path: %s%s\n", filepath.Join(dir, name), more)
	}
	r := startReloadable(t, host, "", config("a.json", "}"))
	p := startPump(t, host, "127.0.0.1:2055", 0)
	for i, next := range []struct{ text, changed string }{
		{config("b.json", "}"), "transport.file"},
		{config("b.json", "}\nbatch.size: 64KiB\nsink.depth: 8"), "batch.size, sink.depth"},
		{config("a.json", "}"), "transport.file, batch.size, sink.depth"},
		{config("c.json", "}\nsampling: 127.0.0.1=7"), "sampling, transport.file"},
		{config("c.json", ", sep: '\\n\\n'}"), "sampling, transport.file.sep"},
		{config("c.json", ", sep: '\\n\\n'}\nsamplingrate.default: 3"), "samplingrate.default"},
		{config("d.bin", ", sep: ''}\nformat: bin"), "samplingrate.default, format, transport.file, transport.file.sep"},
		{config("e.json", ", rotate: {size: 1MiB}}"), "format, transport.file.rotate.size, transport.file, transport.file.sep"},
	} {
		text, _ := r.ask(next.text)
		got := strings.Split(strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "reloaded\nchanged: "), ", ")
		want := strings.Split(next.changed, ", ")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("step %d: %q changed, want %q", i, got, want)
		}
		r.w.waitMetric(r.w.received()+1, "datagrams_received_total")
	}
	// An output that cannot be opened changes nothing.
	if text := r.reload(config("missing/f.json", "}"), 1); !strings.Contains(text, "missing") {
		t.Errorf("a folder that is not there: %q", text)
	}
	r.w.waitMetric(r.w.received()+1, "datagrams_received_total")
	sent := p.stop()
	m := r.w.settle(sent)
	m.lossless(t)
	if n := m.count("records_encoded_total", `format="json"`); n == 0 || n+m.count("records_encoded_total", `format="bin"`) != sent*recordsPerDatagram {
		t.Errorf("%d records encoded as JSON, %d as protobuf, %d sent", n, m.count("records_encoded_total", `format="bin"`), sent*recordsPerDatagram)
	}
	r.w.stop()
	r.w.allAccounted(sent)
	numbers := binNumbers(t, filepath.Join(dir, "d.bin"))
	if len(numbers) == 0 {
		t.Error("no record as protobuf")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := parseLines(t, name, []byte(strings.ReplaceAll(string(text), "\n\n", "\n")))
		if len(lines) == 0 {
			t.Errorf("nothing in %s", name)
		}
		numbers = append(numbers, numbersOf(lines)...)
	}
	eachNumberOnce(t, "all files", numbers, 0, sent*recordsPerDatagram)
}

// binNumbers returns the numbers of the records in a file of length-delimited messages.
func binNumbers(t *testing.T, name string) (numbers []int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		var m flowpb.FlowMessage
		switch err := protodelim.UnmarshalFrom(r, &m); {
		case errors.Is(err, io.EOF):
			return numbers
		case err != nil:
			t.Fatal(err)
		}
		numbers = append(numbers, int(m.Bytes))
	}
}

// TestManyReloads reloads a thousand times while datagrams come; each time listen addresses,
// rules and the output change. Nothing is lost, and the ledger is exact.
func TestManyReloads(t *testing.T) {
	t.Parallel()
	reloads := 1000
	if testing.Short() {
		reloads = 100
	}
	host := newHost(t)
	dir := t.TempDir()
	config := func(i int) string {
		listen := "netflow://:2055"
		if i%3 == 1 {
			listen += ",flow://127.0.0.1:2056"
		}
		return fmt.Sprintf("listen: %s\ntransport.file: %s/flows-%d.json\nbatch.linger: 20ms\nexporters.rate: %d\nsampling: 192.0.2.1=%d\n",
			listen, dir, i%2, 1000000+i%5, 1+i%7)
	}
	r := startReloadable(t, host, "", config(0))
	p := startPump(t, host, "127.0.0.1:2055", 0)
	for i := range reloads {
		if text, ok := r.ask(config(i + 1)); !ok {
			t.Fatalf("reload %d: %s", i, text)
		}
	}
	sent := p.stop()
	m := r.w.settle(sent)
	m.lossless(t)
	if n := m.count("config_reloads_total", `outcome="success"`); n != reloads {
		t.Errorf("%d reloads, want %d", n, reloads)
	}
	r.w.stop()
	r.w.allAccounted(sent)
	eachNumberOnce(t, "both files", numbersOf(readLines(t, filepath.Join(dir, "flows-0.json"), filepath.Join(dir, "flows-1.json"))), 0, sent*recordsPerDatagram)
}
