package xdp

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setOption sets an option of an AF_XDP socket to a struct or integer without
// pointers.
func setOption[T any](fd, option int, value *T) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(value)), unsafe.Sizeof(*value), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// getOption reads an option of an AF_XDP socket into a struct or integer without
// pointers. An older kernel may know less than all of it; the rest stays.
func getOption[T any](fd, option int, value *T) error {
	size := uint32(unsafe.Sizeof(*value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(value)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// umemReg describes memory to be registered as a UMEM. The memory is mapped, not
// the garbage collector's.
func umemReg(mem []byte, chunk int) unix.XDPUmemReg {
	return unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&mem[0]))), Len: uint64(len(mem)), Size: uint32(chunk)}
}

// ethtoolChannels is struct ethtool_channels of linux/ethtool.h.
type ethtoolChannels struct {
	cmd                                         uint32
	maxRX, maxTX, maxOther, maxCombined         uint32
	rxCount, txCount, otherCount, combinedCount uint32
}

// ethtoolChannelsIoctl runs a command on the channels of an interface
// (ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS).
func ethtoolChannelsIoctl(fd int, name string, channels *ethtoolChannels) error {
	var request struct { // struct ifreq of linux/if.h
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the union is larger than a pointer
	}
	if len(name) >= len(request.name) {
		return unix.ENODEV
	}
	copy(request.name[:], name)
	request.data = unsafe.Pointer(channels)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(channels)
	if errno != 0 {
		return errno
	}
	return nil
}

// tryBPF makes the system call bpf with a command that does not exist: the kernel says
// EINVAL, or whoever forbids the call something else.
func tryBPF() error {
	const noCommand = 1 << 30
	var attributes [8]byte
	_, _, errno := unix.Syscall(unix.SYS_BPF, noCommand, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	return errno
}
