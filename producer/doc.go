// Package producer decodes flow datagrams and appends what they hold to batches, as
// protobuf, JSON or text.
//
// The journey of one datagram: [Producer.Datagram] detects the protocol and walks the
// sets and records with the iterators of decoders/. The template of a data set was
// compiled to a plan when it was learned: which field of the record fills which field of
// the message. A plan whose fields do not depend on each other writes messages straight
// from the records, on amd64 in assembly; all others fill a [Flow], which is appended
// field by field. Records of a fixed layout (NetFlow v1 to v8) have plans too, made once;
// samples of sFlow are gathered and written, or fill a Flow. A [Program], made of a
// mapping file, changes names, fields and keys. Data whose template is not known waits
// until any producer has learned it ([Held]). [Path] names the ways a record can go, and
// [Counters] count each record, and each fault by its [Reason].
//
// What a field is stands in one place, the table of package schema.
//
// A Producer belongs to one goroutine. The template store, programs and the room for
// pending data are shared by all producers. No path of a datagram takes a lock or
// allocates, but to grow the batch and for templates that are new.
package producer
