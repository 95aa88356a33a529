package producer_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// messages returns what becomes of datagrams.
func messages(t *testing.T, format producer.Format, programs *producer.Programs, datagrams ...[]byte) string {
	t.Helper()
	cfg := producer.Config{Format: format, Programs: programs}
	if format != producer.FormatBin {
		cfg.Separator = []byte("\n")
	}
	p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	for _, a := range arrivals(datagrams...) {
		p.Datagram(batch, a.meta, a.data)
	}
	return string(batch.Buf)
}

// directions are flows with direction 0, 1 and none: of a template that is written
// from its bytes, and of one with a field of variable length.
func directions() [][]byte {
	return [][]byte{
		v9(set(0, tpl(256, 8, 4, 61, 1, 2, 4), tpl(257, 8, 4, 2, 4))),
		v9(set(256, u32(nil, 0x0a000001), []byte{0}, u32(nil, 5), u32(nil, 0x0a000001), []byte{1}, u32(nil, 6)), set(257, u32(nil, 0x0a000001, 7))),
		ipfix(set(2, tpl(258, 8, 4, 61, 1, 460, variable))),
		ipfix(set(258, u32(nil, 0x0a000001), []byte{0, 1, 'a'}, u32(nil, 0x0a000001), []byte{1, 0})),
	}
}

// TestZeroIsValue: a field of which zero is a value is written where the exporter has
// it, as 0 too, and nowhere else.
func TestZeroIsValue(t *testing.T) {
	want := []string{"0", "1", "", "0", "1"}
	r := bytes.NewReader([]byte(messages(t, producer.FormatBin, nil, directions()...)))
	for i := 0; r.Len() > 0; i++ {
		m := new(flowpb.FlowMessage)
		if err := protodelim.UnmarshalFrom(r, m); err != nil {
			t.Fatal(err)
		}
		got := ""
		if m.FlowDirection != nil {
			got = string(rune('0' + *m.FlowDirection))
		}
		if got != want[i] {
			t.Errorf("bin, message %d: direction %q, want %q", i, got, want[i])
		}
	}
	for i, line := range strings.Split(strings.TrimSpace(messages(t, producer.FormatJSON, nil, directions()...)), "\n") {
		if member := `"ipv6_routing_header_seg_left":0,"flow_direction":` + want[i] + "}"; want[i] != "" && !strings.HasSuffix(line, member) {
			t.Errorf("json, message %d: %s", i, line)
		} else if want[i] == "" && strings.Contains(line, "flow_direction") {
			t.Errorf("json, message %d has a direction: %s", i, line)
		}
	}
	for i, line := range strings.Split(strings.TrimSpace(messages(t, producer.FormatText, nil, directions()...)), "\n") {
		if _, got, found := strings.Cut(line, " flow_direction="); got != want[i] || found != (want[i] != "") {
			t.Errorf("text, message %d: %s", i, line)
		}
	}
}

// TestMappingWins: what a mapping added before weir had a field of the name or number
// stays as it was, and with Settings.Compat there are no fields but goflow2's.
func TestMappingWins(t *testing.T) {
	rules := []producer.ElementRule{{ID: 61, Destination: "flow_direction"}}
	other := []producer.ElementRule{{ID: 2, Destination: "count"}}
	for _, c := range []struct {
		name      string
		mapping   *producer.Mapping
		compat    bool
		json, bin string // of the second flow
		notes     int
	}{
		{"name and number", &producer.Mapping{Custom: []producer.Custom{{Name: "flow_direction", Number: 42, Type: producer.CustomVarint}}, NetFlowV9: rules},
			false, "", "\xd0\x02\x01", 1},
		{"name", &producer.Mapping{Fields: []string{"src_addr", "flow_direction"}, Custom: []producer.Custom{{Name: "flow_direction", Number: 2000, Type: producer.CustomVarint}}, NetFlowV9: rules},
			false, `{"src_addr":"10.0.0.1","flow_direction":1}`, "\x80\x7d\x01", 1},
		{"number", &producer.Mapping{Fields: []string{"src_addr", "count", "flow_direction"}, Custom: []producer.Custom{{Name: "count", Number: 42, Type: producer.CustomVarint}}, NetFlowV9: other},
			false, `{"src_addr":"10.0.0.1","count":6}`, "\xd0\x02\x06", 1},
		{"neither", &producer.Mapping{Fields: []string{"src_addr", "flow_direction"}}, false, `{"src_addr":"10.0.0.1","flow_direction":1}`, "\xd0\x02\x01", 0},
		{"compat", nil, true, "", "", 0},
	} {
		p, err := producer.NewProgram(c.mapping, producer.Settings{Compat: c.compat})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(p.Notes()); got != c.notes {
			t.Errorf("%s: %d notes, want %d", c.name, got, c.notes)
		}
		programs := producer.NewPrograms(p)
		line := strings.Split(messages(t, producer.FormatJSON, programs, directions()[:2]...), "\n")[1]
		if c.json == "" && strings.Contains(line, "direction") || c.json != "" && line != c.json {
			t.Errorf("%s: %s", c.name, line)
		}
		bin := messages(t, producer.FormatBin, programs, directions()[:2]...)
		if strings.Count(bin, "\xd0\x02")+strings.Count(bin, "\x80\x7d") != 2*min(1, len(c.bin))+boolInt(c.name == "number") || !strings.Contains(bin, c.bin) {
			t.Errorf("%s: %x", c.name, bin)
		}
	}
}

// boolInt is 1 for true: the flow without direction has a count too.
func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestUserName: a text of a record of sFlow, and of an element, is made UTF-8 without
// the zeros at its end.
func TestUserName(t *testing.T) {
	user := func(src, dst string) []byte {
		text := func(s string) []byte { return join(u32(nil, 106, uint32(len(s))), []byte(s), make([]byte, -len(s)&3)) }
		return tagged(1004, join(text(src), text(dst)))
	}
	datagrams := [][]byte{
		sflowDatagram(flowSample(rawHeader(tcpFrame), user("alice", "bob")), flowSample(user("", "b\xffb"), rawHeader(tcpFrame)), flowSample(rawHeader(tcpFrame), user("", ""))),
		v9(set(0, tpl(256, 8, 4, 371, 8, 2, 4)), set(256, u32(nil, 0x0a000001), []byte("eve\x00\x00\x00\x00\x00"), u32(nil, 5), u32(nil, 0x0a000001), make([]byte, 8), u32(nil, 6))),
	}
	want := []string{`"alice"`, "\"b\ufffdb\"", "", `"eve"`, ""}
	for i, line := range strings.Split(strings.TrimSpace(messages(t, producer.FormatJSON, nil, datagrams...)), "\n") {
		_, got, _ := strings.Cut(strings.TrimSuffix(line, "}"), `"user_name":`)
		if got != want[i] {
			t.Errorf("message %d: user %s, want %s", i, got, want[i])
		}
	}
	r := bytes.NewReader([]byte(messages(t, producer.FormatBin, nil, datagrams...)))
	for i := 0; r.Len() > 0; i++ {
		m := new(flowpb.FlowMessage)
		if err := protodelim.UnmarshalFrom(r, m); err != nil {
			t.Fatal(err)
		}
		if got := m.UserName; got != strings.Trim(want[i], `"`) {
			t.Errorf("message %d: user %q, want %s", i, got, want[i])
		}
	}
}
