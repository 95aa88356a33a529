package handover

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

func serve(t *testing.T) (*Server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "handover")
	s, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, path
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// pipe returns an end of a pipe, whose descriptor can be sent, and the other end, on which
// one can tell.
func pipe(t *testing.T) (w, other *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w, r
}

// pipeEnd is pipe for the descriptor alone.
func pipeEnd(t *testing.T) (fd int, other *os.File) {
	t.Helper()
	w, other := pipe(t)
	return int(w.Fd()), other
}

// TestHandover sends descriptors from one side to the other, which uses them.
func TestHandover(t *testing.T) {
	s, path := serve(t)
	fd, other := pipeEnd(t)
	sent, finished := make(chan error, 1), make(chan struct{})
	go func() {
		r := <-s.Requests()
		if r.PID() != os.Getpid() {
			t.Errorf("successor %d, this is %d", r.PID(), os.Getpid())
		}
		sent <- r.Send([]Descriptor{{Name: "weir#udp#1", Fd: fd}, {Name: "weir#xdp#2", Fd: fd}})
		<-finished
		r.Close()
	}()
	list, peer, err := Ask(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Name != "weir#udp#1" || list[1].Name != "weir#xdp#2" || !list[0].Own() || list[0].Stored {
		t.Fatalf("%+v", list)
	}
	for _, d := range list {
		flags, err := unix.FcntlInt(uintptr(d.Fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("children inherit %s: %x, %v", d.Name, flags, err)
		}
		if _, err := unix.Write(d.Fd, []byte{7}); err != nil {
			t.Error(err)
		}
		Close(d.Fd)
	}
	if b := make([]byte, 2); readAll(other, b) != 2 {
		t.Error("the descriptors are of another file")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	early := *peer
	if err := early.wait(ctx); err == nil {
		t.Error("the other process has finished, it says, and has not")
	}
	close(finished)
	if err := peer.Wait(within(t)); err != nil {
		t.Error(err)
	}
}

func readAll(f *os.File, b []byte) int {
	n := 0
	for n < len(b) {
		more, err := f.Read(b[n:])
		if err != nil {
			break
		}
		n += more
	}
	return n
}

// TestNobody tells that nobody listens: no file, and one that a process left.
func TestNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handover")
	if _, _, err := Ask(within(t), path); !errors.Is(err, ErrNobody) {
		t.Errorf("no file: %v", err)
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, _, err := Ask(within(t), path); !errors.Is(err, ErrNobody) {
		t.Errorf("left by a process: %v", err)
	}
	s, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two listen: %v", err)
	}
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an ordinary file was replaced")
	}
}

// TestSuccessorGone: who dies before it has everything gets nothing.
func TestSuccessorGone(t *testing.T) {
	s, path := serve(t)
	fd, _ := pipeEnd(t)
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := transmit(conn, message{}, -1); err != nil {
		t.Fatal(err)
	}
	r := <-s.Requests()
	conn.Close()
	if err := r.Send([]Descriptor{{Name: "weir#udp#1", Fd: fd}}); err == nil {
		t.Error("handed over to nobody")
	}
	r.Close()
}

// TestPredecessorGone: who asks one that dies gets an error and no descriptor, not one
// that leaks.
func TestPredecessorGone(t *testing.T) {
	s, path := serve(t)
	w, other := pipe(t)
	go func() {
		r := <-s.Requests()
		if err := transmit(r.conn, message{Name: "weir#udp#1"}, int(w.Fd())); err != nil {
			t.Error(err)
		}
		w.Close()
		r.Close()
	}()
	if list, _, err := Ask(within(t), path); err == nil || errors.Is(err, ErrNobody) || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := other.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the descriptor is still open: %v", err)
	}
}

// TestStrayDescriptor: a descriptor that comes with a request is closed, and a message
// where the end is due is an error.
func TestStrayDescriptor(t *testing.T) {
	s, path := serve(t)
	w, other := pipe(t)
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := transmit(conn, message{}, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	r := <-s.Requests()
	defer r.Close()
	w.Close()
	if err := other.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the descriptor is still open: %v", err)
	}
	if err := transmit(r.conn, message{}, -1); err != nil {
		t.Fatal(err)
	}
	if err := (&Peer{conn: conn}).wait(within(t)); !errors.Is(err, ErrProtocol) {
		t.Errorf("a message instead of the end: %v", err)
	}
}

// TestGarbage: what is no request is refused, and the next one is served.
func TestGarbage(t *testing.T) {
	s, path := serve(t)
	for _, text := range []string{"", "GET / HTTP/1.1", `{"protocol":"weir-handover/99"}`, strings.Repeat("x", 3*maxMessage)} {
		conn, err := dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%.20q was answered", text)
		}
		conn.Close()
	}
	go func() {
		r := <-s.Requests()
		if err := r.Send(nil); err != nil {
			t.Error(err)
		}
		r.Close()
	}()
	if _, _, err := Ask(within(t), path); err != nil {
		t.Error(err)
	}
}

// TestStranger: a process of another user is refused (the user of this one is said to be
// another).
func TestStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	_, path := serve(t)
	if err := unix.Access(path, unix.R_OK); err != nil {
		t.Fatal(err)
	}
	// The thread alone is another user.
	done := make(chan error, 1)
	go func() {
		done <- asUser(65534, func() error {
			_, _, err := Ask(within(t), path)
			return err
		})
	}()
	if err := <-done; err == nil {
		t.Error("another user was served")
	}
}

// TestOwn tells what weir stored from what units are called.
func TestOwn(t *testing.T) {
	for name, own := range map[string]bool{Prefix + "udp#1": true, "weir.socket": false, "weir.udp.1": false, "weir": false, "unknown": false, "": false} {
		if d := (Descriptor{Name: name}); d.Own() != own {
			t.Errorf("%q: %v", name, d.Own())
		}
	}
}

// TestInherited reads the environment of sd_listen_fds(3).
func TestInherited(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	for _, test := range []struct{ pid, count, names string }{
		{"1", "2", "a:b"}, {pid, "", "a"}, {pid, "x", ""}, {pid, "0", ""}, {pid, "-1", ""}, {"", "1", "a"},
	} {
		if list := inherited(test.pid, test.count, test.names); len(list) != 0 {
			t.Errorf("%+v: %v", test, list)
		}
	}
	// Descriptors 3 and up belong to the test binary: they are only looked at.
	list := inherited(pid, "1", "weir#udp#5:other")
	if len(list) > 1 || len(list) == 1 && (list[0].Name != "weir#udp#5" || list[0].Fd != firstFd || !list[0].Stored) {
		t.Errorf("%+v", list)
	}
	for name, value := range map[string]string{"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "LISTEN_PIDFDID": "1"} {
		t.Setenv(name, value)
	}
	if list := Inherited(); len(list) != 0 {
		t.Errorf("descriptors of another process: %v", list)
	}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "LISTEN_") {
			t.Errorf("children inherit %s", e)
		}
	}
}

// TestStore sends what sd_pid_notify_with_fds(3) says.
func TestStore(t *testing.T) {
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), "@weir-test-" + strconv.Itoa(os.Getpid())} {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		t.Setenv("NOTIFY_SOCKET", address)
		t.Setenv("FDSTORE", "0")
		if OpenStore() != nil {
			t.Error("a store without room")
		}
		t.Setenv("FDSTORE", "3")
		s := OpenStore()
		if s == nil || s.Size() != 3 {
			t.Fatalf("%+v", s)
		}
		fd, _ := pipeEnd(t)
		if err := s.Put("weir#udp#1", fd); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove("weir#udp#1"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			text string
			fds  int
		}{{"FDSTORE=1\nFDPOLL=0\nFDNAME=weir#udp#1", 1}, {"FDSTOREREMOVE=1\nFDNAME=weir#udp#1", 0}} {
			text, rights := make([]byte, 1024), make([]byte, 128)
			n, nr, _, _, err := conn.ReadMsgUnix(text, rights)
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			if messages, err := unix.ParseSocketControlMessage(rights[:nr]); err == nil && len(messages) == 1 {
				fds, err := unix.ParseUnixRights(&messages[0])
				if err != nil {
					t.Fatal(err)
				}
				got = len(fds)
				for _, fd := range fds {
					unix.Close(fd)
				}
			}
			if string(text[:n]) != want.text || got != want.fds {
				t.Errorf("%q with %d descriptors, want %+v", text[:n], got, want)
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if OpenStore() != nil {
		t.Error("a store without a manager")
	}
}
