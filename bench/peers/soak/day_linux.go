package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Hours of the day, each of which is a 24th of the duration.
const (
	hours        = 24
	hourToKafka  = 7  // the output is Kafka from then on
	hourOutage   = 8  // the broker is stopped
	hourRecovery = 9  // and started again
	hourToFile   = 11 // the output is files again
	hourKill     = 13 // weir is killed
	restartEvery = 4  // hours between two restarts, in turn by a signal and by -handover
)

// What the files of the day may take.
const (
	keepBytes   = 64 << 20
	rotateBytes = 16 << 20
	// diskBytes is the bound: what is kept, the file that is written, and one that is
	// compressed, in both forms.
	diskBytes = keepBytes + 3*rotateBytes
)

// day is a day in the life of weir in a shorter time: rotation, retention, reloads, restarts,
// a kill, an outage of Kafka, exporters that come and go, and the adversary.
type day struct {
	o           options
	dir         string
	port, web   int
	socket      *os.File // stays open over all lives, as that of a socket unit does
	l           *load
	a           *adversary
	began       time.Time
	now         *life
	lives       []*life
	kafka       map[string]string // variables of the cluster
	mostDisk    int64
	mostRSS     float64
	limit       float64
	fds, gorout []int // at the end of each hour
	faults      []string
}

// A life is one process.
type life struct {
	cmd    *exec.Cmd
	log    string
	ended  chan error
	killed bool
}

func (d *day) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
	fmt.Printf("FAIL %s\n", fmt.Sprintf(format, args...))
}

// runDay runs the day, and reports whether all was well.
func runDay(ctx context.Context, o options) (bool, error) {
	dir, err := os.MkdirTemp("", "weir-day-")
	if err != nil {
		return false, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &day{o: o, dir: dir, began: time.Now()}
	if err := d.open(); err != nil {
		return false, err
	}
	defer d.socket.Close()
	if err := d.startKafka(); err != nil {
		return false, err
	}
	defer d.kafkaCommand("down")
	if err := d.configure(0, "file"); err != nil {
		return false, err
	}
	if d.now, err = d.start(); err != nil {
		return false, err
	}
	defer func() { _ = d.now.cmd.Process.Kill() }()
	fmt.Printf("# a day in %v: %.0f packets/s, %d exporters, adversary of %.0f Mbit/s; %d CPUs, %s\n", o.duration, o.pps, o.exporters, o.adversary,
		runtime.NumCPU(), time.Now().UTC().Format(time.DateTime))
	loads, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.l, err = newLoad(o, d.port); err != nil {
		return false, err
	}
	if d.a, err = newAdversary(o, d.port); err != nil {
		return false, err
	}
	ended := make(chan error, 2)
	go func() { ended <- d.l.run(loads) }()
	go func() { ended <- d.a.run(loads) }()
	for hour := range hours {
		if err := d.hour(ctx, hour, ended); err != nil {
			return false, err
		}
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			return false, err
		}
	}
	return d.verdict()
}

// open opens the socket that all lives receive on, and finds a port for the web server.
func (d *day) open() error {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer c.Close() // the copy stays
	d.port = c.LocalAddr().(*net.UDPAddr).Port
	if d.socket, err = c.File(); err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	_ = syscall.SetsockoptInt(int(d.socket.Fd()), syscall.SOL_SOCKET, 33 /* SO_RCVBUFFORCE */, 64<<20)
	d.web, err = freePort("tcp")
	return err
}

func (d *day) flows() string { return filepath.Join(d.dir, "flows") }

// configure writes the configuration of an hour.
func (d *day) configure(hour int, transport string) error {
	listen := fmt.Sprintf("flow://127.0.0.1:%d", d.port)
	if hour%2 == 1 {
		listen += ",netflow://127.0.0.1:0"
	}
	text := fmt.Sprintf("listen: %s\naddr: 127.0.0.1:%d\nhandover: %s\ntemplates: {json: {path: %s}}\nformat: bin\nerrors.sample: {dir: %s, keep: {bytes: 4MiB}}\n"+
		"sampling: 192.0.2.1=%d\nexporters.rate: %d\nmetrics.exporters: 100\n",
		listen, d.web, filepath.Join(d.dir, "handover"), filepath.Join(d.dir, "templates.json"), filepath.Join(d.dir, "errors"), 1+hour, 1_000_000+hour)
	if transport == "file" {
		text += fmt.Sprintf("transport.file: {path: %s, sep: '', compress: zstd, rotate: {interval: %s, size: %d}, keep: {bytes: %d}}\n",
			filepath.Join(d.flows(), "flows.bin"), max(d.o.duration/hours, time.Second).Round(time.Second), rotateBytes, keepBytes)
	} else {
		text += fmt.Sprintf("transport: {type: kafka, kafka: {brokers: [%s], topic: day, message: batch, compression: zstd}}\nspool.dir: %s\n",
			d.kafka["KAFKA_TEST_BROKERS"], filepath.Join(d.dir, "spool"))
	}
	if err := os.MkdirAll(d.flows(), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "weir.yaml"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// start starts a life, and waits until it answers. The socket is passed as systemd does.
func (d *day) start() (*life, error) {
	l := &life{log: filepath.Join(d.dir, fmt.Sprintf("log-%d", len(d.lives))), ended: make(chan error, 1)}
	log, err := os.Create(l.log)
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	defer log.Close()
	l.cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, d.o.weir, "-config", filepath.Join(d.dir, "weir.yaml"))
	l.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=flows")
	l.cmd.ExtraFiles = []*os.File{d.socket}
	l.cmd.Stdout, l.cmd.Stderr = log, log
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", d.o.weir, err)
	}
	go func() { l.ended <- l.cmd.Wait() }()
	d.lives = append(d.lives, l)
	for range 300 {
		if text, _ := os.ReadFile(l.log); strings.Contains(string(text), "serving http") {
			return l, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(l.log)
	return nil, fmt.Errorf("%s does not start:\n%s", d.o.weir, text)
}

// scrape reads the metrics of the present life.
func (d *day) scrape() (metrics, error) {
	c := collector{base: fmt.Sprintf("http://127.0.0.1:%d", d.web)}
	return c.scrape()
}

// await waits for a life to end.
func (d *day) await(l *life) error {
	select {
	case err := <-l.ended:
		if err != nil && !l.killed {
			d.fault("a life ended with %v", err)
		}
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("a life does not end")
	}
}

// reload has the present life read the configuration again.
func (d *day) reload() {
	out, err := exec.Command(d.o.weir, "reload", strconv.Itoa(d.now.cmd.Process.Pid)).CombinedOutput()
	if err != nil {
		d.fault("reload: %v: %s", err, out)
	}
}

// hour does what the hour is for, and watches for its length.
func (d *day) hour(ctx context.Context, hour int, ended <-chan error) error {
	transport := "file"
	if hour >= hourToKafka && hour < hourToFile {
		transport = "kafka"
	}
	if err := d.events(hour, transport); err != nil {
		return err
	}
	end := d.began.Add(time.Duration(hour+1) * d.o.duration / hours)
	tick := time.NewTicker(min(time.Second, d.o.duration/hours/10))
	defer tick.Stop()
	for time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return fmt.Errorf("load ended: %w", err)
		case <-tick.C:
		}
		d.mostDisk = max(d.mostDisk, sizeOf(d.flows()))
	}
	m, err := d.scrape()
	if err != nil {
		return err
	}
	d.mostRSS, d.limit = max(d.mostRSS, m["process_resident_memory_bytes"]), m["go_gc_gomemlimit_bytes"]
	d.fds, d.gorout = append(d.fds, int(m["process_open_fds"])), append(d.gorout, int(m["go_goroutines"]))
	fmt.Printf("hour %2d: life %d, %s; received %.0f, acknowledged %.0f, spooled %.0f, in flight %.0f, dropped %.0f; RSS %.0f MiB, %d files, %d goroutines, %d MiB of flows\n",
		hour, len(d.lives), transport, m["weir_datagrams_received_total"], m[`weir_records_sink_total{outcome="acknowledged"`], m["weir_records_spooled"],
		m["weir_records_in_flight"], m["weir_records_dropped_total"], m["process_resident_memory_bytes"]/(1<<20), d.fds[hour], d.gorout[hour], sizeOf(d.flows())>>20)
	return nil
}

// events are those of the hour.
func (d *day) events(hour int, transport string) error {
	if hour > 0 {
		if err := d.configure(hour, transport); err != nil {
			return err
		}
	}
	switch hour {
	case 0:
		return nil
	case hourOutage:
		d.kafkaCommand("broker", "1", "stop")
	case hourRecovery:
		d.kafkaCommand("broker", "1", "start")
	case hourKill:
		d.now.killed = true
		_ = d.now.cmd.Process.Kill()
		if err := d.await(d.now); err != nil {
			return err
		}
		return d.next()
	}
	if hour%restartEvery != 2 {
		d.reload()
		return nil
	}
	old := d.now
	if hour%(2*restartEvery) == 2 { // the successor asks for the sockets
		if err := d.next(); err != nil {
			return err
		}
		return d.await(old)
	}
	_ = old.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.await(old); err != nil {
		return err
	}
	return d.next()
}

// next starts another life.
func (d *day) next() (err error) {
	d.now, err = d.start()
	return err
}

// sizeOf returns the bytes of the files in a folder.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it was deleted
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

var field = regexp.MustCompile(`(\w+)=(\d+)`)

// ledger returns the numbers of the last line of that message in a life's log; nil for none.
func (l *life) ledger(msg string) map[string]int {
	text, _ := os.ReadFile(l.log)
	at := strings.LastIndex(string(text), "msg="+msg)
	if at < 0 {
		return nil
	}
	line, _, _ := strings.Cut(string(text[at:]), "\n")
	n := map[string]int{}
	for _, m := range field.FindAllStringSubmatch(line, -1) {
		n[m[1]], _ = strconv.Atoi(m[2])
	}
	return n
}

// verdict ends the last life and says whether all was well.
func (d *day) verdict() (bool, error) {
	_ = d.now.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.await(d.now); err != nil {
		return false, err
	}
	sent, received, atMost, spooled := int(d.l.sent.Load()+d.a.sent.Load()), 0, 0, 0
	for i, l := range d.lives {
		if i > 0 && d.lives[i-1].killed {
			n := l.ledger(`"the last weir ended`)
			received += n["datagrams_received"]
			atMost += n["datagrams_at_most"]
			fmt.Printf("life %d was killed: %d received, %d datagrams and %d records lost at most\n", i-1, n["datagrams_received"], n["datagrams_at_most"], n["records_at_most"])
		}
		if l.killed {
			continue
		}
		n := l.ledger("ledger")
		if n == nil {
			d.fault("life %d left no ledger", i)
			continue
		}
		took := n["datagrams_received"]
		if sum := n["datagrams_decoded"] + n["datagrams_failed"] + n["datagrams_held"] + n["datagrams_dropped_denied"] + n["datagrams_dropped_rate"] +
			n["datagrams_dropped_shutdown"]; sum != took {
			d.fault("life %d: %d received, %d in outcomes", i, took, sum)
		}
		in := n["records_produced"] + n["spool_recovered_records"]
		if out := n["records_acknowledged"] + n["records_dropped"] + n["records_spooled"] + n["records_in_flight"]; in != out || n["records_in_flight"] != 0 {
			d.fault("life %d: %d produced and recovered, %d in outcomes, %d in flight", i, in, out, n["records_in_flight"])
		}
		if n["records_dropped"] > 0 {
			d.fault("life %d: %d records dropped", i, n["records_dropped"])
		}
		spooled = n["records_spooled"]
		received += took + n["socket_dropped"]
		fmt.Printf("life %d: %d received, %d dropped by the kernel, %d at the stop; %d produced, %d recovered, %d acknowledged, %d spooled\n", i, took,
			n["socket_dropped"], n["datagrams_dropped_shutdown"], n["records_produced"], n["spool_recovered_records"], n["records_acknowledged"], n["records_spooled"])
	}
	if missing := sent - received; missing < 0 || missing > atMost {
		d.fault("%d datagrams sent, %d in the ledgers of all lives, %d may be missing", sent, received, atMost)
	}
	if spooled != 0 {
		d.fault("%d records are left in the spool", spooled)
	}
	if d.mostDisk > diskBytes {
		d.fault("%d MiB of flows at most, the bound is %d", d.mostDisk>>20, diskBytes>>20)
	}
	if d.mostRSS > d.limit {
		d.fault("RSS %.0f MiB at most, the limit is %.0f", d.mostRSS/(1<<20), d.limit/(1<<20))
	}
	fmt.Printf("sent %d, in all ledgers %d, at most %d lost by the kill; disk %d MiB at most of %d; RSS %.0f MiB at most of %.0f; files %v; goroutines %v\n",
		sent, received, atMost, d.mostDisk>>20, diskBytes>>20, d.mostRSS/(1<<20), d.limit/(1<<20), d.fds, d.gorout)
	if len(d.faults) > 0 {
		fmt.Println("verdict: NOT as it should be")
		return false, nil
	}
	fmt.Println("verdict: as it should be")
	return true, nil
}

// startKafka starts a broker.
func (d *day) startKafka() error {
	out, err := d.kafkaCommand("up", "1")
	if err != nil {
		return fmt.Errorf("start kafka: %w: %s", err, out)
	}
	d.kafka = map[string]string{}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			d.kafka[name] = strings.Trim(value, `'"`)
		}
	}
	return nil
}

func (d *day) kafkaCommand(args ...string) (string, error) {
	cmd := exec.Command("scripts/kafka", args...)
	cmd.Env = append(os.Environ(), "KAFKA_TEST_STATE="+filepath.Join(d.dir, "kafka.state"), "KAFKA_TEST_OWNER="+strconv.Itoa(os.Getpid()))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}
