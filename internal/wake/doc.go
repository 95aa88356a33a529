// Package wake has goroutines wait and sleep at little cost, in Go's network poller.
//
// A send to a channel, and a timer of Go's, have the scheduler wake up another thread to look
// for work, which wakes up a further one, while the thread that sent, or on which the timer went
// off, could go on with it. What the network poller finds ready is gone on with by the thread that
// it wakes up, or that looks there before it rests; no other takes part.
package wake
