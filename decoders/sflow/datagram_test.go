package sflow

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestParseHeader(t *testing.T) {
	whole6 := cat(words(5, 2), agent6, words(1, 2, 3, 0))
	for _, c := range []struct {
		name  string
		in    []byte
		err   error
		agent []byte
		rest  int
	}{
		{"ipv4 agent", datagram(0), nil, agent4, 0},
		{"ipv6 agent", cat(whole6, []byte{1, 2}), nil, agent6, 2},
		{"empty", nil, ErrShortHeader, nil, 0},
		{"7 bytes", datagram(0)[:7], ErrShortHeader, nil, 0},
		{"27 bytes", datagram(0)[:27], ErrShortHeader, nil, 0},
		{"39 bytes", whole6[:39], ErrShortHeader, nil, 0},
		{"version 4", cat(words(4, 1), agent4, words(1, 2, 3, 0)), ErrVersion, nil, 0},
		{"netflow 5", cat(words(5<<16|1), make([]byte, 68)), ErrVersion, nil, 0},
		{"netflow 5, short", words(5<<16 | 1), ErrVersion, nil, 0},
		{"address not known", words(5, 0, 1, 2, 3, 0), nil, nil, 0},
		{"address not known, 23 bytes", words(5, 0, 1, 2, 3, 0)[:23], ErrShortHeader, nil, 0},
		{"address type 3", cat(words(5, 3), agent6, words(1, 2, 3, 0)), ErrAgentAddress, nil, 0},
	} {
		h, rest, err := ParseHeader(c.in)
		if !errors.Is(err, c.err) || !bytes.Equal(h.Agent, c.agent) || len(rest) != c.rest {
			t.Errorf("%s: agent %x, %d bytes behind, error %v", c.name, h.Agent, len(rest), err)
		}
		if err == nil && (h.SubAgentID != 1 || h.Sequence != 2 || h.UptimeMs != 3) {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}

// walk writes down what a walk meets, a line a sample.
func walk(b []byte) (lines []string) {
	h, rest, err := ParseHeader(b)
	if err != nil {
		return []string{err.Error()}
	}
	var s Samples
	s.Init(rest, h.SampleCount)
	for s.Next() {
		line := fmt.Sprint(s.Sample.Enterprise, ":", s.Sample.Format, " ", s.Sample.Kind)
		if s.Err() != ReasonNone {
			line += " " + s.Err().String()
		}
		line += " ["
		for s.Records.Next() {
			r := s.Records.Record
			line += fmt.Sprint(" ", r.Enterprise, ":", r.Format, "/", len(r.Data))
		}
		line += " ]"
		if s.Records.Err() != ReasonNone {
			line += " " + s.Records.Err().String()
		}
		lines = append(lines, line)
	}
	end := "end"
	if s.Err() != ReasonNone {
		end += fmt.Sprint(" ", s.Err().String(), " missing=", s.Missing(), " rest=", len(s.Rest()))
	}
	if s.Next() || s.Records.Next() {
		end += " and went on"
	}
	return append(lines, end)
}

func TestWalk(t *testing.T) {
	raw := rawHeader(make([]byte, 14))
	foreign := piece(4413<<12|7, make([]byte, 5))
	long := func(b []byte, at int) []byte { // the length field at a place is much too large
		b = slices.Clone(b)
		copy(b[at:], words(0xfffffff0))
		return b
	}
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"no samples", datagram(0), []string{"end"}},
		{"all kinds", datagram(5, flow(2, raw, switched()), counter(1, piece(1, make([]byte, 88))), flowExpanded(1, raw),
			piece(SampleCounterExpanded, cat(words(1, 0, 7, 1), piece(2, make([]byte, 52)))), drop(1, piece(FlowEgressQueue, words(42)))),
			[]string{"0:1 flow [ 0:1/32 0:1001/16 ]", "0:2 counter [ 0:1/88 ]", "0:3 flow [ 0:1/32 ]", "0:4 counter [ 0:2/52 ]", "0:5 drop [ 0:1036/4 ]", "end"}},
		{"unknown samples and records between", datagram(3, piece(77, make([]byte, 9)), flow(2, foreign, raw), piece(9<<12|1, flow(1, raw))),
			[]string{"0:77 unknown sample_unknown [ ]", "0:1 flow [ 4413:7/5 0:1/32 ]", "9:1 unknown sample_unknown [ ]", "end"}},
		{"more samples announced", datagram(3, flow(1, raw)),
			[]string{"0:1 flow [ 0:1/32 ]", "end sample_count missing=2 rest=0"}},
		{"all samples announced", datagram(0xffffffff, flow(0), flow(0)),
			[]string{"0:1 flow [ ]", "0:1 flow [ ]", "end sample_count missing=4294967293 rest=0"}},
		{"half a sample header", datagram(2, flow(0), make([]byte, 7)),
			[]string{"0:1 flow [ ]", "end sample_count missing=1 rest=7"}},
		{"trailing bytes", datagram(1, flow(0), make([]byte, 6)),
			[]string{"0:1 flow [ ]", "end trailing_bytes missing=0 rest=6"}},
		{"fewer samples announced", datagram(1, flow(0), flow(0)),
			[]string{"0:1 flow [ ]", "end sample_count missing=0 rest=40"}},
		{"fewer samples announced, then garbage", append(datagram(1, flow(0), flow(0)), 0, 0, 0, 9, 0, 0, 0, 0),
			[]string{"0:1 flow [ ]", "end sample_count missing=0 rest=48"}},
		{"sample cut in its second record", datagram(1, flow(2, raw, switched())[:90]),
			[]string{"0:1 flow sample_truncated [ 0:1/32 ] record_truncated", "end"}},
		{"sample cut between records", datagram(2, flow(2, raw, switched())[:80]),
			[]string{"0:1 flow sample_truncated [ 0:1/32 ] record_count", "end sample_count missing=1 rest=0"}},
		{"sample cut in its fixed part", datagram(1, flow(2, raw)[:39]),
			[]string{"0:1 flow sample_short [ ]", "end"}},
		{"unknown sample cut", datagram(1, piece(77, make([]byte, 9))[:12]),
			[]string{"0:77 unknown sample_truncated [ ]", "end"}},
		{"sample length", long(datagram(1, flow(1, raw)), 32),
			[]string{"0:1 flow sample_truncated [ 0:1/32 ]", "end"}},
		{"short bodies", datagram(5, piece(1, make([]byte, 31)), piece(2, make([]byte, 11)), piece(3, make([]byte, 43)), piece(4, make([]byte, 15)), piece(5, make([]byte, 31))),
			[]string{"0:1 flow sample_short [ ]", "0:2 counter sample_short [ ]", "0:3 flow sample_short [ ]", "0:4 counter sample_short [ ]", "0:5 drop sample_short [ ]", "end"}},
		{"empty samples", datagram(3, make([]byte, 8), piece(1, nil), flow(0)),
			[]string{"0:0 unknown sample_unknown [ ]", "0:1 flow sample_short [ ]", "0:1 flow [ ]", "end"}},
		{"more records announced", datagram(1, flowExpanded(0xffffffff, raw, switched())),
			[]string{"0:3 flow [ 0:1/32 0:1001/16 ] record_count", "end"}},
		{"fewer records announced", datagram(1, flow(1, raw, switched())),
			[]string{"0:1 flow [ 0:1/32 ] record_trailing", "end"}},
		{"record length costs one sample only", datagram(2, long(flow(2, switched(), raw), 40+24+4), flow(1, raw)),
			[]string{"0:1 flow [ 0:1001/16 ] record_truncated", "0:1 flow [ 0:1/32 ]", "end"}},
		{"empty records", datagram(1, flow(0xffffffff, make([]byte, 24))),
			[]string{"0:1 flow [ 0:0/0 0:0/0 0:0/0 ] record_count", "end"}},
		{"padding missing at the end", datagram(1, piece(SampleDrop, cat(words(1, 1, 1, 0, 1, 2, 262, 1), words(FlowFunction, 10, 6), []byte("foobar")))),
			[]string{"0:5 drop [ 0:1038/10 ]", "end"}},
		{"padding missing at the very end", datagram(1, words(SampleFlow, 32+8+5), words(1, 1, 1, 1, 1, 1, 1, 1), words(99, 5), make([]byte, 5)),
			[]string{"0:1 flow [ 0:99/5 ]", "end"}},
		{"netflow", cat(words(5<<16|30), make([]byte, 1464)), []string{"decode sflow: version"}},
		{"nothing", nil, []string{"decode sflow: short_header"}},
	} {
		if got := walk(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestSampleFields(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want Sample
	}{
		{flow(0), Sample{Format: 1, Kind: Flow, Sequence: 10, SourceClass: 2, SourceIndex: 1000, SamplingRate: 512,
			SamplePool: 5120, Drops: 1, Input: 5, Output: 6}},
		{piece(1, words(1, 0xff00000f, 2, 3, 4, 0x3fffffff, 0x80000003, 9)), Sample{Format: 1, Kind: Flow, Sequence: 1, SourceClass: 255,
			SourceIndex: 15, SamplingRate: 2, SamplePool: 3, Drops: 4, Input: 0x3fffffff, Output: 0x80000003, RecordCount: 9}},
		{flowExpanded(0), Sample{Format: 3, Kind: Flow, Expanded: true, Sequence: 10, SourceClass: 2, SourceIndex: 1000, SamplingRate: 512,
			SamplePool: 5120, Drops: 1, Input: 0x3fffffff, OutputFormat: 2, Output: 6}},
		{counter(0), Sample{Format: 2, Kind: Counter, Sequence: 11, SourceIndex: 7}},
		{piece(4, words(1, 2, 3, 4)), Sample{Format: 4, Kind: Counter, Expanded: true, Sequence: 1, SourceClass: 2, SourceIndex: 3, RecordCount: 4}},
		{drop(0), Sample{Format: 5, Kind: Drop, Sequence: 12, SourceClass: 1, SourceIndex: 256, Drops: 9, Input: 1, Output: 2, DropReason: 262}},
	} {
		var s Samples
		s.Init(c.in, 1)
		if !s.Next() {
			t.Errorf("no sample of format %d", c.want.Format)
			continue
		}
		if !bytes.Equal(s.Sample.Data, c.in[8:]) {
			t.Errorf("format %d: data %x", c.want.Format, s.Sample.Data)
		}
		s.Sample.Data = nil
		if !reflect.DeepEqual(s.Sample, c.want) {
			t.Errorf("\n got %+v\nwant %+v", s.Sample, c.want)
		}
	}
}

func TestReasonWords(t *testing.T) {
	seen := map[string]bool{}
	for r := ReasonNone; r < Reasons; r++ {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("reason %d has the word %q", r, r)
		}
		seen[r.String()] = true
	}
	if Reasons.String() != "unknown" || Unknown.String() != "unknown" {
		t.Error("an unknown reason or kind has a word")
	}
}
