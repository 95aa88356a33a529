//go:build unix

package spool_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
	"github.com/weirflow/weir/sink/spool"
)

// The child process of TestKill runs a hub with a spool and a sink that fails
// at random, and writes down what happens to each record, one line at a time,
// with one write(2) each: "s" spooled, "d" delivered, "a" acknowledged to the
// spool, with the numbers of the run, the lane and the record.
const childEnv = "WEIR_TEST_SPOOL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// diary writes lines.
type diary struct {
	mu  sync.Mutex
	f   *os.File
	run int
	buf []byte
}

func (d *diary) note(kind byte, messages ...[]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buf = d.buf[:0]
	for _, m := range messages {
		var rec struct{ Lane, Seq int }
		if err := json.Unmarshal(m, &rec); err != nil {
			panic(err)
		}
		d.buf = fmt.Appendf(d.buf, "%c %d %d %d\n", kind, d.run, rec.Lane, rec.Seq)
	}
	if _, err := d.f.Write(d.buf); err != nil {
		panic(err)
	}
}

// watched is a spool whose appends and resolutions go to the diary once they
// have returned.
type watched struct {
	*spool.Log
	d    *diary
	open map[uint64][][]byte
}

func messages(b *producer.Batch) (out [][]byte) {
	for i := range b.Records() {
		out = append(out, append([]byte(nil), b.Message(i)...))
	}
	return out
}

func (w *watched) Append(b *producer.Batch) (uint64, error) {
	seq, err := w.Log.Append(b)
	if err == nil {
		w.open[seq] = messages(b)
		w.d.note('s', w.open[seq]...)
	}
	return seq, err
}

func (w *watched) Next(b *producer.Batch) (sink.Entry, error) {
	e, err := w.Log.Next(b)
	if err == nil && w.open[e.Seq] == nil {
		all := messages(b)
		if e.Left != nil { // only what is left is known about an earlier run's
			all = make([][]byte, e.Left[len(e.Left)-1]+1)
			for n, i := range e.Left {
				all[i] = append([]byte(nil), b.Message(n)...)
			}
		}
		w.open[e.Seq] = all
	}
	return e, err
}

func (w *watched) Resolve(seq uint64, was int, left []uint32) {
	w.Log.Resolve(seq, was, left)
	rest := map[uint32]bool{}
	for _, i := range left {
		rest[i] = true
	}
	var acked [][]byte
	for i, m := range w.open[seq] {
		if m != nil && !rest[uint32(i)] {
			acked = append(acked, m)
			w.open[seq][i] = nil
		}
	}
	if len(acked) > 0 {
		w.d.note('a', acked...)
	}
}

func child(dir string) error {
	run, err := strconv.Atoi(os.Getenv(childEnv + "_RUN"))
	if err != nil {
		return err
	}
	last := os.Getenv(childEnv+"_LAST") != ""
	f, err := os.OpenFile(filepath.Join(dir, "diary"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	d := &diary{f: f, run: run}
	l, err := spool.Open(spool.Config{Dir: filepath.Join(dir, "spool"), SegmentBytes: 128 << 10, Reserve: -1,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	s := sinktest.NewFlaky(uint64(run), 8, 3, nil, func(_ int, m []byte) { d.note('d', m) })
	s.Set(sinktest.Faults{Fail: 0.01, Away: 0.01, Idle: 0.2})
	lanes := sinktest.Lanes(2, 4)
	hub := sink.NewAsyncHub(s, lanes, sink.AsyncConfig{Always: run%2 == 1, Grace: 2 * time.Millisecond,
		Spool: &watched{l, d, map[uint64][][]byte{}}})
	go hub.Run(context.Background())
	if !last {
		work(hub, lanes, run) // until killed
	}
	s.Set(sinktest.Faults{})
	s.SetAway(false)
	for deadline := time.Now().Add(30 * time.Second); hub.Counters().Spooled() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d records are not delivered", hub.Counters().Spooled())
		}
	}
	return hub.Stop(context.Background())
}

// work sends records without end. Their numbers differ from those of all other
// runs.
func work(hub *sink.AsyncHub, lanes []*sink.Lane, run int) {
	seqs := make([]int, len(lanes))
	for i := range seqs {
		seqs[i] = run * 10_000_000
	}
	for n := 0; ; n++ {
		for i, lane := range lanes {
			b, ok := lane.Empty.Pop()
			if !ok {
				runtime.Gosched()
				continue
			}
			seqs[i] = sinktest.Fill(b, seqs[i], 1+n%40)
			lane.Full.Push(b)
			hub.Notify()
		}
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // not there yet
	}
	return info.Size()
}

// TestKill kills a process again and again in the midst of spooling and
// delivering, and then has the rest delivered: nothing that was spooled is
// lost, and what comes twice had not been acknowledged before the kill.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	start := func(run int, more ...string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(append(os.Environ(), childEnv+"="+dir, childEnv+"_RUN="+strconv.Itoa(run)), more...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const runs = 20
	for run := range runs {
		before := size(filepath.Join(dir, "diary"))
		cmd := start(run)
		for deadline := time.Now().Add(30 * time.Second); size(filepath.Join(dir, "diary")) < before+2000; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the child does nothing")
			}
		}
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	if err := start(runs, childEnv+"_LAST=1").Wait(); err != nil {
		t.Fatal(err)
	}

	type fate struct {
		spooled, delivered int
		acked              int // the run in which it was acknowledged, plus one
	}
	fates := map[string]*fate{}
	f, err := os.Open(filepath.Join(dir, "diary"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	repeats := 0
	for lines.Scan() {
		var kind string
		var run, lane, seq int
		if _, err := fmt.Sscanf(lines.Text(), "%1s %d %d %d", &kind, &run, &lane, &seq); err != nil {
			continue // torn by a kill
		}
		key := fmt.Sprint(lane, " ", seq)
		ft := fates[key]
		if ft == nil {
			ft = new(fate)
			fates[key] = ft
		}
		switch kind {
		case "s":
			ft.spooled++
		case "d":
			if ft.acked != 0 {
				t.Fatalf("record %s is delivered again in run %d though it was acknowledged in run %d", key, run, ft.acked-1)
			}
			if ft.delivered++; ft.delivered > 1 {
				repeats++
			}
		case "a":
			ft.acked = run + 1
		}
	}
	spooled, lost := 0, 0
	for _, ft := range fates {
		if ft.spooled > 0 {
			spooled++
			if ft.delivered == 0 {
				lost++
			}
		}
	}
	if spooled < 100 || lost > 0 { // how many depends on the machine
		t.Errorf("%d records spooled, %d of them lost", spooled, lost)
	}
	t.Logf("%d kills, %d records spooled, %d lost, %d delivered again", runs, spooled, lost, repeats)
}
