package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
)

// metrics are the sums of a scrape by name, and by name with one label.
type metrics map[string]float64

// scrape reads the collector's metrics.
func (c *collector) scrape() (metrics, error) {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(c.base + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("scrape: %w", err)
	}
	defer res.Body.Close()
	m := metrics{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("scrape: %q: %w", line, err)
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		m[name] += v
		for _, label := range strings.Split(strings.TrimSuffix(labels, "}"), ",") {
			m[name+"{"+label] += v
		}
	}
	return m, lines.Err()
}

// sample is one look at the collector.
type sample struct {
	at                  time.Duration
	rss                 float64 // bytes
	inUse               float64 // bytes of rss that are no free part of the heap
	live                float64 // bytes that a collection of garbage left; 0 where none was asked for
	goroutines, fds     int
	cpu                 float64 // seconds
	received, dropped   float64
	exporters, template float64
	streams             float64
}

// recordsV5 is how many flows a v5 datagram of the workload has.
const recordsV5 = 30

// watch looks at the collector from time to time.
type watch struct {
	o       options
	c       *collector
	l       *load
	a       *adversary // nil for none
	g       *good      // the same
	began   time.Time
	samples []sample
	last    metrics
}

func (w *watch) run(ctx context.Context) error {
	fmt.Printf("%8s %9s %9s %8s %8s %8s %8s %8s %6s %6s %5s %9s %9s %9s\n",
		"time", "sent/s", "recv/s", "dropped", "late", "RSS MiB", "in use", "live", "CPU %", "gorout", "fds", "exporters", "templates", "streams")
	tick := time.NewTicker(w.o.interval)
	defer tick.Stop()
	sent := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s, err := w.look()
		if err != nil {
			return err
		}
		before := sample{}
		if n := len(w.samples); n > 0 {
			before = w.samples[n-1]
		}
		w.samples = append(w.samples, s)
		seconds := (s.at - before.at).Seconds()
		now := w.sent()
		live := "" // most looks ask for no collection
		if s.live > 0 {
			live = fmt.Sprintf("%.1f", s.live/(1<<20))
		}
		fmt.Printf("%8s %9.0f %9.0f %8.0f %8d %8.1f %8.1f %8s %6.1f %6d %5d %9.0f %9.0f %9.0f\n", s.at.Round(time.Second),
			float64(now-sent)/seconds, (s.received-before.received)/seconds, s.dropped, w.l.late.Load(), s.rss/(1<<20), s.inUse/(1<<20), live,
			100*(s.cpu-before.cpu)/seconds, s.goroutines, s.fds, s.exporters, s.template, s.streams)
		sent = now
	}
}

func (w *watch) look() (sample, error) {
	m, err := w.c.scrape()
	if err != nil {
		return sample{}, err
	}
	w.last = m
	s := sample{
		at: time.Since(w.began), goroutines: int(m["go_goroutines"]), cpu: m["process_cpu_seconds_total"],
		received: m["weir_datagrams_received_total"], dropped: m["weir_socket_dropped_total"],
		exporters: m["weir_exporters"], template: m["weir_templates"], streams: m["weir_sequence_streams"],
	}
	proc := filepath.Join("/proc", strconv.Itoa(w.c.cmd.Process.Pid))
	text, err := os.ReadFile(filepath.Join(proc, "statm"))
	if err != nil {
		return s, fmt.Errorf("read memory: %w", err)
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return s, fmt.Errorf("read memory: %w", err)
	}
	s.rss = pages * float64(os.Getpagesize())
	s.inUse = s.rss - (m["go_memstats_heap_idle_bytes"] - m["go_memstats_heap_released_bytes"])
	if every := int(w.o.duration/liveLooks/w.o.interval) + 1; len(w.samples)%every == every-1 {
		if s.live, err = w.c.liveHeap(); err != nil {
			return s, err
		}
	}
	list, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return s, fmt.Errorf("read files: %w", err)
	}
	s.fds = len(list)
	return s, nil
}

// settle waits until nothing is on its way any more.
func (w *watch) settle() error {
	last := -1.0
	for range 60 {
		time.Sleep(2 * time.Second)
		m, err := w.c.scrape()
		if err != nil {
			return err
		}
		w.last = m
		if r := m["weir_datagrams_received_total"]; r == last && m["weir_records_in_flight"] == 0 && m["weir_datagrams_held"] == 0 {
			return nil
		} else {
			last = r
		}
	}
	return nil
}

// verdict prints what is as it should be and what is not.
func (w *watch) verdict() bool {
	m, l := w.last, w.l
	good := true
	check := func(ok bool, format string, args ...any) {
		word := "ok  "
		if !ok {
			word, good = "FAIL", false
		}
		fmt.Printf("%s %s\n", word, fmt.Sprintf(format, args...))
	}
	sent, received, dropped := float64(w.sent()), m["weir_datagrams_received_total"], m["weir_socket_dropped_total"]
	from, full := w.full()
	var last sample
	goroutines, fds := [2]int{math.MaxInt, 0}, [2]int{math.MaxInt, 0}
	for _, s := range w.samples {
		if s.at >= from {
			goroutines = [2]int{min(goroutines[0], s.goroutines), max(goroutines[1], s.goroutines)}
			fds = [2]int{min(fds[0], s.fds), max(fds[1], s.fds)}
		}
		last = s
	}
	fmt.Printf("\nrate: %.0f packets/s sent on average of %.0f asked for; %.0f records/s; CPU of the collector %.0f %% of one\n",
		sent/last.at.Seconds(), w.o.pps, m["weir_records_produced_total"]/last.at.Seconds(), 100*last.cpu/last.at.Seconds())
	w.verdictMemory(check, from, full)
	check(goroutines[1]-goroutines[0] <= 3, "goroutines: %d to %d", goroutines[0], goroutines[1])
	check(fds[1]-fds[0] <= 3, "files: %d to %d", fds[0], fds[1])
	check(sent == received+dropped, "datagrams: %.0f sent = %.0f received + %.0f dropped at the socket", sent, received, dropped)
	ended := m["weir_datagrams_total"]
	check(received == ended, "datagrams: %.0f received = %.0f that ended in a counter", received, ended)
	produced := m["weir_records_produced_total"]
	out := m["weir_records_sink_total"]
	check(produced == out, "records: %.0f produced = %.0f acknowledged or dropped", produced, out)
	flows := float64(l.flows.Load())
	if dropped == 0 && w.a == nil { // the adversary's records are not counted
		check(math.Abs(produced-flows) <= 5*float64(l.garbage.Load()), "records: %.0f sent, %.0f produced, of which some of %d garbage datagrams", flows, produced, l.garbage.Load())
	}
	if w.a != nil {
		w.verdictAdversary(check)
		return w.conclude(good)
	}
	lost := m["weir_exporter_lost_total{unit=\"datagrams\""]
	check(lost <= dropped, "lost: %.0f datagrams of v9 and sFlow, %.0f flows, %.0f records, %.0f samples by sequence; %.0f datagrams dropped at the socket",
		lost, m["weir_exporter_lost_total{unit=\"flows\""], m["weir_exporter_lost_total{unit=\"records\""], m["weir_exporter_lost_total{unit=\"samples\""], dropped)
	// Drops strike all alike: of v5 it is known what each datagram is worth.
	if share := float64(l.byProtocol[workload.NetFlow5].Load()) / sent; dropped*share > 1000 {
		want, flows := dropped*share*recordsV5, m["weir_exporter_lost_total{unit=\"flows\""]
		check(math.Abs(flows-want) < 0.05*want, "lost: %.0f flows of v5 told, %.0f by its share of what was dropped", flows, want)
	}
	restarts, truth := m["weir_exporter_restarts_total"], float64(l.restarted.Load())
	check(math.Abs(restarts-truth) <= 0.02*truth+5, "restarts: %.0f told, %.0f made", restarts, truth)
	check(m["weir_exporters"] <= 100_000, "exporters: %.0f of %.0f, %.0f evicted; %d garbage datagrams, %d templates redefined",
		m["weir_exporters"], m["weir_exporters_max"], m["weir_exporters_evicted_total"], l.garbage.Load(), l.churned.Load())
	return w.conclude(good)
}

// sent returns how many datagrams were sent by all.
func (w *watch) sent() uint64 {
	n := w.l.sent.Load()
	if w.a != nil {
		n += w.a.sent.Load() + w.g.sent.Load()
	}
	return n
}

// mostLatency is what all but a hundredth of the good exporter's flows may take from
// being sent to the output.
const mostLatency = 200 * time.Millisecond

// verdictAdversary says what became of the good exporter during the attack.
func (w *watch) verdictAdversary(check func(ok bool, format string, args ...any)) {
	seconds := w.samples[len(w.samples)-1].at.Seconds()
	fmt.Printf("adversary: %d datagrams, %.0f a second; %d bytes were late and not sent\n",
		w.a.sent.Load(), float64(w.a.sent.Load())/seconds, w.a.late.Load())
	check(w.g.received == w.g.sent.Load(), "good exporter: %d flows sent, %d at the output", w.g.sent.Load(), w.g.received)
	p99 := w.g.quantile(0.99)
	check(p99 <= mostLatency, "good exporter: from being sent to the output 50 %% within %v, 99 %% %v (%v wanted), all %v",
		w.g.quantile(0.5).Round(time.Millisecond), p99.Round(time.Millisecond), mostLatency, w.g.quantile(1).Round(time.Millisecond))
}

// conclude prints whether all was as it should be.
func (w *watch) conclude(good bool) bool {
	if good {
		fmt.Println("verdict: as it should be")
	} else {
		fmt.Println("verdict: NOT as it should be")
	}
	return good
}
