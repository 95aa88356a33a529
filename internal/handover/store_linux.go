package handover

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstFd is the first descriptor that a service manager passes (SD_LISTEN_FDS_START).
const firstFd = 3

// Inherited returns the descriptors that the service manager passed to this process, and
// removes what it says about them from the environment. Children do not inherit them.
func Inherited() []Descriptor {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // it fails for bad names only
	}
	return inherited(pid, count, names)
}

func inherited(pid, count, names string) []Descriptor {
	n, err := strconv.Atoi(count)
	if err != nil || pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	var list []Descriptor
	name := strings.Split(names, ":")
	for i := range n {
		fd := firstFd + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			break // there is none: the count was wrong
		}
		unix.CloseOnExec(fd)
		d := Descriptor{Fd: fd}
		if i < len(name) {
			d.Name = name[i]
		}
		d.Stored = d.Own()
		list = append(list, d)
	}
	return list
}

// Store is the file descriptor store of this process's service. Its methods may be called
// by any goroutine.
type Store struct {
	address string
	size    int
}

// OpenStore returns the store, nil if there is none: the service manager says in FDSTORE
// how many descriptors fit (systemd 254; weir.service sets it for older ones).
func OpenStore() *Store {
	size, err := strconv.Atoi(os.Getenv("FDSTORE"))
	address := os.Getenv("NOTIFY_SOCKET")
	if err != nil || size < 1 || address == "" {
		return nil
	}
	return &Store{address: address, size: size}
}

// Size returns how many descriptors fit.
func (s *Store) Size() int { return s.size }

// Put stores a copy of a descriptor. The manager passes it to the next process of the
// service under the name. A full store drops it without a word: see [Store.Size].
func (s *Store) Put(name string, fd int) error {
	// The manager would remove a socket on which poll reports an error or a hang-up,
	// without FDPOLL=0.
	err := s.send("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, unix.UnixRights(fd))
	if err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	return nil
}

// Remove removes the descriptors of that name.
func (s *Store) Remove(name string) error {
	if err := s.send("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return fmt.Errorf("remove descriptor %s: %w", name, err)
	}
	return nil
}

func (s *Store) send(state string, rights []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for {
		// An address that begins with @ is an abstract one: x/sys does that.
		err = unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: s.address}, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}
