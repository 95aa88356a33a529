// Command e2e measures collectors as processes: what they cost from a sender's
// socket, or from an interface, to the output.
//
// bench/gen makes a capture of each workload; bench/replay sends it, paced, to
// the collector over loopback UDP or, for weir on AF_XDP, as frames into a veth
// pair between two namespaces. For each collector the highest rate without loss
// is looked for. Then CPU, memory and loss at 3,000 and 30,000 datagrams a second
// and at that rate are measured in rounds, in which all collectors take turns, each time
// as a new process, and their ratios taken round by round; at last (weir alone) the
// latency from the kernel's receive time to the reader of the output. CPU is user and
// system time of the collector's process. Loss is what the kernel dropped at the collector's
// socket (/proc/net/udp), and for weir also what it did not count as received.
//
// Beside weir run those of goflow2 (-goflow2 names the program), nfcapd and
// nfacctd that are installed, each in the best configuration known: goflow2
// with one socket, one worker that blocks, and a large receive buffer where the
// kernel's default allows it; nfcapd with -B; nfacctd with the memory plugin.
package main
