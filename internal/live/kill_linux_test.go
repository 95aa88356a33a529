package live

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/producer"
)

// killRounds is how often TestKilledState kills weir, unless WEIR_KILLS says.
const killRounds = 10

// killExporters are those that send all the time; each has its own address.
const killExporters = 20

// killLab is what stays over the rounds of TestKilledState.
type killLab struct {
	t     *testing.T
	conns []net.Conn
	path  string // of the state

	// announced says when each template was known to weir, by its domain.
	announced     map[uint32]time.Time
	began, killed time.Time     // of this round's load
	oldest        time.Duration // the longest time of changes that a kill cost
}

// exporterTemplate is a template that no other exporter has: its records have a
// length of their own.
func exporterTemplate(exporter int) []byte {
	return words(256, 4, 8, 4, 12, 4, 1, 8, 95, uint16(1+exporter))
}

func exporterRecord(exporter, number int) []byte {
	return append(flowRecord(number), make([]byte, 1+exporter)...)
}

// TestKilledState kills weir again and again under load, while templates are
// announced and redefined. The file that is left always loads and has all that
// weir knew when it was saved, and the data of the exporters in it is decoded from
// the first datagram.
func TestKilledState(t *testing.T) {
	rounds := killRounds
	if text := os.Getenv("WEIR_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("WEIR_KILLS: %v", err)
		}
		rounds = n
	} else {
		t.Parallel()
	}
	host := newHost(t)
	l := &killLab{t: t, path: filepath.Join(t.TempDir(), "templates.json"), announced: map[uint32]time.Time{}}
	for i := range killExporters {
		l.conns = append(l.conns, dialOn(t, host, fmt.Sprintf("127.0.1.%d", 1+i), "127.0.0.1:2055"))
	}
	r := rand.New(rand.NewPCG(1, 2))
	file := filepath.Join(t.TempDir(), "flows.json")
	began := time.Now()
	for round := range rounds {
		w := startWeirTo(t, host, file, "-templates.json.path", l.path, "-batch.size", "4KiB")
		if round == 0 {
			for i, conn := range l.conns {
				send(t, conn, ipfix(1, set(setIPFIXTemplate, exporterTemplate(i))))
			}
			w.waitMetric(killExporters, "templates")
			eventually(t, "the exporters' templates are saved", func() bool { return len(l.load()) == killExporters })
		} else {
			l.firstDatagrams(w, round)
		}
		l.loadUntilKilled(w, round, time.Duration(r.IntN(1200))*time.Millisecond)
		l.checkFile(round)
		must(os.Remove(file))
	}
	t.Logf("%d kills in %v: a kill cost the changes of %v at most", rounds, time.Since(began).Round(time.Second), l.oldest.Round(time.Millisecond))
	if names, _ := filepath.Glob(l.path + ".*-*"); len(names) != 0 {
		t.Errorf("set aside: %v", names)
	}
}

// firstDatagrams sends one datagram of each exporter, which must be decoded at
// once.
func (l *killLab) firstDatagrams(w *weir, round int) {
	l.t.Helper()
	for i, conn := range l.conns {
		// An error that waits says that weir was away.
		_, _ = unix.GetsockoptInt(fdOf(l.t, conn), unix.SOL_SOCKET, unix.SO_ERROR)
		send(l.t, conn, ipfix(1, set(256, exporterRecord(i, 0))))
	}
	m := w.waitMetric(killExporters, "datagrams_received_total")
	if n, held := m.count("records_produced_total"), m.count("sets_held_total")+m.count("sets_held"); n != killExporters || held != 0 {
		l.t.Fatalf("round %d: %d records of the first %d datagrams, %d sets were held", round, n, killExporters, held)
	}
}

// fdOf returns the number of a connection's socket.
func fdOf(t *testing.T, conn net.Conn) (n int) {
	t.Helper()
	raw, err := conn.(*net.UDPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// loadUntilKilled announces a template of this round and many others, sends
// data, and kills weir.
func (l *killLab) loadUntilKilled(w *weir, round int, after time.Duration) {
	l.t.Helper()
	l.began = time.Now()
	var stop atomic.Bool
	var senders sync.WaitGroup
	senders.Go(func() { // redefinitions, so that there is always something to save
		for n := 0; !stop.Load(); n++ {
			_, _ = l.conns[0].Write(ipfix(2, set(setIPFIXTemplate, words(256, 2, 1, 8, uint16(100+n%50), 4))))
			time.Sleep(time.Millisecond)
		}
	})
	senders.Go(func() {
		for n := 0; !stop.Load(); n++ {
			i := n % killExporters
			_, _ = l.conns[i].Write(ipfix(1, set(256, exporterRecord(i, n), exporterRecord(i, n))))
			if n%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	send(l.t, l.conns[1], ipfix(uint32(1000+round), set(setIPFIXTemplate, exporterTemplate(1))))
	before := w.scrape().count("templates_announced_total", "added")
	for ; before == 0; before = w.scrape().count("templates_announced_total", "added") {
		time.Sleep(time.Millisecond) // it is the first that is new in this round
	}
	l.announced[uint32(1000+round)] = time.Now()
	time.Sleep(after)
	l.killed = time.Now()
	w.signal(syscall.SIGKILL)
	w.waitEnd()
	stop.Store(true)
	senders.Wait()
}

// load reads the file as weir does, and returns its domains by key.
func (l *killLab) load() map[template.Key]*producer.TemplateDomain {
	l.t.Helper()
	store := producer.NewStore(template.DefaultLimits())
	f, err := os.Open(l.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	must(err)
	if err := state.Read(f, info.Size(), []state.Section{state.Templates(store, slog.New(slog.DiscardHandler))}); err != nil {
		l.t.Fatalf("the file does not load: %v", err)
	}
	all := map[template.Key]*producer.TemplateDomain{}
	for _, d := range store.Domains() {
		all[d.Key()] = d
	}
	return all
}

// checkFile compares what is in the file with what weir knew when it wrote it.
func (l *killLab) checkFile(round int) {
	l.t.Helper()
	text, err := os.ReadFile(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	var head struct {
		Saved time.Time `json:"saved"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		l.t.Fatalf("round %d: not JSON: %v", round, err)
	}
	known := l.load()
	for i := range killExporters {
		key := template.Key{Exporter: netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}).As16(), Domain: 1, Version: template.IPFIX}
		if d := known[key]; d == nil || len(d.Template(256).Fields) != 4 {
			l.t.Fatalf("round %d: the template of exporter %d is not in the file", round, i)
		}
	}
	for domain, at := range l.announced {
		key := template.Key{Exporter: netip.AddrFrom4([4]byte{127, 0, 1, 2}).As16(), Domain: domain, Version: template.IPFIX}
		if known[key] == nil && at.Before(head.Saved) {
			l.t.Fatalf("round %d: a template known at %v is not in the file of %v", round, at, head.Saved)
		}
		if known[key] == nil {
			delete(l.announced, domain) // lost with the last second
		}
	}
	// What changed since the file was saved is lost, or since this weir began.
	l.oldest = max(l.oldest, min(l.killed.Sub(head.Saved), l.killed.Sub(l.began)))
}
