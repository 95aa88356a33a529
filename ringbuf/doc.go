// Package ringbuf holds the bounded rings over which data crosses from one
// thread to another, and between the kernel and a thread.
//
// Between threads a value is pushed by the one producer, waits in the ring in
// the order of arrival, and is popped by the one consumer. Between the kernel
// and a thread the values are frames of a packet memory (UMEM): an empty frame
// goes to the kernel over the fill ring, comes back with a packet in it over
// the RX ring, and is put into the fill ring again when its reader is done; a
// frame to be sent goes out over the TX ring and comes back over the completion
// ring.
//
// Neither side ever waits for the other, takes a lock or allocates: a push to a
// full ring and a pop from an empty one say so at once, and what to do then is
// the caller's policy.
//
// It holds:
//
//   - [SPSC], a single-producer single-consumer ring of values of any type.
//   - [Fill] and [TX], of which this side is the producer and the kernel the
//     consumer; [RX] and [Completion], where it is the other way round. They lie
//     in memory mapped from an AF_XDP socket.
//   - [Ledger], which in test builds (tag weirpoison) knows the owner of every
//     frame, mangles frames that are returned and panics when one is returned
//     twice; elsewhere it is empty.
//
// # Order of memory
//
// Each kernel ring has two 32-bit indices that run freely and wrap, one written
// by the producer alone and one by the consumer alone
// (Documentation/networking/af_xdp.rst, "Rings": single-producer
// single-consumer, to be serialised by user space where several use one). The
// kernel publishes its index by smp_store_release and reads the other by
// smp_load_acquire (net/xdp/xsk_queue.h, after
// Documentation/core-api/circular-buffers.rst), so that entries are seen written
// before the index that covers them, and are read before the index that gives
// them back. This side must do the same: plain loads and stores would be
// reordered by an arm64 processor, and an entry then read before it was written.
// All access to a shared index is by sync/atomic, whose operations are
// sequentially consistent: they compile to LDAR and STLR on arm64, and on amd64
// to a plain load and an XCHG. The entries themselves are read and written
// plainly, in between.
//
// A store of the producer index and a later load of the need_wakeup flag are
// kept in order too by that, which acquire and release alone would not do.
package ringbuf
