package xdp

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// Holder is an XDP program on an interface.
type Holder struct {
	ID   uint32
	Name string // of up to 15 bytes; empty if unknown
	Tag  string // the kernel's hash of the instructions, in hex; empty if unknown
	// Process has the program, or its link to the interface, open: "xdp-loader
	// (process 123)". It is empty if there is none, as with what ip(8) attaches, or
	// if this process may not know.
	Process string
}

func (h *Holder) String() string {
	text := fmt.Sprintf("XDP program %d", h.ID)
	if h.Tag != "" {
		text += fmt.Sprintf(" (%q, tag %s)", h.Name, h.Tag)
	}
	if h.Process != "" {
		text += " of " + h.Process
	}
	return text
}

// holderOf names a program as far as this process may know: to look at one of
// another process needs CAP_SYS_ADMIN, to look at that CAP_SYS_PTRACE.
func holderOf(id uint32) *Holder {
	h := &Holder{ID: id, Process: processOf(id)}
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return h
	}
	defer program.Close()
	if info, err := program.Info(); err == nil {
		h.Name, h.Tag = info.Name, info.Tag
	}
	return h
}

// processOf looks for another process that has a program or a link to it open, by what
// proc(5) says about its descriptors.
func processOf(id uint32) string {
	for pid, name := range processesOf(id) {
		return fmt.Sprintf("%s (process %s)", name, pid)
	}
	return ""
}

// processesOf calls yield with the number and the name of each such process, until that
// returns false.
func processesOf(id uint32) iter.Seq2[string, string] {
	return func(yield func(pid, name string) bool) { eachProcess(id, yield) }
}

func eachProcess(id uint32, yield func(pid, name string) bool) {
	own := strconv.Itoa(os.Getpid())
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
next:
	for _, p := range processes {
		pid := p.Name()
		if pid[0] < '0' || pid[0] > '9' || pid == own {
			continue
		}
		fds, err := os.ReadDir("/proc/" + pid + "/fd")
		if err != nil { // not ours to see, or gone
			continue
		}
		for _, fd := range fds {
			what, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name())
			if err != nil || !strings.HasPrefix(what, "anon_inode:bpf") {
				continue
			}
			info, err := os.ReadFile("/proc/" + pid + "/fdinfo/" + fd.Name())
			if err != nil || !hasProgram(info, id) {
				continue
			}
			name, err := os.ReadFile("/proc/" + pid + "/comm")
			if err != nil {
				name = []byte("?")
			}
			if !yield(pid, string(bytes.TrimSpace(name))) {
				return
			}
			continue next
		}
	}
}

// hasProgram reads the fdinfo of a program or link.
func hasProgram(info []byte, id uint32) bool {
	for line := range bytes.Lines(info) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if string(key) == "prog_id" {
			return string(bytes.TrimSpace(value)) == strconv.FormatUint(uint64(id), 10)
		}
	}
	return false
}
