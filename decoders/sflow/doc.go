// Package sflow reads sFlow version 5 datagrams (sFlow Version 5, sflow.org,
// July 2004; drop samples: sFlow Dropped Packet Notification Structures).
//
// A datagram's journey:
//
//	bytes ─▶ ParseHeader   agent, sequence numbers, how many samples are said to follow
//	      ─▶ Samples       flow, counter and drop samples, one a call of Next
//	      ─▶ Records       the records within the current sample
//	      ─▶ Parse...      one record's fields: raw header, switch, router, gateway...
//
//	h, rest, err := sflow.ParseHeader(b)
//	var s sflow.Samples
//	s.Init(rest, h.SampleCount)
//	for s.Next() {
//		// s.Err() says if this sample is damaged; s.Records is empty if unusable
//		for s.Records.Next() {
//			r := &s.Records.Record
//			...
//		}
//		// s.Records.Err()
//	}
//	// s.Err() says if the datagram does not end where its header says
//
// Samples and records are found by their lengths, checked against the bytes
// that are there. Counts on the wire only end a walk early: each step consumes
// at least 8 bytes, so that a walk takes no more than len(b)/8 steps whatever a
// count says. A damaged sample or record is named by a [Reason] and costs
// nothing but itself.
//
// All numbers on the wire are big-endian, in units of 4 bytes (XDR, RFC 4506).
// The package is pure: it allocates nothing, keeps nothing and does no I/O.
// Byte slices are views into the datagram and are valid as long as it is.
// Functions may be called concurrently; an iterator belongs to one goroutine.
package sflow
