// Package xdp receives datagrams from AF_XDP sockets, bypassing the kernel network stack,
// from the driver's receive path into memory of this process.
//
// The journey of one datagram: the driver of the interface, or the kernel on its
// behalf, runs the XDP program on the frame; the program chooses a worker and
// redirects the frame to that worker's socket on the receive queue it came by
// (a frame cannot reach a socket of another queue); the kernel takes an empty
// chunk from the queue's fill ring, puts the frame in it and a descriptor into
// the socket's RX ring; the worker's [Receiver.Receive] takes up to a batch of
// descriptors from its sockets on all queues, [Receiver.Read] reads the headers
// again and gives a view of the UDP payload; [Receiver.Release] puts the chunks
// back into the fill rings. Only a frame in several chunks (jumbo) is copied.
//
// [Open] does what comes before: it looks at the interface, has the program
// loaded, attaches it, lays out one packet memory (UMEM) a queue with one socket
// on it for each worker, and last tells the program of the sockets. Until then,
// and again from [Capture.Detach] on, the program passes all to the kernel's
// stack, where an ordinary UDP socket of the same port receives it. What the
// system refuses is a [*Refusal], which says what would help; no other program
// is ever evicted. A process that dies takes its program along, unless [Config.Links] has
// another process hold the link: then the program stays, passes everything to the stack, and
// the next process replaces it on the same link ([Capture.Leave], [Capture.Adopted]).
//
// Each [Receiver] is for one goroutine, best locked to its thread; the workers
// share nothing but the fill ring of each queue, which has one producer by the
// kernel's contract: they take turns by a lock that is held for the copying of a
// batch of addresses, once a batch. [Capture.Stats], [Capture.Health] and the
// like may be called from any goroutine.
//
// Addresses in frames and programs are those on the wire; checksums are not
// verified.
//
// Linux only. Elsewhere the package is empty but for the reading of frames.
package xdp
