// Package netflow reads NetFlow datagrams of the versions 1, 5, 7 and 9.
//
// The fixed-format versions are read whole: a header, then records of a
// constant length, as views into the datagram. How many records there are is
// decided by the bytes that are there; a header's count that says otherwise is
// reported, not followed. Of version 9 this package reads the header; its sets,
// templates and records are the business of package template.
//
// Pure: no I/O, no log, no allocation. All numbers on the wire are big-endian.
// Sources: Cisco's NetFlow Export Datagram Format (v1, v5, v7), RFC 3954 (v9).
package netflow
