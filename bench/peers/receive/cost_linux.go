package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirflow/weir/bench/peers/figures"
)

const (
	// group is how many frames the generator sends at once: a NAPI poll's worth.
	group = 64
	// window is how many frames are on their way at most, less than a receiver's ring
	// holds. Where a thread polls there is also the ring of the veth, which holds 256,
	// and a generator that finds that full loses frames: there it is threadWindow.
	window       = 1792
	threadWindow = 192
	// coalesce is the time between interrupts that load imitates.
	coalesce = 200 * time.Microsecond
)

// series is what one way to receive needed, by round.
type series struct {
	name string
	ns   []float64
}

func newSeries(list []*way) []*series {
	all := make([]*series, len(list))
	for i, w := range list {
		all[i] = &series{name: w.name}
	}
	return all
}

func find(all []*series, name string) []float64 {
	for _, s := range all {
		if s.name == name {
			return s.ns
		}
	}
	return nil
}

// above returns the figures of each round less those of a baseline.
func above(all []*series, base func(name string) string) []*series {
	list := make([]*series, len(all))
	for i, s := range all {
		list[i] = &series{name: s.name}
		less := find(all, base(s.name))
		for round, v := range s.ns {
			list[i].ns = append(list[i].ns, v-less[round])
		}
	}
	return list
}

func driver(string) string { return dropped }

// turns are the orders in which ways take turns: another one in each round, as what one leaves
// in the caches, and how warm the CPU is, would always be for the same one. In each run they
// are the same.
type turns struct {
	rng *rand.Rand
	n   int
}

func newTurns(n int) turns { return turns{rand.New(rand.NewPCG(1, 2)), n} }

func (t turns) next() []int { return t.rng.Perm(t.n) }

// costs measures every way in turn, as fast as it goes. where is that of the sender.
func costs(o options, list []*way, where string) error {
	total, user := newSeries(list), newSeries(list)
	count, lost := make([]uint64, len(list)), make([]uint64, len(list))
	idle := newSeries(list)
	f := flow{group: group, window: window}
	if where != "split" {
		f.window = threadWindow
	}
	turns := newTurns(len(list))
	for round := -1; round < o.rounds; round++ {
		var waiting idling
		if where == "split" { // of a sender whose CPU is not counted it does not matter
			var err error
			if waiting, err = list[0].generator.calibrate(); err != nil {
				return err
			}
		}
		for _, i := range turns.next() {
			w := list[i]
			u, err := w.use(o, f, o.slice, waiting)
			if err != nil {
				return fmt.Errorf("receive by %s: %w", w.name, err)
			}
			if round < 0 { // to warm up
				continue
			}
			n := float64(u.sent)
			total[i].ns = append(total[i].ns, float64((u.kernel+u.user).Nanoseconds())/n)
			user[i].ns = append(user[i].ns, float64(u.user.Nanoseconds())/n)
			idle[i].ns = append(idle[i].ns, 100*u.idle)
			count[i] += u.sent
			lost[i] += u.lost
		}
	}
	net, own := above(total, driver), above(total, ownBaseline)
	fmt.Printf("\n# cost %s: CPU time of a datagram in ns, %s; of that, in the receiver's thread, system calls\n", where, map[string]string{
		"split": fmt.Sprintf("of the sender's thread on CPU %d, in whose softirqs the NAPI poll runs, and of the receiver on CPU %d", o.sendCPU, o.recvCPU),
		"one":   fmt.Sprintf("of a NAPI thread and the receiver, all on CPU %d", o.recvCPU),
	}[where])
	fmt.Printf("# included; above %s, the baseline, where a program in native mode drops all; and above that or, for what gets socket buffers,\n", dropped)
	fmt.Printf("# %s, where a classifier drops them. idle: how much of the sender's time, not in the cost, it waited for room. Median (min-max)\n", droppedS)
	what := "cost-" + where
	fmt.Printf("%-9s %-12s %18s %18s %18s %18s %9s %5s %s\n", what, "receiver", "ns/datagram", "receiver's thread", "above drop", "above own drop", "datagrams", "lost", "idle %")
	for i, s := range total {
		fmt.Printf("%-9s %-12s %18s %18s %18s %18s %9d %5d %s\n", what, s.name, spread(s.ns), spread(user[i].ns), spread(net[i].ns), spread(own[i].ns), count[i], lost[i], spread(idle[i].ns))
	}
	targets := [3]float64{}
	what = "receive-" + where
	if where == "split" {
		targets, what = [3]float64{8, 4, 1}, "receive"
	}
	printRatio(what, net, native, recvmmsg, targets[0])
	printRatio(what, net, generic, recvmmsg, targets[1])
	printRatio(what, net, native, asavieX, targets[2])
	printRatio(what, net, native, generic, 0)
	printRatio(what+"-own", own, native, recvmmsg, targets[0])
	printRatio(what+"-own", own, generic, recvmmsg, targets[1])
	printRatio(what+"+driver", total, native, recvmmsg, 0)
	printRatio(what+"+driver", total, generic, recvmmsg, 0)
	printRatio(what+"+driver", total, native, asavieX, 0)
	return nil
}

// printRatio prints how many times more expensive than a way b is. target is the least that
// is wanted, 0 for none.
func printRatio(what string, all []*series, a, b string, target float64) {
	x, y := find(all, a), find(all, b)
	if x == nil || y == nil {
		return // not measured
	}
	ratios := make([]float64, len(x))
	for i := range ratios {
		ratios[i] = y[i] / x[i]
	}
	verdict := ""
	if target > 0 {
		verdict = fmt.Sprintf("; target %g: reached", target)
		if figures.Median(ratios) < target {
			verdict = fmt.Sprintf("; target %g: NOT reached", target)
		}
	}
	fmt.Printf("ratio %s %s/%s %.2f # %s costs so many times what %s does; %.2f-%.2f%s\n",
		what, a, b, figures.Median(ratios), b, a, slices.Min(ratios), slices.Max(ratios), verdict)
}

// loads measures every way in turn at a fixed rate.
func loads(o options, list []*way, rate float64) error {
	total, kernel := newSeries(list), newSeries(list)
	lost := make([]uint64, len(list))
	var cpu, ours, took, sent, base float64 // sums of all rounds
	perCPU := make([]float64, len(list))
	f := flow{rate: rate, group: min(max(int(rate*coalesce.Seconds()), 1), group)}
	turns := newTurns(len(list))
	for range o.loadRounds {
		for _, i := range turns.next() {
			w := list[i]
			u, err := w.use(o, f, o.loadTime, idling{})
			if err != nil {
				return fmt.Errorf("receive by %s: %w", w.name, err)
			}
			n := float64(u.sent)
			total[i].ns = append(total[i].ns, float64((u.kernel+u.user).Nanoseconds())/n)
			kernel[i].ns = append(kernel[i].ns, float64(u.kernel.Nanoseconds())/n)
			lost[i] += u.lost
			perCPU[i] += float64(u.cpu.Nanoseconds()) / n / float64(o.loadRounds)
			cpu, ours = cpu+u.cpu.Seconds(), ours+(u.kernel+u.user).Seconds()
			took, sent = took+u.took.Seconds(), sent+n
		}
	}
	base = figures.Median(find(total, dropped))
	fmt.Printf("\n# load: %.0f datagrams a second in groups of %d, received on CPU %d, which was busy with other things for %.0f %% of the time;\n",
		rate, f.group, o.recvCPU, max(cpu-ours, 0)/took*100)
	fmt.Printf("# frames that are dropped in the driver cost %.0f ns; busy CPU is of /proc/stat, with all else that ran there\n", base)
	fmt.Printf("load %-7s %-12s %22s %22s %9s %6s\n", "rate", "receiver", "ns/datagram", "NAPI thread", "busy CPU", "lost")
	for i, s := range total {
		if i >= baselines {
			fmt.Printf("load %-7.0f %-12s %22s %22s %9.0f %6d\n", rate, s.name, spread(s.ns), spread(kernel[i].ns), perCPU[i], lost[i])
		}
	}
	for _, pair := range [][2]string{{native, recvmmsg}, {generic, recvmmsg}, {native, asavieX}} {
		printRatio(fmt.Sprintf("load-%.0f", rate), total, pair[0], pair[1], 0)
	}
	return nil
}

// used is what some datagrams cost.
type used struct {
	sent, lost   uint64
	took         time.Duration
	kernel, user time.Duration // of what polls, and of the receiver's thread
	cpu          time.Duration // that the receiver's CPU was busy
	idle         float64       // part of the sender's time that it waited for room
}

// use sends for a while, and returns what receiving cost. Where no NAPI thread polls,
// the softirqs do, on the sender's thread or, when that has enough, in ksoftirqd: then
// kernel is their time together, with the injection in it, but without what the
// generator did for frames that it did not send: waiting tells what one costs.
func (w *way) use(o options, f flow, d time.Duration, waiting idling) (u used, err error) {
	threads := []int{w.napi}
	if w.napi == 0 {
		if threads, err = kernelThreads("ksoftirqd/"); err != nil {
			return u, err
		}
	}
	l := w.listen(o)
	defer func() { err = errors.Join(err, l.end()) }()
	w.settled()
	before := w.generator.even()
	var injection time.Duration
	read := func(sign time.Duration) error {
		user, err1 := threadTime(l.thread)
		cpu, err2 := cpuTime(o.recvCPU)
		own, err3 := ownTime()
		u.user, u.cpu, injection = u.user+sign*user, u.cpu+sign*cpu, injection+sign*own
		for _, pid := range threads {
			kernel, err := threadTime(pid)
			if err != nil {
				return err
			}
			u.kernel += sign * kernel
		}
		return errors.Join(err1, err2, err3)
	}
	if err := read(-1); err != nil {
		return u, err
	}
	start := time.Now()
	out, err := w.generator.send(f, d)
	if err != nil {
		return u, err
	}
	u.sent, u.took = out.sent, time.Since(start)
	received := w.settled() - before
	u.lost = u.sent - min(received, u.sent)
	// The threads sleep now: their times are exact.
	if err := read(1); err != nil {
		return u, err
	}
	if w.napi == 0 {
		waited := time.Duration(out.runs)*waiting.run + time.Duration(float64(out.idle)*waiting.frame)
		u.kernel += max(injection-waited, 0)
		u.idle = float64(waited) / float64(injection)
	}
	return u, nil
}

// threadTime returns the CPU time of a thread that sleeps.
func threadTime(thread int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", thread))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	var ns time.Duration
	if _, err := fmt.Sscan(string(text), &ns); err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return ns, nil
}

// cpuTime returns how long a CPU has been busy, to a hundredth of a second.
func cpuTime(cpu int) (sum time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != fmt.Sprintf("cpu%d", cpu) {
			continue
		}
		for i, field := range fields[1:] {
			var ticks time.Duration
			if _, err := fmt.Sscan(field, &ticks); err != nil {
				return 0, fmt.Errorf("read CPU time: %w", err)
			}
			// user, nice, system, idle, iowait, irq, softirq; then theft and guests
			if i < 7 && i != 3 && i != 4 {
				sum += ticks * 10 * time.Millisecond
			}
		}
	}
	return sum, nil
}

// spread prints a median with least and most.
func spread(list []float64) string {
	return fmt.Sprintf("%.0f (%.0f-%.0f)", figures.Median(list), slices.Min(list), slices.Max(list))
}
