package producer

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestColumnTwins compares the two writers of columns on random flows, under
// random columns and renderers.
func TestColumnTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		m := &Mapping{Render: map[string]Renderer{}, Custom: []Custom{
			{Name: "n", Number: 1000, Type: CustomVarint}, {Name: "b", Number: 1001, Type: CustomBytes}, {Name: "l", Number: 1002, Type: CustomVarint, Array: true},
		}}
		names := append(FieldNames(), icmpName, "n", "b", "l")
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		m.Fields = names[:1+r.IntN(len(names)-1)]
		for _, name := range m.Fields {
			if render := Renderer(1 + r.IntN(int(RenderString))); r.IntN(3) == 0 && name != icmpName && render != RenderNetwork {
				m.Render[name] = render
			}
		}
		p, err := NewProgram(m, Settings{Compat: r.IntN(2) == 0})
		if err != nil {
			t.Fatal(err)
		}
		f := anyFlow(r)
		for _, v := range []customValue{{field: p.custom[0], num: r.Uint64()}, {field: p.custom[1], bytes: []byte("a\"b")}, {field: p.custom[2], num: 1}, {field: p.custom[2], num: 2}} {
			if r.IntN(2) == 0 {
				f.setCustom(v)
			}
		}
		for _, n := range []notation{notationJSON, notationText} {
			begin := []byte("before")
			if got, want := p.appendFast(begin, f, n, nil), p.appendText(nil, f, n); !bytes.Equal(got[len(begin):], want) {
				t.Fatalf("columns %v, renderers %v:\n got %s\nwant %s", m.Fields, m.Render, got[len(begin):], want)
			}
		}
	}
}

// anyFlow returns a flow, some of whose fields are zero.
func anyFlow(r *rand.Rand) *Flow {
	f := &Flow{}
	for id := range fieldID(numFields) {
		bits := r.IntN(65)
		v := r.Uint64() >> (64 - bits) // of any length
		if bits == 0 {
			v = 0
		}
		if p := f.u32(id); p != nil {
			*p = uint32(v)
		}
		if p := f.u64(id); p != nil {
			*p = v
		}
		if p := f.bytes(id); p != nil {
			*p = make([]byte, []int{0, 4, 16, 16, 7}[r.IntN(5)])
			for i := range *p {
				if r.IntN(3) > 0 {
					(*p)[i] = byte(r.Uint32())
				}
			}
		}
		if p := f.uints(id); p != nil {
			for range r.IntN(4) {
				*p = append(*p, r.Uint32()>>r.IntN(32))
			}
		}
	}
	f.Type %= 8
	f.SrcNet, f.DstNet = r.Uint32N(140), r.Uint32N(40)
	f.Etype = []uint32{0, 0x800, 0x86dd, 0x806, 0x8847}[r.IntN(5)]
	f.Proto = []uint32{1, 6, 17, 58, 300}[r.IntN(5)]
	f.ICMPType = r.Uint32N(140)
	f.MPLSIP = [][]byte{{1, 2, 3, 4}}
	f.RoutingAddresses = make([]byte, 16*r.IntN(3))
	return f
}
