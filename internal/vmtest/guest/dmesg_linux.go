package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// trouble is what the kernel says about its own faults and of cards that hang. Soft
// lockups and stalls are left out by the kernel's command line: in an emulator they
// are the host's.
var trouble = regexp.MustCompile(`WARNING:|BUG:|Oops|Call Trace|general protection|RIP:|NETDEV WATCHDOG|Detected Tx Unit Hang|page allocation failure|refcount_t|UBSAN|KASAN|Kernel panic`)

// dmesg looks for trouble in the kernel's log since its start.
func (l *lab) dmesg() (string, error) {
	text, err := kernelLog()
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) < 20 {
		return "", fmt.Errorf("only %d lines in the kernel's log", len(lines))
	}
	for i, line := range lines {
		if trouble.MatchString(line) {
			return "", detailed{fmt.Errorf("%s", line), strings.Join(lines[max(0, i-2):min(len(lines), i+60)], "\n")}
		}
	}
	return fmt.Sprintf("clean, %d lines", len(lines)), nil
}

// kernelLog reads all messages of the kernel that are still there.
func kernelLog() (string, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open kernel log: %w", err)
	}
	defer unix.Close(fd)
	var text strings.Builder
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return text.String(), nil
		case errors.Is(err, unix.EPIPE): // overwritten before it was read: the next one is there
			text.WriteString("(lines were lost)\n")
			continue
		case err != nil:
			return "", fmt.Errorf("read kernel log: %w", err)
		}
		// "priority,number,time,flags;message\n KEY=value\n"
		_, message, _ := strings.Cut(string(record[:n]), ";")
		message, _, _ = strings.Cut(message, "\n")
		text.WriteString(message + "\n")
	}
}
