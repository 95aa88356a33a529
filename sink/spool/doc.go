// Package spool is the log on disk in which batches wait while an output is
// away.
//
// An [github.com/weirflow/weir/sink.AsyncHub] appends a batch as one entry to
// the active segment, a file of 64 MiB, reads entries from the oldest on, and
// tells for each, or for some of its messages, that the output has them. That
// goes to a second file, the list of acknowledgements, so that the next start
// goes on after them. A segment all of whose entries are acknowledged is
// removed. When the segments together would grow over a bound the oldest is
// given up and its records are counted; when the file system has less free
// space than is reserved nothing more is taken.
//
// An entry is the kernel's when Append returns: the end of the process, by
// whatever means, loses nothing of it. Against a failure of the machine the
// files are synced once a second, or with each group of appends (Config). What
// had been delivered, but not acknowledged, comes again.
//
// Headers and batches have checksums. At the start the log looks at each
// entry's header, when it reads at the rest. What is damaged costs itself
// alone: the next entry is found by a mark that no message can contain but by
// chance, and the count of records in its header tells how many were lost. A
// damaged segment is set aside under another name once it is delivered; files
// that are not the log's are never touched. A lock keeps a second process out.
//
// Files may be renamed, copied, exchanged or removed while the log is closed. The
// header of each segment says where in the log it belongs, and to which log, so that
// names mean nothing. Copies, segments of another log, and files that cannot be read or
// are no segments are set aside at the start. The list of acknowledgements holds how
// many records were ever resolved: those that were appended, are not resolved and are
// in no segment are counted as lost.
//
// # Why not a library
//
// Tried with 256 KiB entries on one machine (disk of 100 to 250 MB/s, sync off
// where that can be); needed are removal at the front, a bound, an
// acknowledgement for each message, life with damage and with a full disk.
//
//   - tidwall/wal 1.2.1: 112 MB/s. No checksums: a changed byte was delivered as
//     good. Cut at the end, or once the disk was full, it opens only as
//     "log corrupt". Removal at the front rewrites a segment: 0.9 s for half of
//     1 GB. No lock.
//   - hashicorp/raft-wal 0.4.0: 84 MB/s, as each append is synced. Checksums are not
//     checked when reading: a changed byte was delivered. After a full disk
//     "segment is sealed" for good. Needs bbolt too. Calls itself experimental.
//   - prometheus tsdb/wlog 0.316.0: 236 MB/s, reads 3.8 GB/s, 21 modules. Damage in
//     the middle costs all that follows: 529 of 1024 entries were left. After a
//     full disk neither written nor repaired.
//   - VictoriaMetrics persistentqueue (2025-07): 1230 MB/s. No checksums; a cut file has
//     it throw everything away (0 of 1024); a full disk is a panic.
//   - etcd wal: raft's entries in one chain of checksums, repairs the last file's end
//     alone. NATS' file store is not exported.
package spool
