package top

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/weirtest"
)

// patience is how long a test waits for what has to come.
const patience = 60 * time.Second

// buildWeir builds the real weir.
func buildWeir(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", file, "../../cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	return file
}

// collector is a weir that runs.
type collector struct {
	cmd *exec.Cmd
	log *weirtest.Output
}

// collect starts a weir and waits until it serves addr.
func collect(t *testing.T, weir, addr, listen string) *collector {
	t.Helper()
	c := &collector{cmd: exec.Command(weir, "-addr", addr, "-listen", "netflow://"+listen, "-transport.file", os.DevNull), log: &weirtest.Output{}}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stop() })
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return c
		}
		if time.Now().After(end) {
			t.Fatalf("weir does not serve %s: %v\n%s", addr, err, c.log)
		}
	}
}

func (c *collector) stop() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// free returns an address on this host that nothing listens on.
func free(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// openPty returns the two ends of a new terminal of 80 columns and 24 lines.
func openPty(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to run weir top in: %v (mount devpts)", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	fd := int(user.Fd())
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return user, program
}

// watch waits until what was written since from has one of the texts.
func watch(t *testing.T, screen *weirtest.Output, from int, wants ...string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		text := screen.String()[from:]
		for _, want := range wants {
			if strings.Contains(text, want) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the screen shows none of %q:\n%q", wants, text)
		}
	}
}

// TestTerminal runs the real weir top in a terminal, through a weir that goes away and comes
// back, and looks that the terminal is left as it was.
func TestTerminal(t *testing.T) {
	weir := buildWeir(t)
	addr, listen := free(t, "tcp"), free(t, "udp")
	c := collect(t, weir, addr, listen)
	conn, err := net.Dial("udp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(v5()); err != nil {
		t.Fatal(err)
	}

	user, program := openPty(t)
	before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	screen := &weirtest.Output{}
	go func() { _, _ = io.Copy(screen, user) }()
	top := exec.Command(weir, "top", "-addr", addr)
	top.Stdin, top.Stdout, top.Stderr = program, program, program
	top.Env = []string{"TERM=xterm-256color", "NO_COLOR=1", "LANG=C"}
	top.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := top.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = top.Process.Kill() }()
	watch(t, screen, 0, "Exporters")
	watch(t, screen, 0, "127.0.0.1 ")
	// The exporter announces a name that would take over the terminal.
	if _, err := conn.Write(named("Gi\x1b]0;owned\a\x1b[2J")); err != nil {
		t.Fatal(err)
	}
	if _, err := user.WriteString("\r"); err != nil {
		t.Fatal(err)
	}
	watch(t, screen, 0, `"Gi\x1b]0;owned\a\x1b[2J`)
	if strings.Contains(screen.String(), "\x1b]0;owned") {
		t.Error("the name of an interface reached the terminal as a command")
	}
	if _, err := user.WriteString("1"); err != nil {
		t.Fatal(err)
	}
	from := len(screen.String())
	c.stop()
	watch(t, screen, from, "AWAY")
	watch(t, screen, from, "connection refused")
	from = len(screen.String())
	collect(t, weir, addr, listen)
	watch(t, screen, from, "OK")
	from = len(screen.String())
	if _, err := user.WriteString("?"); err != nil {
		t.Fatal(err)
	}
	watch(t, screen, from, "Keys")
	if _, err := user.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := top.Wait(); err != nil {
		t.Errorf("weir top: %v", err)
	}
	after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("the terminal is %+v, was %+v", after, before)
	}
	watch(t, screen, 0, "\x1b[?1049h") // to a screen of its own, and back
	watch(t, screen, 0, "\x1b[?1049l")
	all := screen.String()
	for _, color := range []string{"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1;31m"} {
		if strings.Contains(all, color) {
			t.Errorf("colored %q in spite of NO_COLOR", color)
		}
	}
}

// v5 is a datagram of NetFlow v5 with a record.
func v5() []byte {
	p := make([]byte, 24+48)
	p[1], p[3] = 5, 1
	return p
}

// named is a message of IPFIX whose options data name interface 1, in 24 bytes.
func named(name string) []byte {
	var b []byte
	word := func(list ...uint16) {
		for _, v := range list {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	word(10, 16+18+32, 0, 0, 0, 0, 0, 1)  // header: length, time, sequence, domain
	word(3, 18, 256, 2, 1, 10, 4, 82, 24) // options template: scope interface, its name
	word(256, 32, 0, 1)                   // data set
	return append(append(b, name...), make([]byte, 24-len(name))...)
}

// TestOnce runs the real weir top -once: tables for scripts, and exit codes.
func TestOnce(t *testing.T) {
	weir := buildWeir(t)
	addr := free(t, "tcp")
	run := func(args ...string) (code int, out, errs string) {
		t.Helper()
		var o, e bytes.Buffer
		c := exec.Command(weir, append([]string{"top"}, args...)...)
		c.Stdout, c.Stderr, c.Env = &o, &e, []string{"TERM=xterm"}
		err := c.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), o.String(), e.String()
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-once", "-addr", addr}, 1, "reach weir at " + addr + ": connection refused: see that weir runs"},
		{[]string{"-addr", addr}, 1, "connection refused"},
		{[]string{"-once", "-addr", "http://" + addr + "/"}, 2, "without http://"},
		{[]string{"-addr", "localhost"}, 2, "not host:port"},
		{[]string{"-addr", "localhost:99999"}, 2, "not a port number"},
		{[]string{"-addr", ""}, 2, "no web server to read"},
		{[]string{"-twice"}, 2, "unknown flag"},
		{[]string{"now"}, 2, "unexpected argument"},
	} {
		code, out, errs := run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("weir top %q: exit code %d, want %d, and in %q want %q; wrote %q", c.args, code, c.code, errs, c.want, out)
		}
	}
	listen := free(t, "udp")
	collect(t, weir, addr, listen)
	conn, err := net.Dial("udp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(v5()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		code, out, errs := run("-addr", addr) // not a terminal: as -once
		if code != 0 || errs != "" || !strings.HasPrefix(out, "TOTAL ") {
			t.Fatalf("exit code %d: %s%s", code, out, errs)
		}
		if strings.Contains(out, "\nexporter  127.0.0.1") && strings.Contains(out, "\nplace  network ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no exporter in\n%s", out)
		}
	}
}
