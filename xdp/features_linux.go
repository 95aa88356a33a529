package xdp

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"
)

// Features are what not every kernel's AF_XDP has, and a capture does without. They
// are tried, not concluded from the kernel's version: distributions backport.
type Features struct {
	// MultiBuffer: sockets take frames that are in several buffers (XDP_USE_SG, Linux
	// 6.6). Without it frames that do not fit into one are received on the kernel's
	// sockets.
	MultiBuffer bool
}

// ProbeFeatures tries what this kernel has. It needs CAP_NET_RAW and changes nothing
// for good; what cannot be tried is taken to be there, so that the refusal says why not.
func ProbeFeatures() Features {
	return Features{MultiBuffer: hasMultiBuffer()}
}

// hasMultiBuffer binds a socket to an interface that does not exist: a kernel that knows
// the flag looks for the interface, one that does not refuses the flag before.
func hasMultiBuffer() bool {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	err = unix.Bind(fd, &unix.SockaddrXDP{Flags: unix.XDP_USE_SG, Ifindex: math.MaxInt32})
	return !errors.Is(err, unix.EINVAL)
}
