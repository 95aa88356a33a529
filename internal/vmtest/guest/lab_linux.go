package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// window is how many frames are on the way at most: the smallest ring of a card
	// holds 256, and a tap no more than some hundred.
	window = 64
	// recovery is how long weir may take to capture again after an event, under load.
	recovery = 2 * time.Minute
	// How long nothing may come before the rest counts as lost: where all must come (an
	// emulated CPU of a busy host stood still for more than ten seconds), and where some
	// may be lost.
	quietMost, quietLeast = time.Minute, 2 * time.Second
)

// refusal is the reason for which the kernel or the driver does not do something.
type refusal struct{ error }

// detailed is a failure with more to it than fits into a cell.
type detailed struct {
	error
	details string
}

// lab is the state of a scenario.
type lab struct {
	socket  int // the sender's packet socket
	frames  *framer
	weir    *weir  // the one under test, nil if it was stopped
	mode    string // that weir captured in at its first start; udp is none
	expect  string // the least mode
	lives   int    // of weir that ended, or were killed, with their ledger
	total   int    // datagrams received in these
	records int    // flows in these
	gaps    []string
}

// start starts the collector, if it does not run.
func (l *lab) start() (err error) {
	if l.weir != nil {
		return nil
	}
	if err := os.Remove(flowsFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l.weir, err = startWeir(firstAddr, port, flowsFile)
	return err
}

// send sends a window of frames.
func (l *lab) send(frames [][]byte) error {
	for i, f := range frames {
		if i%8 == 7 {
			time.Sleep(2 * time.Millisecond)
		}
		if _, err := unix.Write(l.socket, f); err != nil {
			return fmt.Errorf("send frame of %d bytes: %w", len(f), err)
		}
	}
	return nil
}

// arrived is what came of some datagrams.
type arrived struct{ sent, xdp, udp int }

func (a arrived) all() bool { return a.xdp+a.udp == a.sent }

func (a arrived) String() string {
	switch {
	case a.udp == 0:
		return fmt.Sprintf("%d by xdp", a.xdp)
	case a.xdp == 0:
		return fmt.Sprintf("%d over sockets", a.udp)
	default:
		return fmt.Sprintf("%d by xdp, %d over sockets", a.xdp, a.udp)
	}
}

// window sends datagrams, each in one or more frames, and waits until all are
// received or none came for some time.
func (l *lab) window(datagrams [][][]byte, quiet time.Duration) (a arrived, m metrics, err error) {
	before, err := l.weir.scrape()
	if err != nil {
		return a, nil, err
	}
	xdp, udp := before.paths()
	for _, frames := range datagrams {
		if err := l.send(frames); err != nil {
			return a, nil, err
		}
	}
	a.sent = len(datagrams)
	for last := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if m, err = l.weir.scrape(); err != nil {
			return a, nil, err
		}
		was := a
		a.xdp, a.udp = m.paths()
		a.xdp, a.udp = a.xdp-xdp, a.udp-udp
		if a != was {
			last = time.Now()
		}
		if a.xdp+a.udp >= a.sent || time.Since(last) > quiet {
			return a, m, nil
		}
	}
}

// deliver sends n datagrams, of which all must be received, with all their
// records, and nothing lost. make returns the frames of one and its records.
func (l *lab) deliver(n int, make func(i int) (frames [][]byte, records int)) (a arrived, err error) {
	before, err := l.weir.scrape()
	if err != nil {
		return a, err
	}
	records := 0
	for i := 0; i < n; {
		var batch [][][]byte
		for ; len(batch) < window && i < n; i++ {
			frames, r := make(i)
			batch = append(batch, frames)
			records += r
		}
		got, _, err := l.window(batch, quietMost)
		if err != nil {
			return a, err
		}
		a.sent, a.xdp, a.udp = a.sent+got.sent, a.xdp+got.xdp, a.udp+got.udp
		if !got.all() {
			return a, fmt.Errorf("%d sent, %v: %d missing", a.sent, a, a.sent-a.xdp-a.udp)
		}
	}
	m, err := l.settle()
	if err != nil {
		return a, err
	}
	if got := m.sum("records_produced_total") - before.sum("records_produced_total"); got != records {
		return a, fmt.Errorf("%d records of %d", got, records)
	}
	if n := m.lost() - before.lost(); n != 0 {
		return a, fmt.Errorf("weir counts %d as lost", n)
	}
	return a, nil
}

// mixed sends n datagrams of one frame, in turns small and full-size.
func (l *lab) mixed(n int) (arrived, error) {
	return l.deliver(n, func(i int) ([][]byte, int) {
		records := recordsSmall
		if i%2 == 1 {
			records = recordsFull
		}
		return [][]byte{l.frames.datagram(records, 0)}, records
	})
}

// exact is mixed with the check that all came the way that the mode says.
func (l *lab) exact(n int) (string, error) {
	a, err := l.mixed(n)
	if err != nil {
		return "", err
	}
	m, err := l.weir.scrape()
	if err != nil {
		return "", err
	}
	captured := m.mode() != "udp"
	if captured && a.udp > 0 || !captured && a.xdp > 0 {
		return "", fmt.Errorf("the mode is %q, and %v", m.mode(), a)
	}
	return fmt.Sprintf("%s, %v", m.mode(), a), nil
}

// recover sends until weir captures again as it did at first, and then an exact
// count. What is lost until then is the card's and is told.
func (l *lab) recover() (string, error) {
	if err := carrier(); err != nil {
		return "", err
	}
	var sum arrived
	for began, try := time.Now(), 0; time.Since(began) < recovery; try++ {
		var batch [][][]byte
		for range 8 {
			batch = append(batch, [][]byte{l.frames.datagram(recordsFull, 0)})
		}
		a, m, err := l.window(batch, quietLeast)
		if err != nil {
			return "", err
		}
		if a.all() && m.mode() == l.mode && (a.udp == 0 || l.mode == "udp") {
			text, err := l.exact(2 * window)
			if try > 0 {
				text += fmt.Sprintf(" (until then of %d: %d by xdp, %d over sockets, %d lost)",
					sum.sent, sum.xdp, sum.udp, sum.sent-sum.xdp-sum.udp)
			}
			return text, err
		}
		sum.sent, sum.xdp, sum.udp = sum.sent+a.sent, sum.xdp+a.xdp, sum.udp+a.udp
		time.Sleep(100 * time.Millisecond)
	}
	m, err := l.weir.scrape()
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("not captured as before (%s) after %d datagrams: the mode is %q, %d by xdp, %d over sockets, %d lost",
		l.mode, sum.sent, m.mode(), sum.xdp, sum.udp, sum.sent-sum.xdp-sum.udp)
}

// settle waits until nothing is in flight and the sums hold.
func (l *lab) settle() (m metrics, err error) {
	var wrong []string
	ok := eventually(func() bool {
		if m, err = l.weir.scrape(); err != nil {
			return true
		}
		wrong = m.unbalanced()
		return len(wrong) == 0 && m.sum("records_in_flight") == 0
	})
	if err == nil && !ok {
		err = fmt.Errorf("ledger: %s; %d in flight", strings.Join(wrong, "; "), m.sum("records_in_flight"))
		l.gaps = append(l.gaps, err.Error())
	}
	return m, err
}

// finish ends a life of weir by a signal and adds it to the ledger.
func (l *lab) finish(s syscall.Signal) error {
	if l.weir == nil {
		return nil
	}
	w := l.weir
	m, err := l.settle()
	if err != nil {
		return err
	}
	l.weir = nil
	code, err := w.end(s)
	if err != nil {
		return err
	}
	if s != unix.SIGKILL && code != 0 {
		return fmt.Errorf("weir ends with code %d by %v: %s", code, s, tail(w.log.String()))
	}
	lines, err := countLines(flowsFile)
	if err != nil {
		return err
	}
	l.lives++
	l.total += m.sum("datagrams_received_total")
	l.records += lines
	if want := m.sum("records_sink_total", `outcome="acknowledged"`); lines != want {
		l.gaps = append(l.gaps, fmt.Sprintf("life %d: %d lines, %d records acknowledged", l.lives, lines, want))
	}
	return nil
}

// unattached waits until no program is on the card.
func unattached() error {
	var id uint32
	var err error
	if !eventually(func() bool {
		id, err = programOn()
		return err == nil && id == 0
	}) {
		if err != nil {
			return err
		}
		return fmt.Errorf("program %d is still on %s", id, nic)
	}
	return nil
}
