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
	return ethtoolIoctl(fd, name, unsafe.Pointer(channels))
}

// ethtoolIoctl runs the command that data begins with.
func ethtoolIoctl(fd int, name string, data unsafe.Pointer) error {
	var request struct { // struct ifreq of linux/if.h
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the union is larger than a pointer
	}
	if len(name) >= len(request.name) {
		return unix.ENODEV
	}
	copy(request.name[:], name)
	request.data = data
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

const (
	ethtoolNameSize = 32 // ETH_GSTRING_LEN
	ethtoolStatsSet = 1  // ETH_SS_STATS
	// ethtoolSlack is room for statistics that a driver has more than it said a moment
	// before: the kernel writes as many as there are.
	ethtoolSlack = 1024
)

// ethtoolNames returns the names of the driver's statistics.
func ethtoolNames(fd int, name string) ([]string, error) {
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil || info.N_stats == 0 {
		return nil, err
	}
	n := int(info.N_stats)
	// struct ethtool_gstrings: command, set, number, then the names.
	const header = 12
	request := make([]byte, header+(n+ethtoolSlack)*ethtoolNameSize)
	fields := unsafe.Slice((*uint32)(unsafe.Pointer(&request[0])), 3)
	fields[0], fields[1], fields[2] = unix.ETHTOOL_GSTRINGS, ethtoolStatsSet, uint32(n)
	if err := ethtoolIoctl(fd, name, unsafe.Pointer(&request[0])); err != nil {
		return nil, err
	}
	names := make([]string, min(n, int(fields[2])))
	for i := range names {
		at := header + i*ethtoolNameSize
		names[i] = unix.ByteSliceToString(request[at : at+ethtoolNameSize])
	}
	return names, nil
}

// ethtoolValues returns the driver's statistics, of which there are n.
func ethtoolValues(fd int, name string, n int) ([]uint64, error) {
	// struct ethtool_stats: command and number, then the values.
	request := make([]uint64, 1+n+ethtoolSlack)
	fields := unsafe.Slice((*uint32)(unsafe.Pointer(&request[0])), 2)
	fields[0], fields[1] = unix.ETHTOOL_GSTATS, uint32(n)
	if err := ethtoolIoctl(fd, name, unsafe.Pointer(&request[0])); err != nil {
		return nil, err
	}
	return request[1 : 1+min(n, int(fields[1]))], nil
}

// tryBPF makes the system call bpf with a command that does not exist: the kernel says
// EINVAL, or whoever forbids the call something else.
func tryBPF() error {
	const noCommand = 1 << 30
	var attributes [8]byte
	_, _, errno := unix.Syscall(unix.SYS_BPF, noCommand, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	return errno
}
