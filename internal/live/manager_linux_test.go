package live

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
)

// manager speaks systemd's protocol to weir: it takes descriptors into a store, passes
// them to the next process, and hears when one is ready.
type manager struct {
	t    *testing.T
	host *testnet.Host
	conn *net.UnixConn
	path string

	mu     sync.Mutex
	stored []stored
	passed []stored // of socket units
	ready  int      // how often READY=1 came
	status string   // the last STATUS=
}

type stored struct {
	name string
	file *os.File
}

func newManager(t *testing.T, host *testnet.Host) *manager {
	t.Helper()
	m := &manager{t: t, host: host, path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m.conn = conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.listen()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
		for _, s := range slices.Concat(m.stored, m.passed) {
			s.file.Close()
		}
	})
	return m
}

// listen takes messages until the socket is closed.
func (m *manager) listen() {
	text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	for {
		n, nr, _, _, err := m.conn.ReadMsgUnix(text, rights)
		if err != nil {
			return
		}
		var fds []int
		messages, err := unix.ParseSocketControlMessage(rights[:nr])
		if err != nil {
			m.t.Errorf("control message: %v", err)
		}
		for i := range messages {
			more, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				m.t.Errorf("control message: %v", err)
			}
			fds = append(fds, more...)
		}
		m.take(strings.Split(string(text[:n]), "\n"), fds)
	}
}

func (m *manager) take(lines []string, fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := ""
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "FDNAME="); ok {
			name = v
		}
		if v, ok := strings.CutPrefix(l, "STATUS="); ok {
			m.status = v
		}
	}
	for _, l := range lines {
		switch l {
		case "READY=1":
			m.ready++
		case "FDSTORE=1":
			if name == "" || strings.Contains(name, ":") || !slices.Contains(lines, "FDPOLL=0") {
				m.t.Errorf("descriptor stored by %q", lines)
			}
			for _, fd := range fds {
				m.stored = append(m.stored, stored{name, os.NewFile(uintptr(fd), name)})
			}
		case "FDSTOREREMOVE=1":
			m.stored = slices.DeleteFunc(m.stored, func(s stored) bool {
				if s.name == name {
					s.file.Close()
				}
				return s.name == name
			})
		}
	}
}

// names returns the names of what is stored.
func (m *manager) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, s := range m.stored {
		list = append(list, s.name)
	}
	return list
}

// statusLine returns the last status that weir reported.
func (m *manager) statusLine() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

func (m *manager) readies() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

// start starts weir as systemd does, and returns when it is ready.
func (m *manager) start(file string, args ...string) *weir {
	m.t.Helper()
	before := m.readies()
	w := m.launch(file, args...)
	eventually(m.t, "READY=1", func() bool { return m.readies() > before || !w.running() })
	if !w.running() {
		m.t.Fatal("weir has ended")
	}
	return w
}

func (m *manager) launch(file string, args ...string) *weir {
	m.t.Helper()
	all := append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh", program,
		"-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms"}, args...)
	cmd := m.host.Command(context.Background(), "/bin/sh", all...)
	m.mu.Lock()
	var names []string
	for _, s := range slices.Concat(m.passed, m.stored) {
		names = append(names, s.name)
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.file)
	}
	m.mu.Unlock()
	cmd.Env = environment("NOTIFY_SOCKET="+m.path, "FDSTORE=16",
		"LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	return &weir{child: startChild(m.t, cmd), host: m.host, file: file}
}
