// Command receive measures what it costs to receive a datagram: by this project's
// AF_XDP receiver in native and generic mode, by github.com/asavie/xdp, by
// recvmmsg(2) and by net.UDPConn. All in one run, on a veth pair for each between
// two network namespaces that end with the process. Linux, as root, at least two
// CPUs.
//
// The journey of one frame: the kernel makes it on the sender's CPU
// (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES) and runs the generator on it,
// an XDP program that gives it one of 64 source addresses and redirects it to the
// sender's end of the pair. The receiver's end takes it from its ring in its NAPI
// poll, and it goes the way of the receiver that is measured. What a receiver does
// with a datagram is to look at its source address and at the first byte of its
// payload.
//
// Three things are measured, round after round with all receivers in turn, so that
// a busy moment of the machine hits all of them:
//
//   - cost: the NAPI poll runs in a kernel thread of its own on the receiver's CPU.
//     So the CPU time of that thread and of the receiver's is all that receiving
//     costs, and the injection, in another thread, is not in it. The generator keeps
//     up to 192 frames on their way, and sends 64 more when there is room, so that
//     nothing is lost and each wake-up is for many. Baselines tell how much of it is
//     the driver's: XDP programs that drop all, one before a socket buffer is made,
//     and one after. "near" has the sender on the
//     receiver's CPU too: a frame is in the cache already, as it almost is after a
//     network card wrote it there (DDIO). "far" has it on the other CPU: then the
//     frame must be fetched from that one's cache, which is most of the cost of a
//     copy, and each way to receive makes one.
//   - load: the same at a fixed rate. There the receiver sleeps in poll in between,
//     and wake-ups count; frames come in groups as from a network card that
//     interrupts at most every 200 microseconds. Also what the receiver's CPU as a
//     whole was busy (/proc/stat), which counts in ticks and has all else that ran.
//   - peak: the NAPI poll is in the softirq of the sender's CPU, as with a network
//     card that interrupts another CPU than the receiver's. The highest rate of
//     which nothing is lost is searched for. Where the stack is the receiver, its
//     work in the softirq slows the sender on the same CPU: then the rate is what
//     could be offered.
package main
