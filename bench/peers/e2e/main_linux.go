package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
)

type options struct {
	weir, gen, replay, goflow2 string
	workloads, only            string
	duration                   time.Duration
	highest                    float64
	rates                      []float64
	rounds                     int
}

func main() {
	var o options
	flag.StringVar(&o.weir, "weir", "bin/weir", "weir's program")
	flag.StringVar(&o.gen, "gen", "bin/gen", "that of bench/gen")
	flag.StringVar(&o.replay, "replay", "bin/replay", "that of bench/replay")
	flag.StringVar(&o.goflow2, "goflow2", "", "goflow2's program; empty leaves it out")
	flag.StringVar(&o.workloads, "workloads", "nf9,nf5,ipfix,sflow", "workloads to run")
	flag.StringVar(&o.only, "collectors", "", "collectors to run, as the table names them; empty runs all that are here")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "how long a rate is measured")
	flag.Float64Var(&o.highest, "highest", 0, "highest rate to try, datagrams a second; 0 goes on while nothing is lost")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each rate is measured")
	o.rates = []float64{3000, 30000}
	flag.Func("rates", "rates to measure in addition to the highest, datagrams a second, rising (default 3000,30000)", o.parseRates)
	flag.Parse()
	if o.rounds < 1 {
		fmt.Fprintf(os.Stderr, "e2e: -rounds %d: want 1 at least\n", o.rounds)
		os.Exit(2)
	}
	if err := o.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

// parseRates reads a list of rates.
func (o *options) parseRates(text string) error {
	o.rates = nil
	for _, part := range strings.Split(text, ",") {
		rate, err := strconv.ParseFloat(part, 64)
		if err != nil || rate < 1 || len(o.rates) > 0 && rate <= o.rates[len(o.rates)-1] {
			return fmt.Errorf("%q: want rates of at least 1, rising, separated by commas", text)
		}
		o.rates = append(o.rates, rate)
	}
	return nil
}

func (o *options) run(out io.Writer) error {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(out, "# %d CPUs, %s, %s, load before: %s", runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly), load)
	fmt.Fprintf(out, "# command: e2e %s\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintln(out, "# rate: what was asked for; highest is the highest without loss in one of three tries. CPU: user and system time of the collector, ns a record and us a datagram")
	fmt.Fprintf(out, "# medians of %d rounds, in which all take turns (min-max); lost and RSS: the most of any round\n", o.rounds)
	fmt.Fprintln(out, "# latency: from the kernel's receive time to the reader of the output, by a pipe, in a run of its own")
	for _, work := range strings.Split(o.workloads, ",") {
		capture := filepath.Join(dir, work+".pcap")
		perPacket, err := o.capture(work, capture)
		if err != nil {
			return err
		}
		var runners []*runner
		for _, c := range o.collectors() {
			if !c.takes(work) || o.only != "" && !strings.Contains(","+o.only+",", ","+c.name+",") {
				continue
			}
			runners = append(runners, &runner{options: o, collector: c, work: work, capture: capture, perPacket: perPacket,
				dir: filepath.Join(dir, c.name+"-"+work)})
		}
		if err := o.compare(out, work, runners); err != nil {
			return err
		}
	}
	return nil
}

// capture writes a workload to a file and returns its records a datagram.
func (o *options) capture(work, path string) (float64, error) {
	const datagrams = 6400
	g, err := workload.New(workload.Config{Workload: work, Exporters: 64, Seed: 1, MaxPayload: 1472})
	if err != nil {
		return 0, fmt.Errorf("make workload: %w", err)
	}
	records := 0
	for _, d := range g.Take(datagrams) {
		records += len(d.Flows)
	}
	cmd := exec.Command(o.gen, "-workload", work, "-exporters", "64", "-max-payload", "1472", "-count", strconv.Itoa(datagrams), "-write", path, "-quiet")
	if text, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("write capture: %w: %s", err, text)
	}
	return float64(records) / datagrams, nil
}

// runner measures one collector with one workload.
type runner struct {
	*options
	collector collector
	work      string
	capture   string
	perPacket float64
	dir       string
	lab       *lab
	best      float64 // the highest rate without loss that was found
}

// result is what came of one rate.
type result struct {
	sent, lost float64
	seconds    float64
	cpu        time.Duration
	rss        int64
}

// open makes what the collector needs, which close removes.
func (r *runner) open() error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	if r.collector.xdp {
		l, err := newLab(os.Getpid())
		if err != nil {
			return err
		}
		r.lab = l
	}
	return nil
}

func (r *runner) close() {
	if r.lab != nil {
		r.lab.close()
	}
	_ = os.RemoveAll(r.dir) // in a folder that is removed too
}

// search looks for the highest rate without loss: up in steps of a quarter from the
// highest of the rates that are measured anyway and go without.
func (r *runner) search() error {
	r.best = 0
	for _, rate := range r.rates {
		res, err := r.lossless(rate)
		if err != nil {
			return err
		}
		if res.lost > 0 {
			break
		}
		r.best = rate
	}
	const step = 1.25
	var top result
	for rate := max(r.best, 1000) * step; r.highest == 0 || rate <= r.highest; rate *= step {
		res, err := r.lossless(rate)
		if err != nil {
			return err
		}
		short := res.sent/res.seconds < 0.95*rate // the sender cannot
		if res.lost == 0 && !(top.sent > 0 && short && res.sent <= top.sent) {
			top, r.best = res, rate
		}
		if res.lost > 0 || short {
			break
		}
	}
	if r.best == 0 {
		return fmt.Errorf("no rate without loss from 1250 datagrams a second on")
	}
	return nil
}

// lossless measures a rate, and again while something is lost: on a shared machine others
// take the CPU now and then, and one such moment is not the collector's limit.
func (r *runner) lossless(rate float64) (res result, err error) {
	const tries = 3
	for range tries {
		if res, err = r.measure(rate); err != nil || res.lost == 0 {
			break
		}
	}
	return res, err
}

// up starts the collector.
func (r *runner) up(edit func(args []string) []string, prepare func(*exec.Cmd)) (*process, error) {
	args := r.collector.args(r.dir, r.work)
	if edit != nil {
		args = edit(args)
	}
	if r.lab != nil {
		args = in(r.lab.collector, args)
	}
	p, err := start(args, prepare)
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	if p.cpu() == 0 {
		p.stop()
		return nil, fmt.Errorf("did not start: %s", p.err.String())
	}
	return p, nil
}

// send sends the capture for a time and returns how many datagrams that were.
func (r *runner) send(rate float64, d time.Duration) (float64, float64, error) {
	args := []string{r.replay, "-to", fmt.Sprintf("127.0.0.1:%d", port), "-keep-source", "-rewrite-time", "-rewrite-sequence", "-loop", "0",
		"-pps", fmt.Sprintf("%.0f", rate), "-duration", d.String(), r.capture}
	if r.lab != nil {
		args[2] = fmt.Sprintf("10.99.0.2:%d", port)
		args = in(r.lab.exporter, append(args[:len(args)-1:len(args)-1], "-interface", "vx", r.capture))
	}
	cmd := exec.Command(args[0], args[1:]...)
	text, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("send: %w", err)
	}
	var summary struct {
		Datagrams float64 `json:"datagrams"`
		Seconds   float64 `json:"seconds"`
		Dropped   float64 `json:"interface_dropped"`
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return 0, 0, fmt.Errorf("send: %w: %s", err, text)
	}
	return summary.Datagrams - summary.Dropped, summary.Seconds, nil
}

// measure runs the collector at a rate.
func (r *runner) measure(rate float64) (result, error) {
	p, err := r.up(nil, nil)
	if err != nil {
		return result{}, err
	}
	defer p.stop()
	if _, _, err := r.send(2000, time.Second); err != nil { // templates, memory
		return result{}, err
	}
	time.Sleep(300 * time.Millisecond)
	received := r.received() // first: to be scraped is not what others are spared
	cpu, drops := p.cpu(), p.socketDrops(port)
	sent, seconds, err := r.send(rate, r.duration)
	if err != nil {
		return result{}, err
	}
	time.Sleep(500 * time.Millisecond)
	res := result{sent: sent, seconds: seconds, cpu: p.cpu() - cpu, rss: p.rss(), lost: float64(p.socketDrops(port) - drops)}
	if r.collector.ours {
		res.lost = max(res.lost, sent-(r.received()-received))
	}
	return res, nil
}

// received returns how many datagrams weir says that it received.
func (r *runner) received() float64 {
	if !r.collector.ours {
		return 0
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", httpPort)
	var text []byte
	if r.lab != nil {
		text, _ = exec.Command("ip", "netns", "exec", r.lab.collector, "curl", "-s", "--noproxy", "*", url).Output()
	} else if resp, err := http.Get(url); err == nil {
		text, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	total := 0.0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "weir_datagrams_received_total") {
			f := strings.Fields(line)
			n, _ := strconv.ParseFloat(f[len(f)-1], 64)
			total += n
		}
	}
	return total
}

// latency runs weir once more, with its output to a pipe, and returns the
// quantiles of the age of messages; "" for others.
func (r *runner) latency(rate float64) string {
	if !r.collector.ours {
		return "-"
	}
	l := &latencies{}
	p, err := r.up(func(args []string) []string {
		for i := range args {
			if args[i] == "/dev/null" {
				args[i] = ""
			}
		}
		return args
	}, func(cmd *exec.Cmd) {
		if pipe, err := cmd.StdoutPipe(); err == nil {
			go l.watch(pipe)
		}
	})
	if err != nil {
		return err.Error()
	}
	defer p.stop()
	if _, _, err := r.send(2000, time.Second); err != nil {
		return err.Error()
	}
	time.Sleep(300 * time.Millisecond)
	l.set(true)
	_, _, err = r.send(rate, r.duration)
	time.Sleep(300 * time.Millisecond)
	l.set(false)
	if err != nil {
		return err.Error()
	}
	show := func(q float64) string { return l.quantile(q).Round(10 * time.Microsecond).String() }
	return show(0.5) + "/" + show(0.99) + "/" + show(0.999)
}
