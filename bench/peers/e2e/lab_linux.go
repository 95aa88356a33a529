package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// lab is a pair of namespaces with a veth pair between them, vx and vc.
type lab struct{ exporter, collector string }

func newLab(id int) (*lab, error) {
	l := &lab{fmt.Sprintf("weir-e2e-x-%d", id), fmt.Sprintf("weir-e2e-c-%d", id)}
	for _, line := range []string{
		"netns add " + l.exporter,
		"netns add " + l.collector,
		"link add vx netns " + l.exporter + " numrxqueues 1 numtxqueues 1 type veth peer name vc netns " + l.collector + " numrxqueues 1 numtxqueues 1",
		"-n " + l.exporter + " address add 10.99.0.1/24 dev vx",
		"-n " + l.collector + " address add 10.99.0.2/24 dev vc",
		"-n " + l.exporter + " link set vx up",
		"-n " + l.collector + " link set vc up",
		"-n " + l.collector + " link set lo up",
		"-n " + l.collector + " route add 198.18.0.0/15 dev vc",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			l.close()
			return nil, fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return l, nil
}

// in returns a command that runs in a namespace.
func in(ns string, args []string) []string {
	return append([]string{"ip", "netns", "exec", ns}, args...)
}

func (l *lab) close() {
	for _, ns := range []string{l.exporter, l.collector} {
		_ = exec.Command("ip", "netns", "del", ns).Run() // it may not be there
	}
}
