package enrich_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// synthetic returns messages of all protocols as weir writes them.
func synthetic(t testing.TB, format producer.Format, separator string) *producer.Batch {
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := producer.New(producer.Config{Format: format, Separator: []byte(separator)}, producer.NewStore(template.DefaultLimits()))
	b := producer.NewBatch(0, 1<<20)
	for i, d := range g.Take(400) {
		_ = i
		p.Datagram(b, producer.Meta{ReceivedNs: 1_790_000_000_000_000_000}, d.Payload)
	}
	if b.Records() < 1000 {
		t.Fatalf("%d records only", b.Records())
	}
	return b
}

// run splits and transforms a stream in pieces of at most size bytes.
func run(t testing.TB, stream []byte, size int, output enrich.Output, separator string) (*producer.Batch, *enrich.Splitter) {
	tr := enrich.NewTransformer(rewriter(t, 0), output, separator)
	s := &enrich.Splitter{}
	b := producer.NewBatch(0, 1<<20)
	var have []byte
	for {
		n := min(size, len(stream))
		have = append(have, stream[:n]...)
		stream = stream[n:]
		for {
			msg, n, err := s.Next(have, len(stream) == 0)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			if len(msg) > 0 {
				tr.Append(b, s.Encoding, msg)
			}
			have = have[n:]
		}
		if len(stream) == 0 {
			break
		}
	}
	if len(have) != 0 {
		t.Fatalf("%d bytes left", len(have))
	}
	if tr.Counts.Malformed != 0 || tr.Counts.Messages != uint64(b.Records()) {
		t.Fatalf("%+v, %d written", tr.Counts, b.Records())
	}
	return b, s
}

// flowsOf reads messages with the library.
func flowsOf(t testing.TB, b *producer.Batch) []*flowpb.FlowMessage {
	t.Helper()
	var all []*flowpb.FlowMessage
	for r := bytes.NewReader(b.Buf); r.Len() > 0; {
		m := &flowpb.FlowMessage{}
		if err := protodelim.UnmarshalFrom(r, m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// TestWaysAgree has one stream go every way, and compares what comes out.
func TestWaysAgree(t *testing.T) {
	bin, text := synthetic(t, producer.FormatBin, ""), synthetic(t, producer.FormatJSON, "\n")
	separated := synthetic(t, producer.FormatBin, "\n")

	toBin, s := run(t, bin.Buf, 1000, enrich.OutputBin, "")
	if s.Encoding != enrich.Bin || s.Separated {
		t.Errorf("stream taken for %v, separated %v", s.Encoding, s.Separated)
	}
	again, s := run(t, separated.Buf, 777, enrich.OutputBin, "")
	if s.Encoding != enrich.Bin || !s.Separated {
		t.Errorf("stream with line ends taken for %v, separated %v", s.Encoding, s.Separated)
	}
	if !bytes.Equal(toBin.Buf, again.Buf) {
		t.Error("line ends between the messages make a difference")
	}
	want := flowsOf(t, toBin)
	plain := flowsOf(t, bin)
	countries := 0
	for i, m := range want {
		if n := len(m.ProtoReflect().GetUnknown()); n > 0 {
			countries++
		}
		m.ProtoReflect().SetUnknown(nil)
		plain[i].SrcAs, plain[i].DstAs = m.SrcAs, m.DstAs
		if !proto.Equal(m, plain[i]) {
			t.Fatalf("message %d: %v was %v", i, m, plain[i])
		}
	}
	t.Logf("%d of %d messages got a country", countries, len(want))

	// Protobuf to JSON is JSON to JSON, but for members that the first puts in
	// a place of their own.
	binToJSON, _ := run(t, bin.Buf, 4096, enrich.OutputJSON, "\n")
	jsonToJSON, s := run(t, text.Buf, 512, enrich.OutputJSON, "\n")
	if s.Encoding != enrich.JSON {
		t.Errorf("JSON taken for %v", s.Encoding)
	}
	if !bytes.Equal(binToJSON.Buf, jsonToJSON.Buf) {
		for i := range binToJSON.Records() {
			if a, b := binToJSON.Message(i), jsonToJSON.Message(i); !bytes.Equal(a, b) {
				t.Fatalf("message %d:\nfrom protobuf %sfrom JSON     %s", i, a, b)
			}
		}
	}
	for i := range binToJSON.Records() {
		var v map[string]any
		if err := json.Unmarshal(binToJSON.Message(i), &v); err != nil {
			t.Fatal(err)
		}
	}
	// Text has the same values.
	toText, _ := run(t, bin.Buf, 4096, enrich.OutputText, "\n")
	var first map[string]any
	if err := json.Unmarshal(binToJSON.Message(0), &first); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"src_addr", "src_country", "dst_country", "type"} {
		if want := fmt.Sprintf("%s=%v", key, first[key]); !strings.Contains(string(toText.Message(0)), want) {
			t.Errorf("%s is not in %s", want, toText.Message(0))
		}
	}
	// JSON to protobuf: all but EtherTypes without a name and values that have
	// no name either.
	jsonToBin, _ := run(t, text.Buf, 4096, enrich.OutputBin, "")
	for i, got := range flowsOf(t, jsonToBin) {
		got.ProtoReflect().SetUnknown(nil)
		w := want[i]
		if got.Etype == 0 {
			got.Etype = w.Etype
		}
		if got.Proto == 0 {
			got.Proto = w.Proto
		}
		if len(w.SrcAddr) == 0 {
			got.SrcNet, got.DstNet = w.SrcNet, w.DstNet
		}
		for j := range got.LayerStack {
			if w.LayerStack[j] > 13 {
				got.LayerStack[j] = w.LayerStack[j]
			}
		}
		if w.SrcNet > 32 && len(w.SrcAddr) == 4 || w.DstNet > 32 && len(w.DstAddr) == 4 {
			got.SrcNet, got.DstNet = w.SrcNet, w.DstNet
		}
		if !proto.Equal(got, w) {
			t.Fatalf("message %d from JSON: %v\nwant %v", i, got, w)
		}
	}
}

func TestJSONKeepsTheRest(t *testing.T) {
	for in, want := range map[string]string{
		`{"src_addr":"192.0.2.1","src_as":1,"x":{"src_as":[1,"}"]},"y":"a\"b"}`: `{"src_addr":"192.0.2.1","src_as":64500,"x":{"src_as":[1,"}"]},"y":"a\"b","src_country":"DE","dst_country":""}`,
		`{ "dst_addr" : "192.0.2.1" , "dst_country":"old" }`:                    `{ "dst_addr" : "192.0.2.1" , "dst_country":"DE" ,"dst_as":64500,"src_country":""}`,
		`{"src_addr":"203.0.113.1","src_as":7,"src_country":"NZ"}`:              `{"src_addr":"203.0.113.1","src_as":7,"src_country":"NZ","dst_country":""}`,
		`{}`: `{"src_country":"","dst_country":""}`,
	} {
		b, _ := run(t, []byte(in+"\n"), 10, enrich.OutputJSON, "")
		if got := string(b.Buf); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, want)
		}
		if !json.Valid(b.Buf) {
			t.Errorf("%s is not JSON", b.Buf)
		}
	}
	tr := enrich.NewTransformer(rewriter(t, 0), enrich.OutputJSON, "")
	b := producer.NewBatch(0, 1000)
	bad := []string{`{`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `[]`, `x`, `{"a":1}x`, `{"a":"b`, `{"a":[1}`, `"`}
	for _, text := range bad {
		tr.Append(b, enrich.JSON, []byte(text))
	}
	if b.Records() != 0 || len(b.Buf) != 0 || tr.Counts.Malformed != uint64(len(bad)) {
		t.Errorf("%d of %d bad objects are malformed; wrote %q", tr.Counts.Malformed, len(bad), b.Buf)
	}
}

func TestBrokenStreams(t *testing.T) {
	good := synthetic(t, producer.FormatBin, "").Message(0)
	for name, c := range map[string]struct {
		stream string
		want   error
		first  bool // the first message is there
	}{
		"zeros":           {strings.Repeat("\x00", 100), enrich.ErrLength, false},
		"huge length":     {"\xff\xff\xff\x7f", enrich.ErrLength, false},
		"endless length":  {strings.Repeat("\xff", 20), enrich.ErrLength, false},
		"torn":            {string(good) + string(good[:len(good)-1]), enrich.ErrTorn, true},
		"torn length":     {string(good) + "\x80", enrich.ErrTorn, true},
		"zeros behind it": {string(good) + "\x00\x00\x00\x00", enrich.ErrLength, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &enrich.Splitter{}
			data, messages := []byte(c.stream), 0
			for {
				msg, n, err := s.Next(data, true)
				if err != nil {
					if !errors.Is(err, c.want) {
						t.Errorf("got %v, want %v", err, c.want)
					}
					break
				}
				if n == 0 {
					t.Fatal("no error")
				}
				if len(msg) > 0 {
					messages++
				}
				data = data[n:]
			}
			if (messages > 0) != c.first {
				t.Errorf("%d messages before the fault", messages)
			}
		})
	}
}

func TestTransformDoesNotAllocate(t *testing.T) {
	in := synthetic(t, producer.FormatBin, "")
	for _, output := range []enrich.Output{enrich.OutputBin, enrich.OutputJSON, enrich.OutputText} {
		tr := enrich.NewTransformer(rewriter(t, 0), output, "\n")
		b := producer.NewBatch(0, 4<<20)
		i := 0
		one := func() {
			msg := in.Message(i % in.Records())
			_, n := protowire.ConsumeVarint(msg)
			tr.Append(b, enrich.Bin, msg[n:])
			if i++; i%100 == 0 {
				b.Buf, b.Ends = b.Buf[:0], b.Ends[:0]
			}
		}
		for range in.Records() {
			one()
		}
		if n := testing.AllocsPerRun(2000, one); n != 0 {
			t.Errorf("output %d: %v allocations a message", output, n)
		}
	}
}
