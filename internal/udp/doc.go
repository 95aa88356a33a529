// Package udp receives datagrams from ordinary UDP sockets: the path that every
// datagram takes which did not come in by AF_XDP, and the only path where there
// is no XDP.
//
// The journey of one datagram: the kernel queues it at the socket, with the time
// it came in and the count of those dropped before it; [Socket.Receive] takes up
// to a batch of them by one recvmmsg(2) into an arena allocated beforehand;
// [Socket.Datagram] gives a view of one, its address and time read from the
// header memory the kernel filled. Nothing is copied and nothing allocated.
//
// A socket sleeps in ppoll(2) only when it was found empty: after a full batch
// the next call asks the kernel for more at once. An eventfd in the same poll
// set lets another goroutine end the sleep ([Socket.Wake]).
//
// What the kernel dropped because the socket's queue was full is counted
// exactly: by the count that comes with each datagram (SO_RXQ_OVFL), and by
// [Socket.PollDrops] when no further datagram comes.
//
// Before a socket is closed for good, [Socket.Refuse] makes the kernel drop, and count,
// what still arrives, so that what is in the queue is finite and can be counted.
//
// A socket can outlive its process: another one that holds a descriptor of it makes a
// Socket of that by [Adopt]. What waits in the queue meanwhile is not lost. [Socket.Keep]
// marks a socket for which there is such a process.
//
// One goroutine, best locked to its thread, calls Receive, Datagram and
// PollDrops. Wake, Close, KernelDrops, ReceiveBuffer and LocalAddr may be called
// from any.
//
// Elsewhere than on Linux the same API stands on package net, a datagram a
// batch, and kernel drops are not known. The build tag udpportable chooses that
// implementation on Linux too, for tests.
package udp
