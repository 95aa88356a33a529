package enrich_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/geo"
)

func rewriter(t testing.TB, rate uint64) *enrich.Rewriter {
	asn, country := databases(t)
	d, err := enrich.Open(enrich.Config{ASN: asn, Country: country})
	if err != nil {
		t.Fatal(err)
	}
	return enrich.NewRewriter(geo.NewCache(d.Source()), rate)
}

// cut takes the length off a message.
func cut(t testing.TB, b []byte) []byte {
	t.Helper()
	n, k := binary.Uvarint(b)
	if k <= 0 || n != uint64(len(b)-k) {
		t.Fatalf("length %d before %d bytes", n, len(b)-k)
	}
	return b[k:]
}

// count returns how often each field is in a message.
func count(t testing.TB, msg []byte) map[protowire.Number]int {
	t.Helper()
	fields := map[protowire.Number]int{}
	for len(msg) > 0 {
		number, kind, n := protowire.ConsumeTag(msg)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(number, kind, msg[n:])
		if m < 0 {
			t.Fatal(protowire.ParseError(m))
		}
		fields[number]++
		msg = msg[n+m:]
	}
	return fields
}

func TestAppend(t *testing.T) {
	known, unknown := []byte{192, 0, 2, 1}, []byte{203, 0, 113, 1}
	v6 := []byte{0x20, 1, 0xd, 0xb8, 15: 1}
	for _, c := range []struct {
		name     string
		in, want *flowpb.FlowMessage
		rate     uint64
		src, dst string
	}{
		{"nothing known", &flowpb.FlowMessage{SrcAddr: unknown, DstAddr: unknown, SrcAs: 1, DstAs: 2},
			&flowpb.FlowMessage{SrcAddr: unknown, DstAddr: unknown, SrcAs: 1, DstAs: 2}, 0, "", ""},
		{"no addresses", &flowpb.FlowMessage{Bytes: 1 << 40}, &flowpb.FlowMessage{Bytes: 1 << 40}, 0, "", ""},
		{"source", &flowpb.FlowMessage{SrcAddr: known, DstAddr: unknown, SrcAs: 1, DstAs: 2, Bytes: 7},
			&flowpb.FlowMessage{SrcAddr: known, DstAddr: unknown, SrcAs: 64500, DstAs: 2, Bytes: 7}, 0, "DE", ""},
		{"both", &flowpb.FlowMessage{SrcAddr: v6, DstAddr: known, TimeFlowEndNs: 5},
			&flowpb.FlowMessage{SrcAddr: v6, DstAddr: known, SrcAs: 64503, DstAs: 64500, TimeFlowEndNs: 5}, 0, "JP", "DE"},
		{"rate", &flowpb.FlowMessage{SamplingRate: 10, AsPath: []uint32{1, 2, 3}},
			&flowpb.FlowMessage{SamplingRate: 4096, AsPath: []uint32{1, 2, 3}}, 4096, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rewriter(t, c.rate)
			msg, err := proto.Marshal(c.in)
			if err != nil {
				t.Fatal(err)
			}
			// What is there before is replaced, wherever it stands.
			msg = append(protowire.AppendString(protowire.AppendTag(nil, 1001, protowire.BytesType), "old"), msg...)
			// What is not known here stays.
			msg = protowire.AppendFixed32(protowire.AppendTag(msg, 2000, protowire.Fixed32Type), 77)
			msg = protowire.AppendFixed64(protowire.AppendTag(msg, 2001, protowire.Fixed64Type), 78)
			out, err := r.Append([]byte("before"), msg)
			if err != nil {
				t.Fatal(err)
			}
			out = cut(t, bytes.TrimPrefix(out, []byte("before")))
			for number, n := range count(t, out) {
				if n != 1 {
					t.Errorf("field %d is there %d times", number, n)
				}
			}
			var got flowpb.FlowMessage
			if err := proto.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			dst := c.dst
			if dst == "" {
				dst = "old"
			}
			unknownFields := protowire.AppendFixed32(protowire.AppendTag(nil, 2000, protowire.Fixed32Type), 77)
			unknownFields = protowire.AppendFixed64(protowire.AppendTag(unknownFields, 2001, protowire.Fixed64Type), 78)
			if c.dst == "" {
				unknownFields = append(protowire.AppendString(protowire.AppendTag(nil, 1001, protowire.BytesType), dst), unknownFields...)
			}
			if c.src != "" {
				unknownFields = protowire.AppendString(protowire.AppendTag(unknownFields, 1000, protowire.BytesType), c.src)
			}
			if c.dst != "" {
				unknownFields = protowire.AppendString(protowire.AppendTag(unknownFields, 1001, protowire.BytesType), c.dst)
			}
			if !bytes.Equal(got.ProtoReflect().GetUnknown(), unknownFields) {
				t.Errorf("unknown fields %x, want %x", got.ProtoReflect().GetUnknown(), unknownFields)
			}
			got.ProtoReflect().SetUnknown(nil)
			if !proto.Equal(&got, c.want) {
				t.Errorf("got %v, want %v", &got, c.want)
			}
		})
	}
}

func TestAppendRefusesGarbage(t *testing.T) {
	r := rewriter(t, 1)
	many := bytes.Repeat([]byte{14 << 3, 1}, 1000)
	for name, msg := range map[string][]byte{
		"cut varint": {4 << 3, 0x80}, "varint of 65 bits": append(append([]byte{4 << 3}, bytes.Repeat([]byte{0x80}, 9)...), 2), "endless varint": append([]byte{4 << 3}, bytes.Repeat([]byte{0x80}, 20)...),
		"long bytes": {6<<3 | 2, 200, 1}, "huge length": {6<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"group": {1<<3 | 3}, "field 1<<29": {0x80, 0x80, 0x80, 0x80, 0x10, 1}, "field 0": {0, 1}, "cut fixed": {1<<3 | 5, 1, 2}, "cut tag": {0x80}, "too many": many,
	} {
		if out, err := r.Append([]byte{1, 2}, msg); err == nil || !bytes.Equal(out, []byte{1, 2}) {
			t.Errorf("%s: %v, %x", name, err, out)
		}
	}
}

func FuzzAppend(f *testing.F) {
	r := rewriter(f, 3)
	msg, _ := proto.Marshal(&flowpb.FlowMessage{SrcAddr: []byte{192, 0, 2, 1}, DstAddr: []byte{192, 0, 3, 1}, SrcAs: 9, LayerSize: []uint32{1, 2}})
	f.Add(msg)
	f.Add([]byte{6<<3 | 2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, msg []byte) {
		out, err := r.Append(nil, msg)
		if err != nil {
			return
		}
		out = cut(t, out)
		// What was a message for the library is one afterwards.
		if proto.Unmarshal(msg, &flowpb.FlowMessage{}) == nil {
			if err := proto.Unmarshal(out, &flowpb.FlowMessage{}); err != nil {
				t.Errorf("%x became %x: %v", msg, out, err)
			}
		}
		again, err := r.Append(nil, out)
		if err != nil {
			// A message that had nearly too many fields of interest has too many now.
			const most = 16
			fields, n := count(t, out), 0
			for _, number := range []protowire.Number{3, 14, 15, 1000, 1001} {
				n += fields[number]
			}
			if n <= most {
				t.Errorf("%x is refused the second time: %v", out, err)
			}
			return
		}
		if !bytes.Equal(cut(t, again), out) {
			t.Errorf("%x became %x the second time", out, again)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := rewriter(b, 0)
	msg, _ := proto.Marshal(&flowpb.FlowMessage{
		Type: 3, SequenceNum: 1000, SamplingRate: 1000, SamplerAddress: []byte{192, 0, 2, 9},
		SrcAddr: []byte{192, 0, 2, 1}, DstAddr: []byte{198, 51, 100, 1}, Bytes: 12345, Packets: 12, SrcAs: 64512, DstAs: 64513,
		InIf: 100, OutIf: 200, Proto: 6, SrcPort: 443, DstPort: 54321, TcpFlags: 0x1b, Etype: 0x800, SrcNet: 24, DstNet: 24,
		TimeReceivedNs: 1790000000000000000, TimeFlowStartNs: 1790000000000000000, TimeFlowEndNs: 1790000000000000000,
	})
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = r.Append(buf[:0], msg)
	}
}
