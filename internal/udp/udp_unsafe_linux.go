//go:build !udpportable

package udp

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2): a message header, and the length of
// what was received. The kernel writes it during the call, nobody else does.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// control is room for the two control messages asked for, SO_TIMESTAMPNS and
// SO_RXQ_OVFL (24 to 56 bytes with their headers), aligned as cmsg(3) wants it.
type control [8]uint64

// slotStagger keeps the beginnings of the slots apart in the processor's caches:
// slots a power of two apart would all fall into one set. It is 25 cache lines,
// as much as a full Ethernet frame takes.
const slotStagger = 25 * 64

// vector is the memory of one recvmmsg call, allocated once. Pages of the arena
// that no datagram reached are never touched, and so cost nothing.
type vector struct {
	headers  []mmsghdr
	iovecs   []unix.Iovec
	names    []unix.RawSockaddrInet6 // also large enough for IPv4
	controls []control
	arena    []byte
	stride   int // from slot to slot in the arena
	size     int // of a slot's use
	used     int // headers that the last call may have changed
}

func newVector(batch, size int) vector {
	v := vector{
		headers:  make([]mmsghdr, batch),
		iovecs:   make([]unix.Iovec, batch),
		names:    make([]unix.RawSockaddrInet6, batch),
		controls: make([]control, batch),
		size:     size,
		stride:   (size+63)&^63 + slotStagger,
	}
	v.arena = make([]byte, batch*v.stride)
	for i := range v.headers {
		v.iovecs[i].Base = &v.arena[i*v.stride]
		v.iovecs[i].SetLen(size)
		h := &v.headers[i].header
		h.Iov = &v.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&v.names[i]))
		h.Control = (*byte)(unsafe.Pointer(&v.controls[i]))
	}
	v.used = batch
	return v
}

func (v *vector) batch() int { return len(v.headers) }

// receive takes what the socket has, up to a batch, without waiting.
func (v *vector) receive(fd int) (int, unix.Errno) {
	// The kernel leaves the lengths it used; they must be what there is again.
	for i := range v.headers[:v.used] {
		h := &v.headers[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(int(unsafe.Sizeof(control{})))
		h.Flags = 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.headers[0])),
		uintptr(len(v.headers)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		v.used = len(v.headers) // which of them the kernel touched is not known
		return 0, errno
	}
	v.used = int(n)
	return int(n), 0
}

// datagram reads message i of the last call.
func (v *vector) datagram(i int) Datagram {
	m := &v.headers[i]
	begin := i * v.stride
	end := begin + min(int(m.length), v.size)
	d := Datagram{
		Payload:   v.arena[begin:end:end],
		Src:       v.source(i),
		Truncated: m.header.Flags&unix.MSG_TRUNC != 0,
	}
	if data := v.controlMessage(i, unix.SCM_TIMESTAMPNS); len(data) >= int(unsafe.Sizeof(unix.Timespec{})) {
		t := *(*unix.Timespec)(unsafe.Pointer(&data[0]))
		d.ReceivedNs = t.Nano()
	} else {
		d.ReceivedNs = time.Now().UnixNano()
	}
	return d
}

// source reads the sender's address, whose port is in network byte order.
func (v *vector) source(i int) netip.AddrPort {
	name := &v.names[i]
	switch name.Family {
	case unix.AF_INET6:
		port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port)
	case unix.AF_INET:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), port)
	}
	return netip.AddrPort{}
}

// drops returns the kernel's count of drops as message i was queued. There is no
// such control message while the count is zero.
func (v *vector) drops(i int) (uint32, bool) {
	if data := v.controlMessage(i, unix.SO_RXQ_OVFL); len(data) >= 4 {
		return *(*uint32)(unsafe.Pointer(&data[0])), true
	}
	return 0, false
}

// controlMessage returns the data of the control message of level SOL_SOCKET and
// this type in message i, nil if there is none. The lengths are the kernel's, but
// are checked all the same.
func (v *vector) controlMessage(i int, typ int32) []byte {
	length := min(int(v.headers[i].header.Controllen), int(unsafe.Sizeof(control{})))
	rest := unsafe.Slice((*byte)(unsafe.Pointer(&v.controls[i])), length)
	for len(rest) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(rest) {
			return nil
		}
		if h.Level == unix.SOL_SOCKET && h.Type == typ {
			return rest[unix.CmsgLen(0):n]
		}
		rest = rest[min(unix.CmsgSpace(n-unix.CmsgLen(0)), len(rest)):]
	}
	return nil
}

// memInfoDrops asks for the socket's count of drops (SO_MEMINFO, Linux 4.12).
func memInfoDrops(fd int) (uint32, bool) {
	var info [unix.SK_MEMINFO_VARS]uint32
	length := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 || length < (unix.SK_MEMINFO_DROPS+1)*4 {
		return 0, false
	}
	return info[unix.SK_MEMINFO_DROPS], true
}
