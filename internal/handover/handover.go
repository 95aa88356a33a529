package handover

import (
	"errors"
	"strings"
)

// Prefix begins the names of descriptors that weir stored. No unit has a name with this
// character: the descriptors of weir.socket are called weir.socket.
const Prefix = "weir#"

// Descriptor is an open file that another process left to this one. Whoever takes it
// closes it.
type Descriptor struct {
	Name string // of up to 255 printable bytes, no colon among them
	Fd   int
	// Stored: the service manager's store has it too, and the next process of the
	// service gets it from there.
	Stored bool
}

// Own reports whether weir stored the descriptor, and not a socket unit opened it.
func (d *Descriptor) Own() bool { return strings.HasPrefix(d.Name, Prefix) }

// Errors of a handover.
var (
	// ErrNobody: no process listens on the Unix socket.
	ErrNobody = errors.New("no process listens")
	// ErrStranger: the process at the other end runs as another user.
	ErrStranger = errors.New("the other process runs as another user")
	// ErrProtocol: the process at the other end does not speak this protocol.
	ErrProtocol = errors.New("not the handover protocol of weir")
)
