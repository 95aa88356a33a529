package producer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	ie "github.com/weirflow/weir/decoders/elements"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// rawOf returns the messages of datagrams under -produce raw.
func rawOf(t testing.TB, compat bool, datagrams ...[]byte) (messages []string) {
	t.Helper()
	program, err := producer.NewProgram(&producer.Mapping{}, producer.Settings{Compat: compat})
	if err != nil {
		t.Fatal(err)
	}
	p := producer.New(producer.Config{Raw: true, Programs: producer.NewPrograms(program)}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<20)
	for _, d := range datagrams {
		p.Datagram(batch, producer.Meta{Source: v4source}, d)
	}
	at := 0
	for _, end := range batch.Ends {
		messages = append(messages, string(batch.Buf[at:end]))
		at = int(end)
		if last := messages[len(messages)-1]; !json.Valid([]byte(last)) {
			t.Fatalf("not JSON: %s", last)
		}
	}
	return messages
}

// enterpriseField is a field specifier of IPFIX with an enterprise number.
func enterpriseField(pen uint32, id, length uint16) []byte {
	return u32(u16(nil, 0x8000|id, length), pen)
}

// rawField has one field of an element in a message, and returns what is in its
// braces after the enterprise number.
func rawField(t testing.TB, compat bool, pen uint32, id uint16, value []byte) string {
	t.Helper()
	spec := u16(nil, id, variable)
	if pen != 0 {
		spec = enterpriseField(pen, id, variable)
	}
	all := rawOf(t, compat, ipfix(set(2, u16(nil, 256, 1), spec)), ipfix(set(256, varField(value))))
	_, rest, ok := strings.Cut(all[1], `"values":[{`)
	_, rest, found := strings.Cut(rest, fmt.Sprintf(`"type":%d,"pen":%d,`, id, pen))
	at := strings.LastIndex(rest, `}]}]}]},"src"`)
	if !ok || !found || at < 0 {
		t.Fatalf("no value in %s", all[1])
	}
	return rest[:at]
}

func TestRawValues(t *testing.T) {
	f32 := u32(nil, math.Float32bits(1.5))
	f64 := u64(nil, math.Float64bits(-2.25e100))
	ntp := func(secs, fraction uint32) []byte { return u32(nil, secs, fraction) }
	for _, c := range []struct {
		name  string
		pen   uint32
		id    uint16
		value []byte
		want  string
	}{
		{"counter", 0, 1, u64(nil, 1<<63), `"name":"octetDeltaCount","value":9223372036854775808`},
		{"reduced counter", 0, 1, []byte{1, 2, 3}, `"name":"octetDeltaCount","value":66051`},
		{"protocol", 0, 4, []byte{6}, `"name":"protocolIdentifier","value":6`},
		{"address", 0, 8, []byte{192, 0, 2, 1}, `"name":"sourceIPv4Address","value":"192.0.2.1"`},
		{"address of 6", 0, 27, join([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 11), []byte{1}), `"name":"sourceIPv6Address","value":"2001:db8::1"`},
		{"address of 5 bytes", 0, 8, []byte{192, 0, 2, 1, 0}, `"name":"sourceIPv4Address","base64":true,"value":"wAACAQA="`},
		{"mac", 0, 56, []byte{2, 0, 0, 0, 0, 10}, `"name":"sourceMacAddress","value":"02:00:00:00:00:0a"`},
		{"mac of 8 bytes", 0, 56, make([]byte, 8), `"name":"sourceMacAddress","base64":true,"value":"AAAAAAAAAAA="`},
		{"string", 0, 82, []byte("eth\"0\"\x00\x00"), `"name":"interfaceName","value":"eth\"0\""`},
		{"empty string", 0, 82, nil, `"name":"interfaceName","value":""`},
		{"wrong string", 0, 82, []byte{0xff, 'a'}, `"name":"interfaceName","value":"\ufffda"`},
		{"true", 0, 276, []byte{1}, `"name":"dataRecordsReliability","value":true`},
		{"false", 0, 276, []byte{2}, `"name":"dataRecordsReliability","value":false`},
		{"neither", 0, 276, []byte{0}, `"name":"dataRecordsReliability","value":0`},
		{"float", 0, 320, f32, `"name":"absoluteError","value":1.5`},
		{"double", 0, 320, f64, `"name":"absoluteError","value":-2.25e+100`},
		{"not a number", 0, 320, u64(nil, math.Float64bits(math.NaN())), `"name":"absoluteError","value":"NaN"`},
		{"float of 3 bytes", 0, 320, f32[:3], `"name":"absoluteError","base64":true,"value":"P8AA"`},
		{"seconds", 0, 150, u32(nil, 1_700_000_000), `"name":"flowStartSeconds","value":"2023-11-14T22:13:20Z"`},
		{"milliseconds", 0, 152, u64(nil, 1_700_000_000_123), `"name":"flowStartMilliseconds","value":"2023-11-14T22:13:20.123Z"`},
		{"milliseconds of 6 bytes", 0, 152, u64(nil, 1_700_000_000_123)[2:], `"name":"flowStartMilliseconds","value":"2023-11-14T22:13:20.123Z"`},
		{"milliseconds of the far future", 0, 152, u64(nil, 1<<62), `"name":"flowStartMilliseconds","value":4611686018427387904`},
		{"microseconds", 0, 154, ntp(1_700_000_000+2208988800, 1<<31), `"name":"flowStartMicroseconds","value":"2023-11-14T22:13:20.5Z"`},
		{"microseconds, whole", 0, 154, ntp(1_700_000_000+2208988800, 0xffffffff), `"name":"flowStartMicroseconds","value":"2023-11-14T22:13:21Z"`},
		{"nanoseconds", 0, 156, ntp(1_700_000_000+2208988800, 1<<30), `"name":"flowStartNanoseconds","value":"2023-11-14T22:13:20.25Z"`},
		{"nanoseconds after 2036", 0, 156, ntp(1<<20, 0), `"name":"flowStartNanoseconds","value":"2036-02-19T09:44:32Z"`},
		{"no time", 0, 156, make([]byte, 8), `"name":"flowStartNanoseconds","value":null`},
		{"nanoseconds of 4 bytes", 0, 156, u32(nil, 1), `"name":"flowStartNanoseconds","base64":true,"value":"AAAAAQ=="`},
		{"time of 16 bytes", 0, 152, make([]byte, 16), `"name":"flowStartMilliseconds","base64":true,"value":"AAAAAAAAAAAAAAAAAAAAAA=="`},
		{"signed", 0, 434, []byte{0xff, 0xfe}, `"name":"mibObjectValueInteger","value":-2`},
		{"bytes", 0, 104, []byte{1, 2}, `"name":"layer2packetSectionData","value":"AQI="`},
		{"256 bits", 0, 515, join([]byte{0x80}, make([]byte, 31)), `"name":"ipv6ExtensionHeadersFull","value":"0x80` + strings.Repeat("0", 62) + `"`},
		{"fewer bits", 0, 515, []byte{1, 0}, `"name":"ipv6ExtensionHeadersFull","value":256`},
		{"number without bytes", 0, 4, nil, `"name":"protocolIdentifier","base64":true,"value":""`},
		{"number of 9 bytes", 0, 1, make([]byte, 9), `"name":"octetDeltaCount","base64":true,"value":"AAAAAAAAAAAA"`},
		{"enterprise", 9, 12235, []byte("host"), `"name":"applicationHTTPHost","value":"host"`},
		{"reverse", 29305, 2, []byte{7}, `"name":"reversePacketDeltaCount","value":7`},
		{"unknown", 4242, 1, []byte{1, 2}, `"value":"AQI="`},
		{"basic list", 0, 291, u16([]byte{3}, 7, 2, 80, 443), `"name":"basicList","value":{"semantic":"allOf","pen-provided":false,"type":7,"pen":0,"name":"sourceTransportPort","values":[80,443]}`},
		{"list of an enterprise", 0, 291, join([]byte{4}, enterpriseField(9, 12235, variable), []byte("\x02ab\x00")), `"name":"basicList","value":{"semantic":"ordered","pen-provided":true,"type":12235,"pen":9,"name":"applicationHTTPHost","values":["ab",""]}`},
		{"list of the unknown", 0, 291, u16([]byte{9}, 97, 1, 0x0102), `"name":"basicList","value":{"semantic":"9","pen-provided":false,"type":97,"pen":0,"values":["AQ==","Ag=="]}`},
		{"list of misfits", 0, 291, append(u16([]byte{255}, 8, 3), 1, 2, 3), `"name":"basicList","value":{"semantic":"undefined","pen-provided":false,"type":8,"pen":0,"name":"sourceIPv4Address","values":["AQID"]}`},
		{"list of nothing", 0, 291, u16([]byte{3}, 7, 0, 80), `"name":"basicList","value":{"semantic":"allOf","pen-provided":false,"type":7,"pen":0,"name":"sourceTransportPort","values":[]}`},
		{"list that is cut", 0, 291, u16([]byte{3}, 7, 4, 80), `"name":"basicList","base64":true,"value":"AwAHAAQAUA=="`},
		{"list of a template", 0, 292, join(u16([]byte{3}, 256), varField([]byte{3, 1, 0}), varField(nil)), `"name":"subTemplateList","value":{"semantic":"allOf","template-id":256,"records":[` +
			`{"values":[{"pen-provided":false,"type":292,"pen":0,"name":"subTemplateList","value":{"semantic":"allOf","template-id":256,"records":[]}}]},` +
			`{"values":[{"pen-provided":false,"type":292,"pen":0,"name":"subTemplateList","base64":true,"value":""}]}]}`},
		{"list of an unknown template", 0, 292, u16([]byte{0}, 300, 1), `"name":"subTemplateList","value":{"semantic":"noneOf","template-id":300,"records":"AAE="}`},
		{"lists of templates", 0, 293, join([]byte{4}, u16(nil, 300, 5), []byte{9}, u16(nil, 301, 4)), `"name":"subTemplateMultiList","value":{"semantic":"ordered","entries":[{"template-id":300,"records":"CQ=="},{"template-id":301,"records":""}]}`},
		{"lists of templates that are cut", 0, 293, u16([]byte{4}, 300, 50), `"name":"subTemplateMultiList","base64":true,"value":"BAEsADI="`},
	} {
		got := rawField(t, false, c.pen, c.id, c.value)
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if compat := rawField(t, true, c.pen, c.id, c.value); !strings.HasPrefix(compat, `"value":"`) || strings.Contains(compat, ",") {
			t.Errorf("%s under -compat goflow2: %s", c.name, compat)
		}
	}
}

// TestRawNetFlow9 checks names of NetFlow version 9's own: scopes, and numbers
// above 32767.
func TestRawNetFlow9(t *testing.T) {
	options := u16(nil, 257, 4, 8, 2, 4, 82, 4, 33002, 2)
	all := rawOf(t, false, v9(set(1, options)), v9(set(257, join(u32(nil, 5), []byte("ge-0"), u16(nil, 1001)), []byte{0, 0})))
	for _, want := range []string{
		`"scope-values":[{"pen-provided":false,"type":2,"pen":0,"name":"interface","value":5}]`,
		`{"pen-provided":false,"type":82,"pen":0,"name":"interfaceName","value":"ge-0"}`,
		`{"pen-provided":false,"type":33002,"pen":0,"name":"fwExtEvent","value":1001}`,
	} {
		if !strings.Contains(all[1], want) {
			t.Errorf("no %s in %s", want, all[1])
		}
	}
}

// TestRawDepth checks that lists in lists end at a depth, and what hostile ones
// cost.
func TestRawDepth(t *testing.T) {
	got := rawField(t, false, 0, 291, nestedLists(1000, 0))
	if n := strings.Count(got, `"semantic"`); n != 8 || len(got) > 20_000 {
		t.Errorf("%d lists, %d bytes", n, len(got))
	}
	for name, v := range map[string][]byte{
		"bytes":     append(u16([]byte{3}, 4, 1), make([]byte, 60_000)...),
		"empty":     append(u16([]byte{3}, 82, variable), make([]byte, 60_000)...),
		"addresses": append(u16([]byte{3}, 27, 16), make([]byte, 60_000-60_000%16)...),
		"records":   append(u16([]byte{3}, 256), make([]byte, 60_000)...),
	} {
		id := uint16(291)
		if name == "records" {
			id = 292
		}
		if got := rawField(t, false, 0, id, v); len(got) > 170*len(v) {
			t.Errorf("%s: %d bytes of %d", name, len(got), len(v))
		}
	}
}

func FuzzRawValue(f *testing.F) {
	for _, id := range []uint16{1, 8, 27, 56, 82, 150, 152, 154, 156, 276, 291, 292, 293, 320, 434, 515} {
		f.Add(id, uint32(0), u16([]byte{3}, 7, 2, 80))
		f.Add(id, uint32(0), nestedLists(3, 1))
	}
	f.Fuzz(func(t *testing.T, id uint16, pen uint32, v []byte) {
		if len(v) > 30_000 || id&0x7fff == 0 {
			return
		}
		got := rawField(t, false, pen, id&0x7fff, v) // checks that it is JSON
		e, known := ie.Lookup(pen, id&0x7fff)
		if known != strings.Contains(got, fmt.Sprintf(`"name":%q`, e.Name)) && known {
			t.Errorf("%d/%d: %s", pen, id, got)
		}
		if len(got) > 300+170*len(v) {
			t.Errorf("%d bytes of %d", len(got), len(v))
		}
	})
}

// TestRawMessages: a datagram with several messages becomes as many objects, and sets of
// templates with the ids of version 9 under version 10 are read.
func TestRawMessages(t *testing.T) {
	record := []byte{10, 0, 0, 1}
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"ipfix":       {join(ipfix(set(2, tpl(256, 8, 4))), ipfix(set(256, record))), []string{`"template-id":256`, `"value":"10.0.0.1"`}},
		"v9":          {join(v9(set(0, tpl(256, 8, 4))), v9(set(256, record))), []string{`"template-id":256`, `"value":"10.0.0.1"`}},
		"sets of v9":  {ipfix(set(0, tpl(256, 8, 4)), set(256, record)), []string{`"value":"10.0.0.1"`}},
		"no message":  {join(ipfix(set(2, tpl(256, 8, 4))), []byte{1, 2, 3}), []string{`"template-id":256`}},
		"for goflow2": {join(ipfix(set(2, tpl(256, 8, 4))), ipfix(set(256, record))), []string{`"template-id":256`}},
	} {
		p := producer.New(producer.Config{Raw: true, Programs: program(t, nil, producer.Settings{Compat: name == "for goflow2"})},
			producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 64<<10)
		for _, a := range arrivals(c.data) {
			p.Datagram(batch, a.meta, a.data)
		}
		if batch.Records() != len(c.want) {
			t.Errorf("%s: %d messages, want %d", name, batch.Records(), len(c.want))
			continue
		}
		for i, want := range c.want {
			if message := batch.Message(i); !json.Valid(message) || !strings.Contains(string(message), want) {
				t.Errorf("%s: no %s in message %d: %s", name, want, i, message)
			}
		}
	}
}
