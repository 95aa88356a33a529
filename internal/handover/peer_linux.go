package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// protocol is what both processes name.
	protocol = "weir-handover/1"
	// maxMessage bounds a message, and maxDescriptors what is accepted.
	maxMessage     = 4096
	maxDescriptors = 4096
	// sendPatience is how long the other process may take for a message.
	sendPatience = 2 * time.Second
	// acceptPause is how long the server waits after an error of the system.
	acceptPause = time.Second
)

// message is what the processes send, each in a packet of its own: the new one its
// request and, at the end, Got; the running one each descriptor, then Done.
type message struct {
	Protocol string `json:"protocol"`
	Name     string `json:"name,omitempty"`
	Done     bool   `json:"done,omitempty"`
	Got      int    `json:"got,omitempty"`
}

// Server waits for a successor on a Unix socket.
type Server struct {
	listener *net.UnixListener
	path     string
	requests chan *Request
	log      *slog.Logger
}

// Listen makes the Unix socket, which only this user may connect to. One that a process
// left that has ended is replaced. Errors: the path is in use, or is no Unix socket; the
// system's.
func Listen(path string, log *slog.Logger) (*Server, error) {
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		// Before bind: the file has this mode from the beginning (Linux).
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(context.Background(), "unixpacket", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	s := &Server{listener: l.(*net.UnixListener), path: path, requests: make(chan *Request, 1), log: log}
	go s.run()
	return s, nil
}

// removeStale removes the socket of a process that has ended.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("there is a file that is no Unix socket: remove it, or choose another path")
	}
	conn, err := dial(path)
	if err == nil {
		conn.Close()
		return errors.New("another process listens there")
	}
	if !errors.Is(err, ErrNobody) {
		return err
	}
	return os.Remove(path)
}

func dial(path string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	return nil, err
}

// run accepts one successor at a time until Close.
func (s *Server) run() {
	defer close(s.requests)
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptor is free, for one
			s.log.Warn("handover not accepted, trying again", "path", s.path, "error", err)
			time.Sleep(acceptPause)
			continue
		}
		pid, err := check(conn)
		if err == nil {
			var m message
			if m, err = receiveMessage(conn, time.Now().Add(sendPatience)); err == nil && m.Protocol != protocol {
				err = ErrProtocol
			}
		}
		if err != nil {
			// A look whether somebody listens sends nothing.
			if !errors.Is(err, io.EOF) {
				s.log.Warn("handover refused", "path", s.path, "error", err)
			}
			conn.Close()
			continue
		}
		// Nobody else is served: this process ends.
		s.requests <- &Request{conn: conn, pid: pid}
		return
	}
}

// Requests returns where a successor is announced. It is closed when none can come.
func (s *Server) Requests() <-chan *Request { return s.requests }

// Close ends the listening and removes the socket's file. It may be called again.
func (s *Server) Close() { _ = s.listener.Close() } // the only error: it is closed

// check compares the user of the process at the other end with this one's and returns its
// number.
func check(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("get SO_PEERCRED: %w", err)
	}
	if int(cred.Uid) != os.Geteuid() {
		return 0, fmt.Errorf("%w: %d, this is %d", ErrStranger, cred.Uid, os.Geteuid())
	}
	return int(cred.Pid), nil
}

// transmit sends a message, with a descriptor if fd is not -1.
func transmit(conn *net.UnixConn, m message, fd int) error {
	m.Protocol = protocol
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(sendPatience)); err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(text, rights, nil)
	return err
}

// receive receives a message, and the descriptor with it, -1 if there is none.
func receive(conn *net.UnixConn, deadline time.Time) (m message, fd int, err error) {
	if err := conn.SetReadDeadline(deadline); err != nil {
		return m, -1, err
	}
	text, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(16*4))
	n, nr, _, _, err := conn.ReadMsgUnix(text, rights) // with MSG_CMSG_CLOEXEC
	fd = -1
	messages, perr := unix.ParseSocketControlMessage(rights[:nr])
	for i := range messages {
		fds, rerr := unix.ParseUnixRights(&messages[i])
		perr = errors.Join(perr, rerr)
		for _, one := range fds {
			if fd >= 0 {
				unix.Close(one) // a message has one
				continue
			}
			fd = one
		}
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil {
		err = perr
	}
	if err == nil && json.Unmarshal(text[:n], &m) != nil {
		err = ErrProtocol
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return m, fd, err
}

// receiveMessage receives a message that comes without a descriptor, and closes any that
// comes all the same.
func receiveMessage(conn *net.UnixConn, deadline time.Time) (message, error) {
	m, fd, err := receive(conn, deadline)
	if fd >= 0 {
		unix.Close(fd)
	}
	return m, err
}

// Request is a successor that waits for descriptors.
type Request struct {
	conn *net.UnixConn
	pid  int
}

// PID returns the number of the successor's process, as this process sees it.
func (r *Request) PID() int { return r.pid }

// Send sends copies of the descriptors, and returns when the successor has them all. On an
// error it has none that it will use.
func (r *Request) Send(list []Descriptor) error {
	for _, d := range list {
		if err := transmit(r.conn, message{Name: d.Name}, d.Fd); err != nil {
			return fmt.Errorf("hand over %s: %w", d.Name, err)
		}
	}
	err := transmit(r.conn, message{Done: true, Got: len(list)}, -1)
	if err == nil {
		var m message
		m, err = receiveMessage(r.conn, time.Now().Add(sendPatience))
		if err == nil && (!m.Done || m.Got != len(list)) {
			err = fmt.Errorf("the other process has %d of %d descriptors", m.Got, len(list))
		}
	}
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return nil
}

// Close tells the successor that this process has finished.
func (r *Request) Close() { r.conn.Close() }

// Peer is the process that handed over, until it has finished.
type Peer struct {
	conn *net.UnixConn
	pid  int
}

// Ask asks the process that listens on the path for its descriptors. It returns when that
// one has stopped receiving and sent them, at the latest when ctx is done. The error is
// ErrNobody if no process listens.
func Ask(ctx context.Context, path string) ([]Descriptor, *Peer, error) {
	list, peer, err := ask(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for descriptors on %s: %w", path, err)
	}
	return list, peer, nil
}

func ask(ctx context.Context, path string) (list []Descriptor, peer *Peer, err error) {
	if _, err := os.Lstat(filepath.Clean(path)); errors.Is(err, os.ErrNotExist) {
		return nil, nil, ErrNobody
	}
	conn, err := dial(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
			for _, d := range list {
				unix.Close(d.Fd)
			}
			list = nil
		}
	}()
	pid, err := check(conn)
	if err != nil {
		return nil, nil, err
	}
	if err := transmit(conn, message{}, -1); err != nil {
		return nil, nil, err
	}
	deadline, _ := ctx.Deadline()
	for {
		m, fd, err := receive(conn, deadline)
		switch {
		case err != nil:
			return list, nil, err
		case m.Protocol != protocol || m.Done != (fd < 0) || len(list) >= maxDescriptors:
			if fd >= 0 {
				unix.Close(fd)
			}
			return list, nil, ErrProtocol
		case m.Done && m.Got != len(list):
			return list, nil, fmt.Errorf("%d of %d descriptors came", len(list), m.Got)
		case m.Done:
			return list, &Peer{conn: conn, pid: pid}, transmit(conn, message{Done: true, Got: len(list)}, -1)
		}
		list = append(list, Descriptor{Name: m.Name, Fd: fd})
	}
}

// PID returns the number of the process, as this process sees it.
func (p *Peer) PID() int { return p.pid }

// Wait waits until the process has finished with its output, at the latest until ctx is
// done, and lets go of it.
func (p *Peer) Wait(ctx context.Context) error {
	defer p.conn.Close()
	return p.wait(ctx)
}

func (p *Peer) wait(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	_, err := receiveMessage(p.conn, deadline)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
		return nil
	case err == nil: // a message, where none is due
		err = ErrProtocol
	}
	return fmt.Errorf("wait for process %d: %w", p.pid, err)
}

// Duplicate returns another descriptor of the same open file, which children do not
// inherit.
func Duplicate(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, firstFd)
}

// Close closes a descriptor.
func Close(fd int) { unix.Close(fd) }
