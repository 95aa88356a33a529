package packet

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/tshark.txt again, with tshark")

const sharkFile = "testdata/tshark.txt"

// TestTshark compares with what Wireshark's dissectors read from random frames:
// testdata/tshark.txt holds frames and the line that tsharkLine made of them.
func TestTshark(t *testing.T) {
	if *update {
		s := stacks{r: rand.New(rand.NewPCG(20, 22))}
		var b bytes.Buffer
		fmt.Fprintln(&b, "# Random frames, and what tshark reads from them: see TestTshark. Written by go test -run TestTshark -update.")
		frames := s.frames(400)
		for i, line := range tshark(t, frames) {
			fmt.Fprintf(&b, "%x %s\n", frames[i], line)
		}
		if err := os.WriteFile(sharkFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(sharkFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, inner := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		text, want, ok := strings.Cut(sc.Text(), " ")
		if text == "#" {
			continue
		}
		frame, err := hex.DecodeString(text)
		if err != nil || !ok {
			t.Fatalf("line %q: %v", sc.Text(), err)
		}
		n++
		if strings.Contains(want, " in ") {
			inner++
		}
		compareShark(t, frame, want)
	}
	if n < 400 || inner < 150 {
		t.Errorf("%d frames, %d with tunnels", n, inner)
	}
}

// TestTsharkLive compares many more frames, with the tshark that is installed:
// WEIR_TSHARK is their number.
func TestTsharkLive(t *testing.T) {
	n := 0
	if _, err := fmt.Sscan(os.Getenv("WEIR_TSHARK"), &n); err != nil {
		t.Skip("compares with tshark by hand: set WEIR_TSHARK to a number of frames")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := stacks{r: rand.New(rand.NewPCG(seed, 1))}
	frames := s.frames(n)
	lost := 0
	for i, want := range tshark(t, frames) {
		// Wireshark does not see every pseudowire: it may end at the control word.
		var h Headers
		Parse(frames[i], StartEthernet, &h)
		if got := sharkLine(&h); len(strings.Fields(want)) < len(strings.Fields(got)) || strings.Contains(want, "invalid") {
			lost++
			continue
		}
		compareShark(t, frames[i], want)
	}
	if lost > n/500 {
		t.Errorf("tshark lost %d of %d frames", lost, n)
	}
}

func (s *stacks) frames(n int) (frames [][]byte) {
	for len(frames) < n {
		if f := s.frame(); len(f) < 512 {
			frames = append(frames, f)
		}
	}
	return frames
}

func compareShark(t *testing.T, frame []byte, want string) {
	t.Helper()
	var h Headers
	Parse(frame, StartEthernet, &h)
	checkHeaders(t, frame, &h)
	if got := sharkLine(&h); got != want {
		t.Errorf("%x\n got %s\nwant %s", frame, got, want)
	}
}

// sharkLine writes VLAN, labels, addresses, protocol and ports of the base stack,
// the id of the tunnel, and what is in it.
func sharkLine(h *Headers) string {
	var l sharkStack
	l.vlan = fmt.Sprint(h.VLANID)
	for m := h.MPLS; len(m) >= 4; m = m[4:] {
		l.labels = append(l.labels, fmt.Sprint(uint32(m[0])<<12|uint32(m[1])<<4|uint32(m[2])>>4))
	}
	addr := func(b []byte) string { a, _ := netip.AddrFromSlice(b); return a.String() }
	l.ips = append(l.ips, [5]string{addr(h.SrcAddr), addr(h.DstAddr), fmt.Sprint(h.Proto), fmt.Sprint(h.SrcPort), fmt.Sprint(h.DstPort)})
	if h.Tunnel.overIP() && h.Inner.SrcAddr() != nil {
		in := &h.Inner
		l.ips = append(l.ips, [5]string{addr(in.SrcAddr()), addr(in.DstAddr()), fmt.Sprint(in.Proto), fmt.Sprint(in.SrcPort), fmt.Sprint(in.DstPort)})
		if h.HasTunnelID && h.Tunnel != TunnelL2TP { // the ids of L2TP are two fields in Wireshark
			l.id = fmt.Sprint(h.TunnelID)
		}
	}
	return l.String()
}

// sharkStack is what a line says.
type sharkStack struct {
	vlan   string
	labels []string
	id     string
	ips    [][5]string // addresses, protocol, ports

	bottom bool   // the first label stack has ended
	stack  bool   // the protocol before is a label that the tunnel carries
	before string // the protocol before
}

func (l *sharkStack) String() string {
	text := "vlan " + l.vlan + " labels " + strings.Join(l.labels, ",")
	for i, ip := range l.ips[:min(2, len(l.ips))] {
		if i == 1 {
			text += " id " + l.id + " in"
		}
		text += " " + strings.Join(ip[:], " ")
	}
	return text
}

type pdmlField struct {
	Name   string      `xml:"name,attr"`
	Show   string      `xml:"show,attr"`
	Fields []pdmlField `xml:"field"`
	Protos []pdmlField `xml:"proto"`
}

// tshark runs tshark over frames and makes a line of each.
func tshark(t *testing.T, frames [][]byte) (lines []string) {
	name := filepath.Join(t.TempDir(), "frames.pcap")
	if err := os.WriteFile(name, pcapOf(frames), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tshark", "-r", name, "-n", "-T", "pdml", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run tshark: %v", err)
	}
	for d := xml.NewDecoder(bytes.NewReader(out)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "packet" {
			var p pdmlField
			if err := d.DecodeElement(&p, &e); err != nil {
				t.Fatal(err)
			}
			var l sharkStack
			l.vlan = "0"
			for i := range p.Protos {
				l.add(&p.Protos[i])
			}
			if len(l.ips) == 0 {
				l.ips = append(l.ips, [5]string{"invalid IP", "invalid IP", "0", "0", "0"})
			}
			lines = append(lines, l.String())
		}
	}
	if len(lines) != len(frames) {
		t.Fatalf("%d packets of %d frames", len(lines), len(frames))
	}
	return lines
}

// add takes what one protocol of a packet says.
func (l *sharkStack) add(p *pdmlField) {
	get := map[string]string{}
	var walk func(f *pdmlField)
	walk = func(f *pdmlField) {
		if _, ok := get[f.Name]; !ok {
			get[f.Name] = f.Show
		}
		for i := range f.Fields {
			walk(&f.Fields[i])
		}
		for i := range f.Protos {
			walk(&f.Protos[i])
		}
	}
	walk(p)
	n := len(l.ips)
	var last *[5]string
	if n > 0 {
		last = &l.ips[n-1]
	}
	id := func(name string, shift int) {
		if v, err := strconv.ParseUint(get[name], 0, 32); n == 1 && err == nil && (l.id == "" || p.Name == "mpls") {
			l.id = fmt.Sprint(v >> shift)
		}
	}
	before := l.before
	l.before = p.Name
	switch p.Name {
	case "vlan", "ieee8021ad":
		for _, name := range []string{"vlan.id", "ieee8021ad.id", "ieee8021ad.svid", "ieee8021ad.cvid"} {
			if v := get[name]; v != "" && v != "0" && n == 0 {
				l.vlan = v
			}
		}
	case "mpls":
		if n == 0 && !l.bottom {
			l.labels = append(l.labels, get["mpls.label"])
			l.bottom = get["mpls.bottom"] == "1"
		}
		if n == 1 && (before == "gre" || before == "udp" || before == "ip" || before == "ipv6" || l.stack && before == "mpls") {
			id("mpls.label", 0)
			l.stack = true
		} else {
			l.stack = false
		}
	case "ip":
		l.ips = append(l.ips, [5]string{get["ip.src"], get["ip.dst"], get["ip.proto"], "0", "0"})
	case "ipv6":
		proto := get["ipv6.nxt"]
		for _, name := range []string{"ipv6.dstopts.nxt", "ipv6.routing.nxt"} {
			if v, ok := get[name]; ok {
				proto = v
			}
		}
		l.ips = append(l.ips, [5]string{get["ipv6.src"], get["ipv6.dst"], proto, "0", "0"})
	case "tcp", "udp":
		last[3], last[4] = get[p.Name+".srcport"], get[p.Name+".dstport"]
	case "vxlan":
		id("vxlan.vni", 0)
	case "geneve":
		id("geneve.vni", 0)
	case "gtp":
		id("gtp.teid", 0)
	case "gre":
		shift := 0
		if get["gre.proto"] == "0x6558" { // the low 8 bits of NVGRE's key are no part of its id
			shift = 8
		}
		id("gre.key", shift)
	case "erspan":
		id("erspan.spanid", 0)
	}
}
