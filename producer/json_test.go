package producer

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// randomNumber returns numbers of all lengths, with those next to the powers of
// ten and of two among them.
func randomNumber(r *rand.Rand) uint64 {
	switch r.IntN(6) {
	case 0:
		return 0
	case 1:
		n := uint64(1)
		for range r.IntN(20) {
			n *= 10
		}
		return n - uint64(r.IntN(2))
	case 2:
		return 1<<r.IntN(64) - uint64(r.IntN(2))
	}
	return r.Uint64() >> r.IntN(64)
}

// randomAddr returns addresses of both families, none, and what is neither;
// many of them with groups of zeros.
func randomAddr(r *rand.Rand) []byte {
	a := make([]byte, []int{0, 4, 4, 16, 16, 16, 3}[r.IntN(7)])
	switch r.IntN(4) {
	case 0:
		for i := range a {
			a[i] = byte(r.Uint32())
		}
	case 1:
		if len(a) == 16 {
			a[10], a[11], a[12], a[15] = 0xff, 0xff, 10, 1 // mapped
		}
	default:
		for i := 0; i+1 < len(a); i += 2 {
			if r.IntN(2) == 0 {
				v := uint16(r.Uint32()) >> (4 * r.IntN(4))
				a[i], a[i+1] = byte(v>>8), byte(v)
			}
		}
	}
	return a
}

func randomFlow(r *rand.Rand) *Flow {
	n32 := func() uint32 { return uint32(randomNumber(r)) }
	list := func() []uint32 {
		l := make([]uint32, r.IntN(4))
		for i := range l {
			l[i] = n32()
		}
		return l
	}
	f := &Flow{
		Type: r.Uint32N(9), SequenceNum: n32(), TimeReceivedNs: randomNumber(r), SamplingRate: randomNumber(r),
		SamplerAddress: randomAddr(r), TimeFlowStartNs: randomNumber(r), TimeFlowEndNs: randomNumber(r),
		Bytes: randomNumber(r), Packets: randomNumber(r), SrcAddr: randomAddr(r), DstAddr: randomAddr(r),
		Etype: []uint32{0, 0x800, 0x806, 0x86dd, n32()}[r.IntN(5)], Proto: []uint32{r.Uint32N(256), n32()}[r.IntN(2)],
		SrcPort: n32(), DstPort: n32(), InIf: n32(), OutIf: n32(), SrcMAC: randomNumber(r) & (1<<48 - 1), DstMAC: randomNumber(r) & (1<<48 - 1),
		SrcVLAN: n32(), DstVLAN: n32(), VLANID: n32(), IPTOS: n32(), ForwardingStatus: n32(), IPTTL: n32(), IPFlags: n32(),
		TCPFlags: n32(), ICMPType: n32(), ICMPCode: n32(), IPv6FlowLabel: n32(), FragmentID: n32(), FragmentOffset: n32(),
		SrcAS: n32(), DstAS: n32(), NextHopAS: n32(), NextHop: randomAddr(r), BGPNextHop: randomAddr(r),
		SrcNet: []uint32{r.Uint32N(140), n32()}[r.IntN(2)], DstNet: r.Uint32N(40), ObservationDomainID: n32(), ObservationPointID: n32(),
		RoutingSegLeft: n32(), BGPCommunities: list(), ASPath: list(), MPLSTTL: list(), MPLSLabel: list(), LayerSize: list(),
	}
	for range r.IntN(3) {
		f.MPLSIP = append(f.MPLSIP, randomAddr(r))
		f.LayerStack = append(f.LayerStack, r.Uint32N(16))
		f.RoutingAddresses = append(f.RoutingAddresses, netip.IPv6LinkLocalAllNodes().AsSlice()...)
	}
	return f
}

// TestJSONTwins compares the encoder of the build with AppendJSON, byte for
// byte, on flows of all kinds.
func TestJSONTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		f := randomFlow(r)
		prefix := []byte("kept")
		want, got := AppendJSON(bytes.Clone(prefix), f), appendJSON(prefix, f)
		if !bytes.Equal(got, want) {
			t.Fatalf("flow %+v\n got %s\nwant %s", f, got, want)
		}
	}
}

// TestFusedJSONTwins compares the objects that plans write with those that go
// by way of a Flow, byte for byte, on random templates and records.
func TestFusedJSONTwins(t *testing.T) {
	if !fusedJSON {
		t.Skip("this build writes all JSON by way of a Flow")
	}
	r := rand.New(rand.NewPCG(5, 6))
	fused := 0
	for i := range 4_000 {
		version := []uint16{template.V9, template.IPFIX}[i%2]
		tpl := randomTemplate(r, version)
		pl := compilePlan(tpl)
		if pl.fused == nil {
			continue
		}
		fused++
		body := make([]byte, 3*tpl.Length)
		for i := range body {
			if r.IntN(3) > 0 {
				body[i] = byte(r.Uint32())
			}
		}
		store := NewStore(template.DefaultLimits())
		m := message{key: template.Key{Version: version, Domain: r.Uint32()}, flowType: TypeNetFlowV9, sequence: r.Uint32(),
			exportNs: randomNumber(r) >> 1, uptimeMs: r.Uint32()}
		domain := store.Domain(&m.key, 1)
		domain.Sampling().Set(uint64(r.IntN(1000)))
		if r.IntN(2) == 0 {
			domain.Sampling().SetSampler(uint64(body[0]), 12345)
		}
		write := func(f func(p *Producer, body []byte)) string {
			p := New(Config{Format: FormatJSON, Separator: []byte("\r\n"), SamplingRate: 7}, store)
			p.meta.Source = netip.MustParseAddrPort("[2001:db8::1]:2055")
			p.source = p.meta.Source.Addr().As16()
			p.batch = &Batch{}
			f(p, body)
			if len(p.batch.Ends) != 3 || p.useful != 3 {
				t.Fatalf("template %v: %d records", tpl.Fields, len(p.batch.Ends))
			}
			return string(p.batch.Buf)
		}
		got := write(func(p *Producer, body []byte) {
			m := m
			p.fusedSet(&m, domain, tpl, pl, body)
		})
		want := write(func(p *Producer, body []byte) {
			for ; len(body) > 0; body = body[tpl.Length:] {
				p.dataRecord(&m, tpl, pl, domain, body[:tpl.Length])
			}
		})
		if got != want {
			t.Fatalf("template %v\nrecords %x\n got %s\nwant %s", tpl.Fields, body, got, want)
		}
	}
	if fused < 500 {
		t.Fatalf("only %d templates were fused", fused)
	}
}
