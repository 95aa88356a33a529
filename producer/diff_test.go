package producer_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// arrival is one datagram with what is known about it.
type arrival struct {
	meta producer.Meta
	data []byte
}

// v4source is the exporter of tests that need but one.
var v4source = netip.MustParseAddrPort("192.0.2.7:2055")

const receivedNs = 1_700_000_000_123_456_789

func arrivals(datagrams ...[]byte) []arrival {
	var all []arrival
	for i, d := range datagrams {
		all = append(all, arrival{producer.Meta{Source: v4source, ReceivedNs: receivedNs + int64(i)}, d})
	}
	return all
}

// twin decodes the same datagrams in both formats and with the oracle, each
// with state of its own, and tells where they differ.
type twin struct {
	slow      *slow
	bin, json *producer.Producer
	binBatch  *producer.Batch
	jsonBatch *producer.Batch
}

func newTwin(rate uint64) *twin {
	make := func(format producer.Format, separator string) *producer.Producer {
		return producer.New(
			producer.Config{Format: format, Separator: []byte(separator), SamplingRate: rate, Discards: true},
			producer.NewStore(template.DefaultLimits()),
		)
	}
	return &twin{
		slow:      discarding(newSlow(rate)),
		bin:       make(producer.FormatBin, ""),
		json:      make(producer.FormatJSON, "\n"),
		binBatch:  producer.NewBatch(0, 64<<10),
		jsonBatch: producer.NewBatch(0, 64<<10),
	}
}

// discarding has the oracle make messages of discarded packets.
func discarding(s *slow) *slow {
	s.discards = true
	return s
}

// decode gives one datagram to all. It returns the oracle's flows.
func (w *twin) decode(a arrival) ([]*flowpb.FlowMessage, producer.Result, error) {
	w.binBatch.Reset()
	w.jsonBatch.Reset()
	before := w.bin.Counters
	kept := bytes.Clone(a.data)
	want := w.slow.datagram(a.meta, a.data)
	res := w.bin.Datagram(w.binBatch, a.meta, a.data)
	if r := w.json.Datagram(w.jsonBatch, a.meta, a.data); r != res {
		return want, res, fmt.Errorf("results differ by format: bin %+v, json %+v", res, r)
	}
	if !bytes.Equal(kept, a.data) {
		return want, res, fmt.Errorf("the datagram was written to")
	}
	if err := checkLedger(&before, &w.bin.Counters, res, w.binBatch); err != nil {
		return want, res, err
	}
	if len(w.jsonBatch.Ends) != len(w.binBatch.Ends) {
		return want, res, fmt.Errorf("%d messages as json, %d as bin", len(w.jsonBatch.Ends), len(w.binBatch.Ends))
	}
	if got := w.binBatch.Records(); got != len(want) {
		return want, res, fmt.Errorf("got %d records, want %d", got, len(want))
	}
	for i, m := range want {
		if err := checkBin(w.binBatch.Message(i), m); err != nil {
			return want, res, fmt.Errorf("record %d: %w", i, err)
		}
		if err := checkJSON(w.jsonBatch.Message(i), m); err != nil {
			return want, res, fmt.Errorf("record %d: %w", i, err)
		}
	}
	if got, want := w.bin.Counters.OptionsRecords, uint64(w.slow.options); got != want {
		return nil, res, fmt.Errorf("got %d options records, want %d", got, want)
	}
	if got, want := w.bin.Counters.SetsWithoutTemplate, uint64(w.slow.withoutTemplate); got != want {
		return nil, res, fmt.Errorf("got %d sets without template, want %d", got, want)
	}
	return want, res, nil
}

// checkBin compares a delimited message with the one that it should be.
func checkBin(got []byte, want *flowpb.FlowMessage) error {
	in := bytes.NewReader(got)
	m := new(flowpb.FlowMessage)
	if err := protodelim.UnmarshalFrom(in, m); err != nil {
		return fmt.Errorf("unmarshal: %w", err)
	}
	if in.Len() != 0 {
		return fmt.Errorf("%d bytes behind the message", in.Len())
	}
	if !proto.Equal(m, settled(want)) {
		return fmt.Errorf("messages differ:\n got %v\nwant %v", m, want)
	}
	var again bytes.Buffer
	options := protodelim.MarshalOptions{MarshalOptions: proto.MarshalOptions{Deterministic: true}}
	if _, err := options.MarshalTo(&again, want); err != nil {
		return fmt.Errorf("marshal: %w", err)
	}
	// The order of fields is the encoder's choice. Nothing else is: no field
	// twice, no default written, no length longer than it has to be.
	if again.Len() != len(got) {
		return fmt.Errorf("%d bytes where the library writes %d:\n got %x\nwant %x", len(got), again.Len(), got, again.Bytes())
	}
	return nil
}

// checkJSON compares a JSON line with what the message should look like.
func checkJSON(got []byte, want *flowpb.FlowMessage) error {
	line, ok := bytes.CutSuffix(got, []byte("\n"))
	if !ok || bytes.ContainsAny(line, "\n\t ") && !bytes.Contains(line, []byte(`"proto":"`)) {
		return fmt.Errorf("not one compact line: %q", got)
	}
	members, err := parseMembers(line)
	if err != nil {
		return fmt.Errorf("parse %q: %w", line, err)
	}
	wanted := slowJSON(want)
	for i := range wanted {
		if i >= len(members) {
			return fmt.Errorf("json ends before %q: %s", wanted[i].key, line)
		}
		if !reflect.DeepEqual(members[i], wanted[i]) {
			return fmt.Errorf("json member %d: got %#v, want %#v: %s", i, members[i], wanted[i], line)
		}
	}
	if len(members) > len(wanted) {
		return fmt.Errorf("json has %q too much", members[len(wanted)].key)
	}
	return nil
}

// checkLedger says whether one more datagram moved the counters as it should.
func checkLedger(before, after *producer.Counters, res producer.Result, batch *producer.Batch) error {
	received := producer.Sum(after.Datagrams[:])
	decoded, failed := producer.Sum(after.Decoded[:]), producer.Sum(after.Failed[:])
	if received != decoded+failed {
		return fmt.Errorf("received %d != decoded %d + failed %d", received, decoded, failed)
	}
	if received != producer.Sum(before.Datagrams[:])+1 {
		return fmt.Errorf("one datagram counted as %d", received-producer.Sum(before.Datagrams[:]))
	}
	records := producer.Sum(after.Records[:]) - producer.Sum(before.Records[:])
	if int(records) != len(batch.Ends) || res.Records != len(batch.Ends) {
		return fmt.Errorf("records: counted %d, result %d, batch %d", records, res.Records, len(batch.Ends))
	}
	end := uint32(0)
	for _, e := range batch.Ends {
		if e <= end {
			return fmt.Errorf("ends do not grow: %v", batch.Ends)
		}
		end = e
	}
	if int(end) != len(batch.Buf) {
		return fmt.Errorf("last end %d, buffer of %d", end, len(batch.Buf))
	}
	if res.Records > 0 && !res.Decoded {
		return fmt.Errorf("records of a datagram that failed: %+v", res)
	}
	if !res.Decoded && res.Reason == producer.ReasonNone {
		return fmt.Errorf("failed for no reason")
	}
	if after.Faults[producer.ReasonNone] != 0 {
		return fmt.Errorf("faults without reason")
	}
	return nil
}

// bothAgree decodes all and fails the test where fast and slow differ. It
// returns the flows of each datagram.
func bothAgree(t *testing.T, rate uint64, all []arrival) [][]*flowpb.FlowMessage {
	t.Helper()
	w := newTwin(rate)
	var flows [][]*flowpb.FlowMessage
	for i, a := range all {
		f, _, err := w.decode(a)
		if err != nil {
			t.Fatalf("datagram %d (%d bytes from %v): %v", i, len(a.data), a.meta.Source, err)
		}
		flows = append(flows, f)
	}
	return flows
}

// A sequence of datagrams as one slice of bytes, for the fuzzer: for each, a
// byte that names the exporter, the length in two bytes and the datagram.

// frame appends a datagram to a sequence.
func frame(seq []byte, exporter byte, datagram []byte) []byte {
	seq = append(seq, exporter)
	seq = binary.BigEndian.AppendUint16(seq, uint16(len(datagram)))
	return append(seq, datagram...)
}

// unframe cuts a sequence into datagrams. A length beyond the end means all
// that is left. Exporters have an address of IPv4 or IPv6, by the lowest bit of
// their byte, and one of two ports, by the highest.
func unframe(seq []byte) []arrival {
	var all []arrival
	for len(seq) >= 3 {
		exporter := seq[0]
		n := min(int(binary.BigEndian.Uint16(seq[1:])), len(seq)-3)
		addr := netip.AddrFrom4([4]byte{192, 0, 2, exporter & 0x7f})
		if exporter&1 != 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: exporter & 0x7f})
		}
		all = append(all, arrival{
			meta: producer.Meta{
				Source:     netip.AddrPortFrom(addr, 2055+uint16(exporter>>7)),
				ReceivedNs: receivedNs + int64(len(all)),
			},
			data: seq[3 : 3+n : 3+n],
		})
		seq = seq[3+n:]
	}
	return all
}
