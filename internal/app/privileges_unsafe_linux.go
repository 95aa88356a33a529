package app

import (
	"fmt"
	"math/bits"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Capabilities that may be needed after the start: to attach an interface again
// that was lost (the first five; CAP_PERFMON before Linux 5.18), and to open the
// output again where weir runs as root and the output's folder is another's.
var (
	captureCaps = []int{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_IPC_LOCK}
	outputCaps  = []int{unix.CAP_DAC_OVERRIDE}
)

var capNames = map[int]string{
	unix.CAP_NET_ADMIN: "net_admin", unix.CAP_NET_RAW: "net_raw", unix.CAP_BPF: "bpf",
	unix.CAP_PERFMON: "perfmon", unix.CAP_IPC_LOCK: "ipc_lock", unix.CAP_DAC_OVERRIDE: "dac_override",
}

// dropPrivileges gives up every capability of the process, on all of its
// threads, but for those given, and the way to new ones (PR_SET_NO_NEW_PRIVS).
// It returns the names of those that the process keeps.
func dropPrivileges(keep []int) (kept string, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return "", fmt.Errorf("read capabilities: %w", err)
	}
	var want [2]unix.CapUserData
	var names []string
	for _, c := range keep {
		word, bit := c/32, uint32(1)<<(c%32)
		if have[word].Permitted&bit == 0 {
			continue
		}
		want[word].Permitted |= bit
		want[word].Effective |= bit
		names = append(names, capNames[c])
	}
	kept = strings.Join(names, ",")
	if bits.OnesCount32(have[0].Permitted)+bits.OnesCount32(have[1].Permitted) == len(names) {
		return kept, nil // nothing to drop
	}
	// A capability belongs to a thread: all of them have to do this. The package
	// runtime can only order that where no C code has threads of its own.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return "", fmt.Errorf("set no_new_privs: %w", errno)
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&want[0])), 0)
	if errno != 0 {
		return "", fmt.Errorf("set capabilities: %w", errno)
	}
	return kept, nil
}
