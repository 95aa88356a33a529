package packet

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCorpus compares with sflowtool on the sampled headers of real exporters:
// its dump holds the bytes of each header and what it read from them.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of captures: set WEIR_CORPUS to its folder (%v)", err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "reference", "*.sflowtool.jsonl*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dumps of sflowtool in the corpus: %v", err)
	}
	var headers int
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			headers += compareDump(t, path)
		})
	}
	if headers < 6000 {
		t.Errorf("only %d sampled headers in the corpus", headers)
	}
}

func compareDump(t *testing.T, path string) (headers int) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	type datagram struct {
		Samples []struct {
			Elements []map[string]any
		}
	}
	for d := json.NewDecoder(r); ; {
		var g datagram
		if err := d.Decode(&g); errors.Is(err, io.EOF) {
			return headers
		} else if err != nil {
			t.Fatal(err)
		}
		for _, s := range g.Samples {
			for _, e := range s.Elements {
				if e["flowSampleType"] == "HEADER" {
					headers++
					compareHeader(t, e)
				}
			}
		}
	}
}

func compareHeader(t *testing.T, e map[string]any) {
	text := func(names ...string) string {
		for _, name := range names {
			if s, ok := e[name].(string); ok {
				return s
			}
		}
		return ""
	}
	number := func(names ...string) string {
		if s := text(names...); s != "" {
			return s
		}
		return "0"
	}
	in, err := hex.DecodeString(strings.ReplaceAll(text("headerBytes"), "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	var start Start
	if _, err := fmt.Sscan(text("headerProtocol"), &start); err != nil {
		t.Fatal(err)
	}
	var h Headers
	Parse(in, start, &h)
	mac := func(v uint64) string {
		if start != StartEthernet {
			return ""
		}
		return fmt.Sprintf("%012x", v)
	}
	addr := func(b []byte) string {
		a, ok := netip.AddrFromSlice(b)
		if ok && a.Is6() {
			return a.StringExpanded()
		} else if ok {
			return a.String()
		}
		return ""
	}
	label, _ := strings.CutPrefix(number("IP6_label"), "0x")
	offset := number("IPFragmentOffset")
	if h.Proto == protoICMPv6 { // sflowtool has no word for its type and code
		h.ICMPType, h.ICMPCode = 0, 0
	}
	for _, c := range []struct{ what, got, want string }{
		{"source MAC", mac(h.SrcMAC), text("srcMAC")},
		{"destination MAC", mac(h.DstMAC), text("dstMAC")},
		{"source", addr(h.SrcAddr), text("srcIP", "srcIP6")},
		{"destination", addr(h.DstAddr), text("dstIP", "dstIP6")},
		{"protocol", fmt.Sprint(h.Proto), text("IPProtocol")},
		{"TOS", fmt.Sprint(h.TOS), text("IPTOS")},
		{"TTL", fmt.Sprint(h.TTL), text("IPTTL")},
		{"label", fmt.Sprintf("%x", h.FlowLabel), label},
		{"source port", fmt.Sprint(h.SrcPort), number("TCPSrcPort", "UDPSrcPort")},
		{"destination port", fmt.Sprint(h.DstPort), number("TCPDstPort", "UDPDstPort")},
		{"TCP flags", fmt.Sprint(h.TCPFlags), number("TCPFlags")},
		{"ICMP type", fmt.Sprint(h.ICMPType), number("ICMPType")},
		{"ICMP code", fmt.Sprint(h.ICMPCode), number("ICMPCode")},
		{"VLAN", fmt.Sprint(h.VLANID), number("decodedVLAN")},
		{"fragment offset", fmt.Sprint(h.FragmentOffset), offset},
	} {
		if c.got != c.want {
			t.Errorf("%s %q, sflowtool %q: %x", c.what, c.got, c.want, in)
		}
	}
}
