package sflow

import (
	"encoding/binary"
	"slices"
)

// Datagrams built by hand, in the order of the wire.

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

var (
	agent4 = []byte{192, 0, 2, 77}
	agent6 = []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}
)

// datagram has sub-agent 1, sequence 2, uptime 3.
func datagram(count uint32, samples ...[]byte) []byte {
	return cat(words(5, 1), agent4, words(1, 2, 3, count), cat(samples...))
}

// piece is a sample or record: word, length, body and its padding.
func piece(word uint32, body []byte) []byte {
	return cat(words(word, uint32(len(body))), body, make([]byte, -len(body)&3))
}

// flow has sequence 10, source 2:1000, rate 512, pool 5120, drops 1, input 5, output 6.
func flow(count uint32, records ...[]byte) []byte {
	return piece(SampleFlow, cat(words(10, 2<<24|1000, 512, 5120, 1, 5, 6, count), cat(records...)))
}

func flowExpanded(count uint32, records ...[]byte) []byte {
	return piece(SampleFlowExpanded, cat(words(10, 2, 1000, 512, 5120, 1, 0, 0x3fffffff, 2, 6, count), cat(records...)))
}

func counter(count uint32, records ...[]byte) []byte {
	return piece(SampleCounter, cat(words(11, 7, count), cat(records...)))
}

func drop(count uint32, records ...[]byte) []byte {
	return piece(SampleDrop, cat(words(12, 1, 256, 9, 1, 2, 262, count), cat(records...)))
}

func rawHeader(header []byte) []byte {
	return piece(FlowRawHeader, cat(words(1, 1500, 4, uint32(len(header))), header, make([]byte, -len(header)&3)))
}

func switched() []byte { return piece(FlowExtendedSwitch, words(10, 1, 20, 2)) }
