// Package netflow reads NetFlow datagrams of the versions 1, 5, 7, 8 and 9.
//
// Those whose records have a fixed layout are data: [Versions] has their headers, the
// layouts of their records, and what their numbers count. [ParseFixed] reads the header of any
// of them. How many records there are is decided by the header's count and the bytes
// that are there. A new version or aggregation scheme is a row. Of version 9 this package reads the header; its sets,
// templates and records are the business of package template.
//
// Pure: no I/O, no log, no allocation. All numbers on the wire are big-endian.
// Sources: Cisco's NetFlow Export Datagram Format (v1, v5, v7, v8), RFC 3954 (v9).
package netflow
