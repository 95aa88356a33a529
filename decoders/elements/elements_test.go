package elements

import (
	"slices"
	"strings"
	"testing"
)

// TestTable checks that every line of the table is read, and what the registry
// promises of names and numbers.
func TestTable(t *testing.T) {
	lines := 0
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			lines++
		}
	}
	all := All()
	if len(all) != lines || lines < 2000 {
		t.Fatalf("%d elements of %d lines", len(all), lines)
	}
	iana := 0
	for i := range all {
		e := &all[i]
		if i > 0 && (e.PEN < all[i-1].PEN || e.PEN == all[i-1].PEN && e.ID <= all[i-1].ID) {
			t.Errorf("%v is not in order", e)
		}
		if Vendor(e.PEN) == "" || e.Name == "" || e.PEN != IANA && e.ID > 0x7fff {
			t.Errorf("element %d/%d %q", e.PEN, e.ID, e.Name)
		}
		if e.PEN == IANA && e.ID <= 533 {
			iana++
		}
		if got, ok := Lookup(e.PEN, e.ID); !ok || got != *e {
			t.Errorf("lookup of %d/%d gives %v", e.PEN, e.ID, got)
		}
		for _, name := range []string{e.Name, strings.ToUpper(e.Name), e.V9, Vendor(e.PEN) + ":" + e.Name} {
			if name == "" {
				continue
			}
			if found := ByName(name); !slices.Contains(found, *e) && !(len(found) == 1 && (found[0].PEN == IANA || found[0].PEN == Reverse)) {
				t.Errorf("by name %q: %v, want %v", name, found, e)
			}
		}
	}
	// 1 to 533 without those that are not assigned or reserved: 43, 51, 65 to 69,
	// 87, 97, 105 to 127 and others.
	if iana < 490 {
		t.Errorf("%d elements of IANA", iana)
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		pen  uint32
		id   uint16
		want Element
	}{
		{0, 1, Element{0, 1, "octetDeltaCount", "IN_BYTES", Unsigned64, DeltaCounter, "octets", true}},
		{0, 10, Element{0, 10, "ingressInterface", "INPUT_SNMP", Unsigned32, Identifier, "", false}},
		{0, 8, Element{0, 8, "sourceIPv4Address", "IPV4_SRC_ADDR", IPv4Address, Default, "", true}},
		{0, 230, Element{0, 230, "natEvent", "", Unsigned8, Identifier, "", true}},
		{0, 292, Element{0, 292, "subTemplateList", "", SubTemplateList, ListSemantics, "", true}},
		{0, 515, Element{0, 515, "ipv6ExtensionHeadersFull", "", Unsigned256, Flags, "", true}},
		{0, 33002, Element{0, 33002, "fwExtEvent", "NF_F_FW_EXT_EVENT", Unsigned16, Default, "", false}},
		{Reverse, 1, Element{Reverse, 1, "reverseOctetDeltaCount", "", Unsigned64, DeltaCounter, "octets", true}},
		{CERT, 14, Element{CERT, 14, "initialTCPFlags", "", Unsigned16, Flags, "", true}},
		{CERT, 14 | 0x4000, Element{CERT, 14 | 0x4000, "reverseInitialTCPFlags", "", Unsigned16, Flags, "", true}},
		{Nokia, 93, Element{Nokia, 93, "aluNatSubString", "", String, Identifier, "", false}},
		{VMware, 881, Element{VMware, 881, "tenantSourceIPv4", "", IPv4Address, Default, "", false}},
		{CESNET, 830, Element{CESNET, 830, "tlsJa3Fingerprint", "", OctetArray, Default, "", false}},
		{A10, 260, Element{A10, 260, "fwdTupleVnpId", "", Unsigned16, Default, "", false}},
	} {
		if got, ok := Lookup(c.pen, c.id); !ok || got != c.want {
			t.Errorf("%d/%d: %+v, want %+v", c.pen, c.id, got, c.want)
		}
	}
	for _, k := range [][2]uint32{{0, 0}, {0, 97}, {Reverse, 10}, {Reverse, 97}, {CERT, 0x4000 | 12}, {4242, 1}} {
		if got, ok := Lookup(k[0], uint16(k[1])); ok {
			t.Errorf("%v: %+v", k, got)
		}
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"natEvent":                  "natEvent",
		"NATEVENT":                  "natEvent",
		"IN_BYTES":                  "octetDeltaCount",
		"iana:octetDeltaCount":      "octetDeltaCount",
		"0:octetDeltaCount":         "octetDeltaCount",
		"230":                       "natEvent",
		"6871/14":                   "cert:initialTCPFlags",
		"6871:initialtcpflags":      "cert:initialTCPFlags",
		"reverseOctetDeltaCount":    "reverse:reverseOctetDeltaCount",
		"cert:reverseUnionTCPFlags": "cert:reverseUnionTCPFlags",
		"vmware:flowDirection":      "vmware:flowDirection",
		"flowDirection":             "flowDirection",
		"4242/7":                    "4242:",
	} {
		e, err := Parse(s, false)
		if got := e.String(); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"natEvnt":          "natEvent",
		"octetDeltaCounts": "octetDeltaCount",
		"sourceIPv4Adress": "sourceIPv4Address",
		"zzz":              "no element has this name",
		"":                 "no element has this name",
		"cisco:natEvent":   "no element has this name",
		"70000":            "no element has this name",
		"a/1":              "no element has this name",
	} {
		if _, err := Parse(s, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	// NetFlow version 9 has other numbers for the same names, and no enterprises.
	for s, want := range map[string][2]Element{
		"L7_PROTO":          {{PEN: Ntop, ID: 118}, {ID: 118 + 57472}},
		"NF_F_FW_EXT_EVENT": {{}, {ID: 33002}},
		"33002":             {{}, {ID: 33002}},
		"9/12235":           {{PEN: Cisco, ID: 12235}, {}},
	} {
		for i, v9 := range []bool{false, true} {
			e, err := Parse(s, v9)
			if want := want[i]; e.PEN != want.PEN || e.ID != want.ID || (err == nil) != (want.ID != 0) {
				t.Errorf("%q, version 9 %v: %+v, %v, want %+v", s, v9, e, err, want)
			}
		}
	}
	ambiguous := ""
	for _, e := range All() {
		if e.PEN != IANA && len(ByName(e.Name)) > 1 {
			ambiguous = e.Name
		}
	}
	if _, err := Parse(ambiguous, false); ambiguous != "" && (err == nil || !strings.Contains(err.Error(), "several vendors")) {
		t.Errorf("%q: %v", ambiguous, err)
	}
}

func TestNames(t *testing.T) {
	for k := range numTypes {
		if k.String() == "" || k.Numeric() && k.List() || k.Signed() && !k.Numeric() {
			t.Errorf("type %d", k)
		}
	}
	if Type(99).String()+Semantics(99).String()+Vendor(4242) != "" || DeltaCounter.String() != "deltaCounter" {
		t.Error("names of nothing")
	}
}
