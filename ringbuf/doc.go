// Package ringbuf holds the bounded ring over which data crosses from one
// thread to another.
//
// A value is pushed by the one producer, waits in the ring in the order of
// arrival, and is popped by the one consumer. Neither side ever waits for the
// other, takes a lock or allocates: a push to a full ring and a pop from an
// empty one say so at once, and what to do then is the caller's policy.
//
// It holds:
//
//   - [SPSC], a single-producer single-consumer ring of values of any type.
package ringbuf
