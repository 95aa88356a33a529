package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/vmtest"
)

// stepTime is how long one step may take on a slow machine.
const stepTime = 20 * time.Minute

// doing says how each step is done. The text is for the cell; a [refusal] is the
// kernel's or the driver's, any other error a failure.
var doing = map[string]func(*lab) (text string, err error){
	vmtest.StepVerify:    (*lab).verify,
	vmtest.StepCheck:     (*lab).check,
	vmtest.StepAttach:    (*lab).attach,
	vmtest.StepReceive:   (*lab).receive,
	vmtest.StepFragments: (*lab).fragments,
	vmtest.StepVLAN:      (*lab).vlan,
	vmtest.StepDownUp:    (*lab).downUp,
	vmtest.StepMTU:       (*lab).mtu,
	vmtest.StepChannels:  (*lab).channels,
	vmtest.StepRings:     (*lab).rings,
	vmtest.StepSecond:    (*lab).second,
	vmtest.StepKill:      (*lab).kill,
	vmtest.StepJumbo:     (*lab).jumbo,
	vmtest.StepDetach:    (*lab).detach,
	vmtest.StepLedger:    (*lab).ledger,
	vmtest.StepDmesg:     (*lab).dmesg,
}

// scenario does the steps in their order and reports each. It ends before the next
// one if a step does not come to an end.
func scenario(port io.Writer, steps []string, doing map[string]func(*lab) (string, error), driver, expect string) error {
	socket, f, err := wires(driver)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	l := &lab{socket: socket, frames: f, mode: "udp", expect: expect}
	if err := carrier(); err != nil {
		return err
	}
	for _, name := range steps {
		do, ok := doing[name]
		if !ok {
			return fmt.Errorf("no such step: %q", name)
		}
		r, ended := l.step(name, do)
		if err := r.Write(port); err != nil {
			return err
		}
		if !ended {
			return fmt.Errorf("step %s does not end", name)
		}
	}
	return nil
}

// step does one step.
func (l *lab) step(name string, do func(*lab) (string, error)) (r vmtest.Report, ended bool) {
	r = vmtest.Report{Step: name, Result: vmtest.OK}
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if fault := recover(); fault != nil { // the machine must come to its end
				err = detailed{fmt.Errorf("panic: %v", fault), string(debug.Stack())}
			}
			done <- err
		}()
		r.Text, err = do(l)
	}()
	var err error
	select {
	case err = <-done:
	case <-time.After(stepTime):
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return vmtest.Report{Step: name, Result: vmtest.Failed, Text: fmt.Sprintf("not done after %v", stepTime), Log: string(stacks)}, false
	}
	var refused refusal
	var more detailed
	switch {
	case errors.As(err, &refused):
		r.Result, r.Text = vmtest.Refused, oneLine(err.Error())
	case err != nil:
		r.Result, r.Text, r.Log = vmtest.Failed, oneLine(err.Error()), l.evidence()
		if errors.As(err, &more) {
			r.Log = more.details + "\n" + r.Log
		}
		if l.weir != nil && l.weir.cmd != nil && !l.weir.running() {
			l.weir = nil // the next step has a new one
		}
	}
	fmt.Printf("%s%s: %s: %s (%.1fs)\n", vmtest.Console, name, r.Result, r.Text, time.Since(began).Seconds())
	return r, true
}

// evidence is what may explain a failure.
func (l *lab) evidence() string {
	text := ""
	if l.weir != nil {
		text += "weir wrote:\n" + tail(l.weir.log.String()) + "\n"
		if l.weir.cmd == nil {
			journal, err := command("journalctl", "--no-pager", "-u", unit, "-n", "80")
			text += fmt.Sprintf("journal: %v\n%s", err, journal)
		}
		if m, err := l.weir.scrape(); err == nil {
			var lines []string
			for series, v := range m {
				for _, name := range []string{"weir_xdp_", "weir_capture_", "weir_datagrams_", "weir_socket_", "weir_records_"} {
					if v != 0 && len(series) > len(name) && series[:len(name)] == name {
						lines = append(lines, fmt.Sprintf("%s %v\n", series, v))
					}
				}
			}
			slices.Sort(lines)
			for _, line := range lines {
				text += line
			}
		}
	}
	for _, c := range [][]string{{"ip", "-s", "-d", "link", "show", nic}, {"ethtool", "-S", nic}, {"ethtool", "-l", nic}} {
		out, err := command(c[0], c[1:]...)
		text += fmt.Sprintf("%v: %v\n%s", c, err, out)
	}
	kernel, err := kernelLog()
	return text + fmt.Sprintf("dmesg: %v\n%s", err, tail(kernel))
}
