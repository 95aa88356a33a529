// Package sequence tells from the sequence numbers of an exporter's datagrams
// what was lost, reordered and repeated on the way.
//
// The journey of one datagram: the collector hands an [Observation] of it, its
// sequence number and what it holds, to the exporter's [Set]. The set finds the
// [Stream] that numbers it: of a protocol and observation domain, of an sFlow
// agent, of a source of samples. The stream asks each hypothesis of what the
// exporter counts (flows, records, datagrams; before or with the datagram at
// hand) whether it predicted this number, and remembers the last 32 answers. As
// long as the hypothesis in force did, that is all. A number that is not the
// expected one is held, with those after it, until it is clear what it means,
// and then settled under the hypothesis that explains the most: as a gap, as
// one that came late into a gap, as one that came twice, as a restart. Nothing
// is settled before a hypothesis has proven itself, so that a habit which is
// not known is never reported as loss.
//
// What is missing becomes a loss only in [Table.Sweep], when it has been missing
// for a whole round: counters that were reported never go back.
//
// A stream continues in another process from what [Set.Saved] returned.
//
// Sources: Cisco's NetFlow export formats (v5, v7: flows; v8: aggregates), RFC 3954 section 5.1
// (v9: datagrams), RFC 7011 section 3.1 (IPFIX: data records), sFlow version 5
// section 5 (datagrams per agent and sub-agent, samples per source).
//
// Pure: no I/O, no log. A steady stream takes no lock that others wait for and
// does not allocate; a stream's first numbers, and its gaps, do.
package sequence
