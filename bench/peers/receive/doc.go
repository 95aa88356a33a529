// Command receive measures what it costs to receive a datagram: by this project's
// AF_XDP receiver in native and generic mode, by github.com/asavie/xdp and by
// recvmmsg(2). All in one run, on a veth pair for each between
// two network namespaces that end with the process. Linux, as root, at least two
// CPUs.
//
// The journey of one frame: the kernel makes it on the sender's CPU
// (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES) and runs the generator on it,
// an XDP program that gives it one of 64 source addresses and redirects it to the
// sender's end of the pair. The receiver's end takes it from its ring in its NAPI
// poll, and it goes the way of the receiver that is measured. What a receiver does
// with a datagram is to look at its source address and at the first byte of its
// payload. All wait alike when there is nothing: for a millisecond, or as
// long as a quarter of a ring takes to come, then by poll.
//
// Three things are measured, round after round with all receivers in turn, so that
// a busy moment of the machine hits all of them, and in another order each time:
//
//   - cost: the CPU time of all threads that a datagram passes, kernel and user, with
//     the injection taken off: a baseline, an XDP program that drops all, has the same
//     generator, cable and driver. "split" has the NAPI poll in the softirqs of the
//     sender's CPU, as with a network card that interrupts another CPU than the
//     receiver's: softirqs run on the sender's thread or in ksoftirqd, whose times are
//     added up with the receiver's. The generator keeps up to 1792 frames on their way,
//     and makes frames that it does not send when there is no room; what these cost, and
//     setting up a run, is measured apart and taken off too. "one" has the NAPI poll in
//     a kernel thread on the receiver's CPU, and the sender there too, which is not
//     counted: sender, poll and receiver take turns every 64 frames, so that switching
//     between threads is part of the cost. A second baseline drops all when the
//     driver has made a socket buffer, as it does for whatever is not native: above it
//     is receiving alone.
//   - load: a fixed rate, with the NAPI poll in a thread on the receiver's CPU and the
//     sender on the other one. There the receiver sleeps in between,
//     and wake-ups count; frames come in groups as from a network card that
//     interrupts at most every 200 microseconds. Also what the receiver's CPU as a
//     whole was busy (/proc/stat), which counts in ticks and has all else that ran.
//   - peak: the NAPI poll is in the softirq of the sender's CPU, as with a network
//     card that interrupts another CPU than the receiver's. The highest rate of
//     which nothing is lost is searched for. Where the stack is the receiver, its
//     work in the softirq slows the sender on the same CPU: then the rate is what
//     could be offered.
package main
