// Package live holds the tests that run the real program, built as users build
// it, against real exporters. There is no code but tests, and they run on Linux
// as root only; elsewhere they are skipped, or fail where the environment
// variable CI is "true".
//
// The journey of a test: a network of namespaces is made (internal/testnet), in
// which an exporter, softflowd for one, watches an interface. Frames that were
// composed packet by packet are put on that interface. The exporter sends its
// datagrams over a veth pair to weir, which writes them to a file. At the end
// three accounts must agree to the byte: what was put on the wire, what the
// exporter says it sent, and what the file holds; and the metrics must add up
// to the same. Other tests leave the exporter out and send datagrams of their
// own making, to see how the process starts, stops, reopens, fills its disk, is
// killed and is refused.
package live
