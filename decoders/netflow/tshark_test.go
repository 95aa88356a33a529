package netflow_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/netflow"
)

var update = flag.Bool("update", false, "write testdata/tshark.txt again, with tshark")

const sharkFile = "testdata/tshark.txt"

// sharkFields are tshark's names of columns.
var sharkFields = [][2]string{
	{"dflows", "flows"}, {"dpkts", "packets"}, {"doctets", "octets"}, {"src-addr", "srcaddr"}, {"dst-addr", "dstaddr"}, {"next-hop", "nexthop"},
	{"src-prefix", "srcnet"}, {"dst-prefix", "dstnet"}, {"src-mask", "srcmask"}, {"dst-mask", "dstmask"}, {"src-as", "srcas"}, {"dst-as", "dstas"},
	{"src-port", "srcport"}, {"dst-port", "dstport"}, {"input", "inputint"}, {"output", "outputint"}, {"proto", "protocol"}, {"tos", "tos"}, {"router", "routersc"},
}

// sharkDiffers are the columns that tshark reads elsewhere in records of a scheme of
// v8: the masks in the other order, and ToS in front of the interfaces. Cisco's
// headers, and flow-tools and pmacct by them, have them as weir does.
var sharkDiffers = map[int]string{
	5: "src-mask dst-mask", 13: "src-mask dst-mask", 14: "src-mask dst-mask", 9: "input output tos",
}

// TestTshark compares random records of all layouts with what tshark reads from them:
// testdata/tshark.txt has a datagram of one record and tshark's values in each line.
func TestTshark(t *testing.T) {
	if *update {
		writeShark(t)
	}
	f, err := os.Open(sharkFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	compared := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		text, want, ok := strings.Cut(sc.Text(), " ")
		if text == "#" {
			continue
		}
		data, err := hex.DecodeString(text)
		if err != nil || !ok {
			t.Fatalf("line %q: %v", sc.Text(), err)
		}
		h, body, err := netflow.ParseFixed(data)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range h.Layout.Columns {
			got[c.Name] = text10(&c, body)
		}
		for _, pair := range strings.Fields(want) {
			name, value, _ := strings.Cut(pair, "=")
			differs := h.Version == netflow.V8 && strings.Contains(sharkDiffers[int(h.Aggregation)], name)
			if (got[name] == value) == differs {
				t.Errorf("v%d %s, %s: got %s, tshark %s", h.Version, h.Layout.Name, name, got[name], value)
			}
			compared++
		}
	}
	if compared < 150 {
		t.Errorf("only %d values compared", compared)
	}
}

// text10 returns the value of a column as tshark writes it.
func text10(c *netflow.Column, rec []byte) string {
	v := rec[c.Offset : c.Offset+c.Len]
	if c.Address {
		a, _ := netip.AddrFromSlice(v)
		return a.String()
	}
	if c.Name == "tos" {
		return fmt.Sprintf("0x%02x", v)
	}
	return fmt.Sprint(binary.BigEndian.Uint32(append(make([]byte, 4-c.Len), v...)))
}

// writeShark writes what tshark reads.
func writeShark(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 14))
	var datagrams [][]byte
	for i := range netflow.Versions {
		v := &netflow.Versions[i]
		for scheme, l := range v.Layouts {
			b := make([]byte, v.HeaderLen+l.Len)
			binary.BigEndian.PutUint16(b, v.Number)
			b[3], b[7] = 1, 1
			if v.Aggregation != 0 {
				b[v.Aggregation], b[v.Aggregation+1] = byte(scheme+1), 2
			} else if scheme > 0 {
				continue // tshark does not know the long form of v1
			}
			for j := range l.Len {
				b[v.HeaderLen+j] = byte(1 + r.IntN(255))
			}
			datagrams = append(datagrams, b)
		}
	}
	file := filepath.Join(t.TempDir(), "all.pcap")
	pcap := binary.BigEndian.AppendUint32(nil, 0xa1b2c3d4)
	pcap = append(pcap, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 101) // raw IP
	for _, d := range datagrams {
		size := uint32(28 + len(d))
		pcap = append(pcap, make([]byte, 8)...)
		pcap = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(pcap, size), size)
		pcap = append(pcap, 0x45, 0, byte(size>>8), byte(size), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
		pcap = append(pcap, 8, 7, 8, 7, byte((size-20)>>8), byte(size-20), 0, 0)
		pcap = append(pcap, d...)
	}
	if err := os.WriteFile(file, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-r", file, "-d", "udp.port==2055,cflow", "-T", "fields", "-E", "separator=|"}
	for _, f := range sharkFields {
		args = append(args, "-e", "cflow."+f[1])
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("run tshark: %v", err)
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "# A datagram of one record of each layout, and what tshark reads from it: see TestTshark. Written by go test -run TestTshark -update.")
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(datagrams) {
		t.Fatalf("%d lines of %d datagrams", len(lines), len(datagrams))
	}
	for i, line := range lines {
		fmt.Fprintf(&b, "%x", datagrams[i])
		for j, value := range strings.Split(line, "|") {
			if value != "" {
				fmt.Fprintf(&b, " %s=%s", sharkFields[j][0], value)
			}
		}
		fmt.Fprintln(&b)
	}
	if err := os.WriteFile(sharkFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
