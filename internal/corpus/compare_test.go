package corpus

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer/flowpb"
)

// colons puts colons between the digits of a MAC address.
func colons(s string) string {
	return strings.TrimSuffix(regexp.MustCompile("..").ReplaceAllString(s, "$0:"), ":")
}

// shortest rewrites an IPv6 address in its shortest form.
func shortest(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return s
}

// values prints a message's fields in the notation of the references, which is
// that of the JSON output but for protocols and prefixes, which are numbers.
func values(m *flowpb.FlowMessage) expected {
	ip := func(b []byte) string {
		if a, ok := netip.AddrFromSlice(b); ok {
			return a.String()
		}
		return ""
	}
	mac := func(n uint64) string { return colons(fmt.Sprintf("%012x", n)) }
	list := func(v []uint32) string {
		var s []string
		for _, x := range v {
			s = append(s, fmt.Sprint(x))
		}
		return strings.Join(s, ",")
	}
	e := expected{
		"sampler_address": ip(m.SamplerAddress), "src_addr": ip(m.SrcAddr), "dst_addr": ip(m.DstAddr),
		"next_hop": ip(m.NextHop), "bgp_next_hop": ip(m.BgpNextHop),
		"src_mac": mac(m.SrcMac), "dst_mac": mac(m.DstMac),
		"etype":      map[uint32]string{0x800: "IPv4", 0x86dd: "IPv6", 0x806: "ARP"}[m.Etype],
		"mpls_label": list(m.MplsLabel), "as_path": list(m.AsPath), "bgp_communities": list(m.BgpCommunities),
		"duration": fmt.Sprint(m.TimeFlowEndNs - m.TimeFlowStartNs),
	}
	for _, b := range m.MplsIp {
		e["mpls_ip"] = strings.TrimPrefix(e["mpls_ip"]+","+ip(b), ",")
	}
	for name, n := range map[string]uint64{
		"sequence_num": uint64(m.SequenceNum), "sampling_rate": m.SamplingRate, "bytes": m.Bytes, "packets": m.Packets,
		"time_flow_start_ns": m.TimeFlowStartNs, "time_flow_end_ns": m.TimeFlowEndNs, "proto": uint64(m.Proto),
		"src_port": uint64(m.SrcPort), "dst_port": uint64(m.DstPort), "in_if": uint64(m.InIf), "out_if": uint64(m.OutIf),
		"src_vlan": uint64(m.SrcVlan), "dst_vlan": uint64(m.DstVlan), "vlan_id": uint64(m.VlanId), "ip_tos": uint64(m.IpTos),
		"ip_ttl": uint64(m.IpTtl), "tcp_flags": uint64(m.TcpFlags), "icmp_type": uint64(m.IcmpType), "icmp_code": uint64(m.IcmpCode),
		"ipv6_flow_label": uint64(m.Ipv6FlowLabel), "fragment_id": uint64(m.FragmentId), "fragment_offset": uint64(m.FragmentOffset),
		"src_as": uint64(m.SrcAs), "dst_as": uint64(m.DstAs), "next_hop_as": uint64(m.NextHopAs),
		"src_net": uint64(m.SrcNet), "dst_net": uint64(m.DstNet),
		"observation_domain_id": uint64(m.ObservationDomainId), "observation_point_id": uint64(m.ObservationPointId),
	} {
		e[name] = strconv.FormatUint(n, 10)
	}
	return e
}

// same compares two values. NTP fractions are rounded to the nanosecond in
// different ways.
func same(field, got, want string) bool {
	if got == want {
		return true
	}
	if strings.HasPrefix(field, "time_flow_") {
		a, errA := strconv.ParseInt(got, 10, 64)
		b, errB := strconv.ParseInt(want, 10, 64)
		return errA == nil && errB == nil && (a-b == 1 || b-a == 1)
	}
	return false
}

// found collects differences: what is different, and the first example.
type found map[string]string

func (f found) note(field, example string) {
	if f[field] == "" {
		f[field] = example
	}
}

// compareFlow compares a flow with what a reference says about it.
func (f found) compareFlow(where string, m *flowpb.FlowMessage, want expected) {
	got := values(m)
	for field, v := range want {
		if !same(field, got[field], v) {
			f.note(field, fmt.Sprintf("%s: got %q, reference %q", where, got[field], v))
		}
	}
}

// compareTshark compares the flows of all datagrams with tshark's.
func compareTshark(flows [][]*flowpb.FlowMessage, lines []node) (found, int) {
	f, compared := found{}, 0
	boot := map[string]int64{} // by exporter and domain
	reverse := false
	for i, line := range lines {
		h := line.get("h")
		c := tsharkClock(h)
		domain := line.get("src").text + " " + h.get("od_id").text
		var records []node
		records = append(records, line.get("rec").items...)
		for _, set := range line.get("sets").items {
			if set.get("opt").text == "true" {
				for _, rec := range set.get("rec").items {
					if at, ok := date(rec.get("sys_init_time").first()); ok {
						boot[domain] = at
					}
				}
				continue
			}
			records = append(records, set.get("rec").items...)
			for _, tpl := range set.get("tpl").items {
				for _, pen := range tpl.get("template_ipfix_field_pen").texts() {
					reverse = reverse || pen == "29305"
				}
			}
		}
		if !c.v9 {
			c.bootNs = boot[domain]
		}
		if len(records) != len(flows[i]) {
			f.note("records", fmt.Sprintf("datagram %d: got %d, reference %d", i+1, len(flows[i]), len(records)))
		}
		for j := range min(len(records), len(flows[i])) {
			want := fromTshark(records[j], c, reverse)
			want["sampler_address"] = line.get("src").text
			if s := h.get("sequence").text; s != "" {
				want["sequence_num"] = s
			}
			if s := h.get("samplerate").text; s != "" {
				want["sampling_rate"] = s
			}
			for _, key := range []string{"od_id", "source_id"} {
				if s := h.get(key).text; s != "" {
					want["observation_domain_id"] = s
				}
			}
			f.compareFlow(fmt.Sprintf("datagram %d record %d", i+1, j+1), flows[i][j], want)
			compared++
		}
	}
	return f, compared
}

// forward returns the flows without those of the other direction: tshark has one of
// each record.
func forward(flows [][]*flowpb.FlowMessage) (all [][]*flowpb.FlowMessage) {
	for _, list := range flows {
		all = append(all, slices.DeleteFunc(slices.Clone(list), func(m *flowpb.FlowMessage) bool { return m.FlowReverse == 1 }))
	}
	return all
}

// compareSflowtool compares the flows of all datagrams with sflowtool's.
func compareSflowtool(flows [][]*flowpb.FlowMessage, lines []node) (found, int) {
	f, compared := found{}, 0
	for i, line := range lines {
		if line.get("datagramVersion").text != "5" || line.get("agent").text == "" {
			continue // another protocol on the same port
		}
		var samples []node
		for _, s := range line.get("samples").items {
			if s.get("sampleType").text == "FLOWSAMPLE" {
				samples = append(samples, s)
			}
		}
		if len(samples) != len(flows[i]) {
			f.note("records", fmt.Sprintf("datagram %d: got %d, reference %d", i+1, len(flows[i]), len(samples)))
		}
		for j := range min(len(samples), len(flows[i])) {
			f.compareFlow(fmt.Sprintf("datagram %d sample %d", i+1, j+1), flows[i][j], fromSflowtool(line, samples[j]))
			compared++
		}
	}
	return f, compared
}

// TestReferences compares the fields of each capture of the corpus with what
// tshark or, for sFlow, sflowtool reads. Every difference is in the table of
// differences with its reason, and every line of it still occurs.
func TestReferences(t *testing.T) {
	dir := corpusDir(t)
	for _, c := range index(t, dir) {
		if c.otherTransport {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			c.skipLarge(t)
			flows := perDatagram(t, filepath.Join(dir, "pcap", c.name+".pcap"))
			var f found
			var compared int
			if lines := reference(t, dir, c.name, ".sflowtool.jsonl"); lines != nil {
				if len(lines) != len(flows) {
					t.Fatalf("%d datagrams, reference has %d", len(flows), len(lines))
				}
				f, compared = compareSflowtool(flows, lines)
			} else {
				lines := reference(t, dir, c.name, ".jsonl")
				if len(lines) != len(flows) {
					t.Fatalf("%d datagrams, reference has %d", len(flows), len(lines))
				}
				f, compared = compareTshark(forward(flows), lines)
			}
			if compared == 0 && c.flows > 0 && f["records"] == "" && c.name != "mixed-sflow5-nf5-tcpdump-30pdus" {
				t.Error("nothing was compared")
			}
			listed := map[string]bool{}
			for _, d := range differences {
				if d.capture != c.name {
					continue
				}
				listed[d.field] = true
				if f[d.field] == "" {
					t.Errorf("%s is listed as different and is not: %s", d.field, d.reason)
				}
			}
			for field, example := range f {
				if !listed[field] {
					t.Errorf("%s differs: %s", field, example)
				}
			}
		})
	}
}

// TestReadme checks that README.md lists the differences.
func TestReadme(t *testing.T) {
	const begin, end = "<!-- differences -->\n", "<!-- end of differences -->\n"
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the differences")
	}
	sort.SliceStable(differences, func(i, j int) bool { return differences[i].capture < differences[j].capture })
	table := "| Capture | Field | Reason |\n|---|---|---|\n"
	for _, d := range differences {
		table += fmt.Sprintf("| %s | %s | %s |\n", d.capture, d.field, d.reason)
	}
	want := head + begin + table + end + tail
	if string(text) == want {
		return
	}
	if !*update {
		t.Fatal("README.md does not list the differences as they are (go test -update writes them)")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenIsJSON guards the golden files against being no JSON.
func TestGoldenIsJSON(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join("testdata", "*.json"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		for d.More() {
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}
