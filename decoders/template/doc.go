// Package template holds what NetFlow v9 and IPFIX share: the walk over the
// sets of a message, the template records in it, the store of templates that
// all workers read, and the walk over data records that a template describes.
//
// A message's journey: [Sets] cuts its body into sets by their length fields.
// A template set goes through [Definitions], which yields one [Definition]
// after the other; [Domain.Put] publishes it as an immutable [Template]. A
// data set's id finds its Template by [Domain.Template], without a lock, and
// [Records] cuts the set into records. What a record means is not decided
// here: a store compiles each template once, with the function that its owner
// gave, and keeps the result in [Template.Compiled].
//
// The package is pure but for the store: no I/O, no log, no metrics. Faults in
// the input are values of [Fault], counted by the caller.
//
// Sources: RFC 3954 (NetFlow v9), RFC 7011 (IPFIX). All numbers on the wire
// are big-endian.
package template
