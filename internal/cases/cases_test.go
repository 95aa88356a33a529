package cases

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// different are the cases whose flows are known to differ.
var different = []string{}

// TestValues compares the flows of the cases in testdata with those that are right, in
// both forms of messages. Files whose names end in -compat have those of -compat goflow2,
// those in -named those of a mapping that names all fields.
func TestValues(t *testing.T) {
	known := map[string]bool{}
	for _, name := range different {
		known[name] = true
	}
	count := 0
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		all, err := Read(f)
		if f.Close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		count += len(all)
		for _, c := range all {
			lines := c.check(t, programOf(t, name))
			switch {
			case known[c.Name] && lines == nil:
				t.Errorf("%s: listed as different, and is not", c.Name)
			case !known[c.Name] && lines != nil:
				t.Errorf("%s: %s: %s", name, c.Name, strings.Join(lines, "; "))
			}
			delete(known, c.Name)
		}
	}
	if count < 80 {
		t.Errorf("%d cases", count)
	}
	for name := range known {
		t.Errorf("%s: listed as different, but no case", name)
	}
}

// programOf compiles the mapping that the cases of a file are of.
func programOf(t *testing.T, file string) *producer.Program {
	t.Helper()
	var m *producer.Mapping
	if strings.HasSuffix(file, "-named.txt") {
		m = &producer.Mapping{Fields: producer.FieldNames()}
	}
	program, err := producer.NewProgram(m, producer.Settings{Compat: strings.HasSuffix(file, "-compat.txt")})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// check decodes the datagrams of a case and returns what differs from its flows.
func (c *Case) check(t *testing.T, program *producer.Program) (lines []string) {
	t.Helper()
	for _, format := range []producer.Format{producer.FormatJSON, producer.FormatBin} {
		store := producer.NewStore(template.DefaultLimits())
		store.UsePorts(template.PortsAuto)
		p := producer.New(producer.Config{
			Format: format, Programs: producer.NewPrograms(program), Discards: true,
			Names: names.NewTable(names.DefaultBytes), Join: names.Kinds(1<<names.NumKinds - 1),
			Held: producer.NewHeld(producer.HeldLimits{Bytes: 1 << 20, Sets: 100, AgeNs: 10e9}),
		}, store)
		batch := producer.NewBatch(0, 1<<20)
		for _, d := range c.Datagrams {
			now := 1_700_000_001e9 + int64(d.At)
			p.Expire(now, nil)
			p.Release(batch, 1<<20, nil)
			p.Datagram(batch, producer.Meta{Source: d.Source, ReceivedNs: now}, d.Payload)
			p.Release(batch, 1<<20, nil)
		}
		p.Abandon(nil)
		var faults []string
		for reason, n := range p.Counters.Faults {
			if n > 0 && producer.Reason(reason) != producer.ReasonNone {
				faults = append(faults, producer.Reason(reason).String())
			}
		}
		slices.Sort(faults)
		slices.Sort(c.Faults)
		if !slices.Equal(faults, c.Faults) {
			lines = append(lines, fmt.Sprintf("faults %v, want %v", faults, c.Faults))
		}
		if batch.Records() != len(c.Flows) {
			lines = append(lines, fmt.Sprintf("%d flows, want %d", batch.Records(), len(c.Flows)))
		}
		for i := range min(batch.Records(), len(c.Flows)) {
			message := batch.Message(i)
			if format == producer.FormatBin {
				_, n := binary.Uvarint(message)
				var parser producer.Parser
				f, ok := parser.Parse(message[n:])
				if !ok {
					t.Errorf("%s, flow %d: no message: %x", c.Name, i, message)
					continue
				}
				message = producer.AppendJSON(nil, f)
			}
			more, err := Differences(message, c.Flows[i])
			if err != nil {
				t.Error(err)
			}
			for _, line := range more {
				lines = append(lines, fmt.Sprintf("flow %d of %v: %s", i, format, line))
			}
		}
	}
	return lines
}

func TestBytes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"v9", "v9 7 uptime=1 time=2 sequence=3\ntemplate 256 8/4 L4_SRC_PORT/2 82/4\ndata 256 192.0.2.1 53 \"e0\"\n" +
			"data 256 192.0.2.2 0x35 x01020304\noptions 257 interface/2 : 34/4\ndata 257 9 1000",
			"0009 0005 00000001 00000002 00000003 00000007" +
				"0000 0014 0100 0003 00080004 00070002 00520004" +
				"0100 0018 c0000201 0035 65300000 c0000202 0035 01020304" +
				"0001 0014 0101 0004 0004 00020002 00220004 0000" +
				"0101 000c 0009 000003e8 0000"},
		{"ipfix", "ipfix 7 time=2\ntemplate 256 29305/1/4 cert:initialTCPFlags/1 interfaceName/v\ndata 256 1500 2 \"eth0\"\n" +
			"options 258 10/4 : 82/v\nset 300 0a0b",
			"000a 0052 00000002 00000001 00000007" +
				"0002 001c 0100 0003 80010004 00007279 800e0001 00001ad7 0052ffff" +
				"0100 000e 000005dc 02 04 65746830" +
				"0003 0012 0102 0002 0001 000a0004 0052ffff" +
				"012c 0006 0a0b"},
		{"sflow", "sflow 192.0.2.9 sequence=4 uptime=5\nsample in=1 out=2 rate=10\nheader 1 100 aabb cc\nrecord 0:1001 00\n",
			"00000005 00000001 c0000209 00000000 00000004 00000005 00000001" +
				"00000001 00000048 00000001 00000001 0000000a 000003e8 00000000 00000001 00000002 00000002" +
				"00000001 00000013 00000001 00000064 00000004 00000003 aabbcc00" +
				"000003e9 00000001 00000000"},
		{"hex", "hex 0a0b 0c", "0a0b0c"},
	} {
		all, err := Read(strings.NewReader("case " + c.name + "\n" + c.text))
		if err != nil || len(all) != 1 || len(all[0].Datagrams) != 1 {
			t.Errorf("%s: %v, %v", c.name, all, err)
			continue
		}
		if got, want := hex.EncodeToString(all[0].Datagrams[0].Payload), strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestDifferences(t *testing.T) {
	message := []byte(`{"bytes":1500,"src_addr":"10.0.0.1","mpls_label":[1,2],"proto":"TCP"}`)
	for _, c := range []struct{ want, lines string }{
		{"bytes=1500 src_addr=10.0.0.1 mpls_label=[1,2] proto=TCP", ""},
		{"bytes=15 proto=UDP", "bytes 1500, want 15; proto TCP, want UDP"},
		{"flow_direction=0", "flow_direction none, want 0"},
		{"flow_direction=none", ""},
	} {
		want, err := pairs(strings.Fields(c.want))
		lines, err2 := Differences(message, want)
		if got := strings.Join(lines, "; "); got != c.lines || err != nil || err2 != nil {
			t.Errorf("%s: %q, want %q (%v, %v)", c.want, got, c.lines, err, err2)
		}
	}
	if _, err := Differences([]byte("{"), nil); err == nil {
		t.Error("no error for a cut message")
	}
}

func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"flow a=1":                                     "in front of the first case",
		"case a\ndata 1":                               "data without a datagram",
		"case a\nv9 0\ntemplate 256 natEvnt/1":         `element "natEvnt": no element has this name; close to it: natEvent`,
		"case a\nv9 0\ntemplate 256 8":                 "no length",
		"case a\nv9 0\ntemplate 256 8/4\ndata 256":     "0 values for the 1 fields",
		"case a\nv9 0\ntemplate 256 8/4\ndata 256 5":   "line 4",
		"case a\nv9 0\ntemplate 256 7/1\ndata 256 256": "does not fit into 1 bytes",
		"case a\nv9 0\ntemplate 256 7/2\ndata 256 x01": "it has 1 bytes, not 2",
		"case a\nv9 x":                                 "no number",
		"case a\nv9":                                   "of which domain",
		"case a\nv9 0 sort=1":                          "sort=1 is not known",
		"case a\nexporter b":                           "line 2",
		"case a\nflow b":                               "no name=value",
		"case a\nhex 0":                                "line 2",
		"case a\nflow a=\"b":                           "no end of the quotes",
		"case a\nsflow 1.1.1.1\nrecord 0":              "without a sample",
		"case a\nsflow 1.1.1.1\nsample\nheader 1 2":    "without protocol",
		"case a\nsflow 1.1.1.1\nsample\nrecord 1 00":   "no enterprise:format",
		"case a\nsflow 1.1.1.1\nsample\ntemplate 256":  "in an sFlow datagram",
		"case a\nv9 0\nsample in=1":                    "line 3",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
