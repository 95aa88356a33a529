package kafkalive

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/internal/testnet"
)

// memoryLimit is what weir's memory must stay under.
const memoryLimit = 512 << 20

// pace is how long a run lasts and how much is sent.
type pace struct {
	lead, fault, load time.Duration // before the fault, of it, and of all
	pps               int           // datagrams of 24 flows a second
}

var (
	fullPace  = pace{lead: 10 * time.Second, fault: 20 * time.Second, load: 60 * time.Second, pps: 2200}
	shortPace = pace{lead: 2 * time.Second, fault: 4 * time.Second, load: 11 * time.Second, pps: 1000}
)

func full() bool { return os.Getenv("KAFKA_TEST_FAULTS") == "full" }

// needFull skips a test that is no part of the short form.
func needFull(t *testing.T) {
	t.Helper()
	needKafka(t)
	if !full() {
		t.Skip("part of the full form: KAFKA_TEST_FAULTS=full")
	}
}

// rig is one run: a cluster, weir and a load.
type rig struct {
	t       *testing.T
	k       *kafkatest.Cluster
	host    *testnet.Host // of weir and gen; nil: this one
	topic   string
	brokers string // as weir is told
	spool   string // directory
	args    []string
	env     []string
	pace    pace
	began   time.Time

	mu    sync.Mutex // guards the rest
	weir  *weir
	most  maxima
	bad   []string // ledgers that do not add up
	looks int
	first metrics         // as they were at the first look
	moved map[string]bool // series that have changed since, or came later
}

// maxima are the largest values seen.
type maxima struct{ spooled, spoolBytes, inFlight, resident uint64 }

// newRig prepares a run in a topic of its own. args are further ones of weir.
func newRig(t *testing.T, k *kafkatest.Cluster, args ...string) *rig {
	t.Helper()
	r := &rig{t: t, k: k, topic: newTopic(t, k, 6, nil), brokers: k.Plain, spool: t.TempDir(), args: args, pace: shortPace}
	if full() {
		r.pace = fullPace
	}
	return r
}

// start starts weir, or starts it again.
func (r *rig) start(more ...string) {
	r.t.Helper()
	args := append([]string{"-transport.kafka.brokers", r.brokers, "-transport.kafka.topic", r.topic, "-spool.dir", r.spool}, r.args...)
	w := startWeir(r.t, r.host, r.env, append(args, more...)...)
	r.mu.Lock()
	r.weir = w
	r.mu.Unlock()
}

// watch looks at the ledger and the memory until the returned function is called.
func (r *rig) watch() (end func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(400 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				r.look()
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// books are the sums of a ledger.
type books struct{ produced, recovered, acked, dropped, spooled, inFlight uint64 }

func (m metrics) books() books {
	return books{
		produced:  m.sum("records_produced_total{"),
		recovered: m.get("spool_recovered_records"),
		acked:     m.get(`records_sink_total{outcome="acknowledged"}`),
		dropped:   m.get(`records_sink_total{outcome="dropped"}`),
		spooled:   m.get(`records_sink_total{outcome="spooled"}`),
		inFlight:  m.get("records_in_flight"),
	}
}

func (r *rig) look() {
	r.mu.Lock()
	w := r.weir
	r.mu.Unlock()
	m := w.scrape()
	if m == nil {
		return
	}
	b, resident := m.books(), max(w.memory("VmHWM"), w.memory("VmRSS"))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	if r.first == nil {
		r.first, r.moved = m, map[string]bool{}
	}
	for name, v := range m {
		if was, ok := r.first[name]; !ok && v != 0 || ok && v != was {
			r.moved[name] = true
		}
	}
	if b.produced+b.recovered != b.acked+b.dropped+b.spooled+b.inFlight || b.inFlight > 1<<40 {
		r.bad = append(r.bad, fmt.Sprintf("%+v", b))
	}
	r.most.spooled = max(r.most.spooled, b.spooled)
	r.most.spoolBytes = max(r.most.spoolBytes, m.get("spool_bytes"))
	r.most.inFlight = max(r.most.inFlight, b.inFlight)
	r.most.resident = max(r.most.resident, resident)
}

// result is what became of a run.
type result struct {
	sent      sent
	account   account
	end       books
	metrics   metrics
	delivered time.Duration // from the end of the load until all was delivered
	most      maxima
}

// run sends the load, has fault done meanwhile, waits until everything is
// delivered, stops weir and reads the topic. The caller has called start.
func (r *rig) run(fault func() error) result {
	r.t.Helper()
	unwatch := r.watch()
	eventually(r.t, "kafka is available", patience, func() bool { return r.weir.scrape().get("kafka_available") == 1 })
	g := startGen(r.t, r.host, r.weir.listen, "-pps", fmt.Sprint(r.pace.pps), "-duration", r.pace.load.String())
	r.began = time.Now()
	time.Sleep(r.pace.lead)
	if err := fault(); err != nil {
		r.t.Fatal(err)
	}
	res := result{sent: g.end()}
	over := time.Now()
	eventually(r.t, "all is delivered", 4*time.Minute, func() bool {
		res.metrics = r.weir.scrape()
		res.end = res.metrics.books()
		return res.metrics != nil && res.end.produced > 0 && res.end.inFlight+res.end.spooled == 0
	})
	res.delivered = time.Since(over)
	unwatch()
	r.look()
	r.weir.stop()
	res.account = count(r.t, r.k, r.topic, res.sent.FirstID, res.sent.NextID)
	res.most = r.most
	if len(r.bad) > 0 || r.looks < 5 {
		r.t.Errorf("of %d ledgers %d do not add up: %v", r.looks, len(r.bad), r.bad)
	}
	if res.most.resident > memoryLimit {
		r.t.Errorf("weir used %d MiB of memory", res.most.resident>>20)
	}
	return res
}

// checkWhole fails the test unless weir received all, and everything that was
// not counted as dropped is in the topic: once, if weir says so.
func (r *rig) checkWhole(res result) {
	r.t.Helper()
	m, a := res.metrics, res.account
	if got := m.sum("datagrams_received_total{"); got != res.sent.Datagrams || m.sum("socket_dropped_total") != 0 {
		r.t.Errorf("%d datagrams received of %d, %d dropped by the kernel", got, res.sent.Datagrams, m.sum("socket_dropped_total"))
	}
	if res.end.produced != res.sent.Records {
		r.t.Errorf("%d records produced of %d", res.end.produced, res.sent.Records)
	}
	if a.missing != res.end.dropped {
		r.t.Errorf("%d flows are missing, %d counted as dropped: %v", a.missing, res.end.dropped, a.runs)
	}
	if a.repeated > m.get("kafka_maybe_repeated_records_total") {
		r.t.Errorf("%d flows are repeated, %d counted", a.repeated, m.get("kafka_maybe_repeated_records_total"))
	}
}

// checkAll is checkWhole, and nothing may be lost or repeated.
func (r *rig) checkAll(res result) {
	r.t.Helper()
	r.checkWhole(res)
	if res.account.missing != 0 || res.account.repeated != 0 {
		r.t.Errorf("%d flows are missing, %d repeated", res.account.missing, res.account.repeated)
	}
}

// report logs the run, and appends it to the results.
func (r *rig) report(name string, res result, remark string) {
	r.t.Helper()
	shape := "flow"
	for i, a := range r.args {
		if a == "-transport.kafka.message" {
			shape = r.args[i+1]
		}
	}
	line := fmt.Sprintf("| %s | %s | %d | %.0f | %d | %d | %d | %d (%d MiB) | %.1f s | %d MiB | %s |", name, shape, res.sent.Records,
		float64(res.sent.Records)/res.sent.Seconds, res.account.flows, res.account.missing, res.account.repeated,
		res.most.spooled, res.most.spoolBytes>>20, res.delivered.Seconds(), res.most.resident>>20, remark)
	r.t.Log(line)
	if path := os.Getenv("KAFKA_TEST_RESULTS"); path != "" && !r.t.Failed() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			r.t.Fatal(err)
		}
		defer f.Close()
		if _, err := fmt.Fprintln(f, line); err != nil {
			r.t.Fatal(err)
		}
	}
}

// checkMoved fails the test unless each of the metrics has moved.
func (r *rig) checkMoved(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if !r.moved[name] {
			r.t.Errorf("weir_%s is not there, or never moved", name)
		}
	}
}

// drops says what was dropped, by reason.
func (res result) drops() string {
	var list []string
	for name, v := range res.metrics {
		if reason, ok := strings.CutPrefix(name, `records_dropped_total{reason="`); ok && v > 0 {
			list = append(list, fmt.Sprintf("%.0f %s", v, strings.TrimSuffix(reason, `"}`)))
		}
	}
	return strings.Join(list, ", ")
}
