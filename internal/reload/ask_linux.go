package reload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// prefix of the names of the abstract Unix sockets (unix(7)) that weirs listen on, each
	// with its process's number after it.
	prefix = "@weir-reload-"
	// asking is how long one that connects may take to send its request, and to read
	// the answer; answering is how long a reload may take.
	asking    = 5 * time.Second
	answering = time.Minute
	maxAnswer = 1 << 20
	// acceptPause is how long the server waits after an error of the system.
	acceptPause = time.Second

	request       = "reload\n"
	done, refused = "done\n", "refused\n"
)

// State is what systemd is told while a reload is under way (sd_notify(3)).
func State() string {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return "RELOADING=1"
	}
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}

// A Server answers requests of weir reload.
type Server struct {
	l      *net.UnixListener
	ending chan struct{} // closed by Close
	work   sync.WaitGroup

	mu      sync.Mutex
	reading *net.UnixConn // whose request is awaited; nil for none
}

// Serve answers requests for process pid, this one, of root and of this process's user:
// reload returns what it did, or an error with what is wrong, in lines.
func Serve(pid int, reload func() (string, error)) (*Server, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: prefix + strconv.Itoa(pid), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for weir reload: %w", err)
	}
	s := &Server{l: l, ending: make(chan struct{})}
	s.work.Go(func() { s.run(reload) })
	return s, nil
}

// run answers until the listener is closed.
func (s *Server) run(reload func() (string, error)) {
	for {
		c, err := s.l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptor is free, for one
			select {
			case <-s.ending:
				return
			case <-time.After(acceptPause):
			}
			continue
		}
		s.answer(c, reload)
	}
}

// Close ends the server. It does not wait for a client that has sent no request, and
// returns when the reload at work is answered.
func (s *Server) Close() {
	close(s.ending)
	_ = s.l.Close()
	s.mu.Lock()
	if s.reading != nil {
		_ = s.reading.SetDeadline(time.Now()) // it has been closed otherwise
	}
	s.mu.Unlock()
	s.work.Wait()
}

// readRequest reads a request of root or of this process's user, and reports whether it is one.
func (s *Server) readRequest(c *net.UnixConn) bool {
	cred, err := peer(c)
	if err != nil || cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return false
	}
	s.mu.Lock()
	s.reading, err = c, c.SetDeadline(time.Now().Add(asking))
	s.mu.Unlock()
	got := make([]byte, len(request))
	select {
	case <-s.ending:
		return false
	default:
	}
	if err == nil {
		_, err = io.ReadFull(c, got)
	}
	s.mu.Lock()
	s.reading = nil
	s.mu.Unlock()
	return err == nil && string(got) == request
}

// answer reads a request and answers it.
func (s *Server) answer(c *net.UnixConn, reload func() (string, error)) {
	defer c.Close()
	if !s.readRequest(c) {
		return
	}
	text, err := reload()
	head := done
	if err != nil {
		head, text = refused, err.Error()+"\n"
	}
	_ = c.SetDeadline(time.Now().Add(asking)) // who asked may have gone
	_, _ = io.WriteString(c, head+text)
}

// peer returns who is at the other end.
func peer(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, errors.Join(err, cerr)
}

// Ask has the weir of process pid reload, and returns what it answers and whether it
// reloaded. 0 is the only weir in this network namespace.
func Ask(pid int) (text string, ok bool, err error) {
	if pid == 0 {
		if pid, err = only(); err != nil {
			return "", false, err
		}
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: prefix + strconv.Itoa(pid), Net: "unix"})
	if err != nil {
		return "", false, fmt.Errorf("ask process %d to reload: no weir of this network namespace listens (is it running, and its start complete?): %w", pid, err)
	}
	defer c.Close()
	// Another process may have taken the name.
	if cred, err := peer(c); err != nil || int(cred.Pid) != pid {
		return "", false, errors.Join(fmt.Errorf("ask process %d to reload: another process has its socket", pid), err)
	}
	if err := c.SetDeadline(time.Now().Add(answering)); err != nil {
		return "", false, err
	}
	if _, err := io.WriteString(c, request); err != nil {
		return "", false, fmt.Errorf("ask process %d to reload: %w", pid, err)
	}
	all, err := io.ReadAll(io.LimitReader(c, maxAnswer))
	if err != nil {
		return "", false, fmt.Errorf("read the answer of process %d: %w", pid, err)
	}
	if rest, is := bytes.CutPrefix(all, []byte(done)); is {
		return string(rest), true, nil
	}
	if rest, is := bytes.CutPrefix(all, []byte(refused)); is {
		return string(rest), false, nil
	}
	return "", false, fmt.Errorf("process %d does not answer: it reloads for root and for its own user only", pid)
}

// only returns the process of the weir in this network namespace, if there is one alone.
func only() (int, error) {
	list, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return 0, fmt.Errorf("look for a running weir: %w", err)
	}
	var pids []int
	for line := range strings.Lines(string(list)) {
		_, digits, ok := strings.Cut(strings.TrimSpace(line), prefix)
		if pid, err := strconv.Atoi(digits); ok && err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	switch len(pids) {
	case 0:
		return 0, errors.New("no weir runs in this network namespace")
	case 1:
		return pids[0], nil
	}
	slices.Sort(pids)
	return 0, fmt.Errorf("several weirs run, as processes %v: name one, as in weir reload %d", pids, pids[0])
}
