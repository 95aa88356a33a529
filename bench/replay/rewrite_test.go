package main

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

func TestRewriteTime(t *testing.T) {
	now := time.Unix(1800000123, 456789)
	tests := []struct {
		name               string
		version            uint16
		header             int
		secondsAt, nanosAt int // -1: none
	}{
		{"v1", 1, 16, 8, 12},
		{"v5", 5, 24, 8, 12},
		{"v7", 7, 24, 8, 12},
		{"v9", 9, 20, 8, -1},
		{"IPFIX", 10, 16, 4, -1},
		{"v8 is not known", 8, 28, -1, -1},
		{"sFlow", 0, 28, -1, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for size := 0; size <= test.header+9; size++ {
				payload := bytes.Repeat([]byte{0xee}, size)
				if size >= 2 {
					binary.BigEndian.PutUint16(payload, test.version)
				}
				want := bytes.Clone(payload)
				changes := test.secondsAt >= 0 && size >= test.header
				if changes {
					binary.BigEndian.PutUint32(want[test.secondsAt:], 1800000123)
					if test.nanosAt >= 0 {
						binary.BigEndian.PutUint32(want[test.nanosAt:], 456789)
					}
				}
				if got := rewriteTime(payload, now); got != changes || !bytes.Equal(payload, want) {
					t.Errorf("%d bytes: changed %v, want %v\n got %x\nwant %x", size, got, changes, payload, want)
				}
			}
		})
	}
}

// The time is set at the moment of sending.
func TestRewriteTimeWhenSent(t *testing.T) {
	s := collector(t, "127.0.0.1:0")
	message := make([]byte, 24)
	message[1] = 5
	name := writePcap(t, packet{"192.0.2.1:1000", "198.51.100.1:2055", message})
	for _, rewrite := range []bool{true, false} {
		before := time.Now()
		args := []string{"-to", s.LocalAddr().String(), name}
		if rewrite {
			args = append([]string{"-rewrite-time"}, args...)
		}
		if code, _, stderr := runReplay(t, args...); code != 0 {
			t.Fatal(stderr)
		}
		bySource, _ := received(t, s)
		for _, list := range bySource {
			b := []byte(list[0])
			got := time.Unix(int64(binary.BigEndian.Uint32(b[8:])), int64(binary.BigEndian.Uint32(b[12:])))
			if fresh := !got.Before(before.Truncate(0)) && !got.After(time.Now()); fresh != rewrite {
				t.Errorf("rewrite %v: header time %v", rewrite, got)
			}
		}
	}
}
