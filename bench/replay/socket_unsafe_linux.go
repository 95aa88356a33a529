package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32 // bytes sent, written by the kernel
}

// batch is the memory of one sendmmsg call, allocated once.
type batch struct {
	headers []mmsghdr
	iovecs  []unix.Iovec
}

func newBatch(n int) *batch {
	b := &batch{headers: make([]mmsghdr, n), iovecs: make([]unix.Iovec, n)}
	for i := range b.headers {
		b.headers[i].header.Iov = &b.iovecs[i]
		b.headers[i].header.SetIovlen(1)
	}
	return b
}

// send sends as many of the payloads as fit and the kernel takes, and returns
// how many that were and their bytes; an error only if it is none.
func (b *batch) send(fd int, payloads [][]byte) (n, bytes int, errno unix.Errno) {
	payloads = payloads[:min(len(payloads), len(b.headers))]
	for i, p := range payloads {
		b.iovecs[i].Base = unsafe.SliceData(p)
		b.iovecs[i].SetLen(len(p))
	}
	sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(len(payloads)), 0, 0, 0)
	if errno != 0 {
		return 0, 0, errno
	}
	for _, p := range payloads[:sent] {
		bytes += len(p)
	}
	return int(sent), bytes, 0
}
