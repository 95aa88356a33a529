package live

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo-terminal (pty(7)) of 80 by 24 characters: what is written to tty
// can be read from the other end.
func openTerminal(t *testing.T) (other, tty *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	fd := int(other.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return other, tty
}

// TestTop shows a running weir on a terminal and as a table.
func TestTop(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host)
	send(t, dial(t, host), numbered(40)...)
	w.settle(40)
	code, table, stderr := runWeir(t, weirCommand(host, "top", "-once", "-interval", "1s"))
	if code != 0 || !strings.Contains(table, "127.0.0.1:8080") || !strings.Contains(table, "\nEXPORTER ") || !strings.Contains(table, "health     ") {
		t.Errorf("weir top -once: %d\n%s%s", code, table, stderr)
	}
	if code, _, stderr = runWeir(t, weirCommand(host, "top", "-once", "-addr", "127.0.0.1:9")); code != 1 || !strings.Contains(stderr, "is weir running") {
		t.Errorf("no weir: %d\n%s", code, stderr)
	}
	if code, _, stderr = runWeir(t, weirCommand(host, "top")); code != 2 || !strings.Contains(stderr, "-once") {
		t.Errorf("no terminal: %d\n%s", code, stderr)
	}

	other, tty := openTerminal(t)
	cmd := weirCommand(host, "top", "-interval", "1s")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	var mu sync.Mutex
	var shown strings.Builder
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := other.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			shown.Write(b[:n])
			mu.Unlock()
		}
	}()
	shows := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			mu.Lock()
			text := shown.String()
			mu.Unlock()
			if strings.Contains(text, what) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the terminal does not show %q:\n%q", what, text)
			}
		}
	}
	shows("q quit")
	shows("EXPORTER")
	for _, press := range []struct{ key, what string }{{"?", "any key goes back"}, {"x", "q quit"}, {"p", "PAUSED"}} {
		if _, err := other.WriteString(press.key); err != nil {
			t.Fatal(err)
		}
		shows(press.what)
	}
	if _, err := other.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("weir top ends with %v", err)
	}
	w.stop()
}
