package producer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/template"
)

// randomTemplate returns a template of fixed length.
func randomTemplate(r *rand.Rand, version uint16) *Template {
	ids := []uint16{1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 27, 28, 29, 30, 31, 32, 34, 48,
		52, 54, 56, 57, 58, 59, 60, 62, 63, 80, 81, 88, 89, 138, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 176, 197, 210}
	lengths := []uint16{1, 2, 4, 8, 4, 2, 1, 3, 5, 6, 1, 2, 4, 8, 4, 2, 1, 3, 5, 6, 1, 2, 4, 8, 16}
	tpl := &Template{Version: version}
	for range 1 + r.IntN(20) {
		f := template.Field{ID: ids[r.IntN(len(ids))], Length: lengths[r.IntN(len(lengths))]}
		switch f.ID {
		case 8, 12, 15, 18:
			f.Length = 4
		case 27, 28, 62, 63:
			f.Length = 16
		}
		tpl.Fields = append(tpl.Fields, f)
		tpl.Length += int(f.Length)
	}
	tpl.MinLength = tpl.Length
	return tpl
}

// TestFusedTwins compares the encoder that the build uses with the one that
// checks all bounds, on random templates and records.
func TestFusedTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fused := 0
	for range 20_000 {
		tpl := randomTemplate(r, template.V9)
		pl := compilePlan(tpl).fused
		if pl == nil {
			continue
		}
		fused++
		rec := make([]byte, tpl.Length)
		for i := range rec {
			if r.IntN(3) > 0 { // zeros are left out, and common
				rec[i] = byte(r.Uint32())
			}
		}
		p := New(Config{Format: FormatBin, SamplingRate: 7}, NewStore(template.DefaultLimits()))
		var s template.Sampling
		s.Set(uint64(r.IntN(1000)))
		c := p.beginFused(pl, TypeNetFlowV9, r.Uint32(), r.Uint32(), r.Uint64()>>1, r.Uint32(), s.Rate(), &s)
		need := len(c.prefix) + pl.maxLen + storeSlack
		a, b := make([]byte, need), make([]byte, need)
		n := pl.write(c, rec, a)
		if m := pl.writeSafe(c, rec, b); n != m || !bytes.Equal(a[:n], b[:m]) {
			t.Fatalf("template %v\nrecord %x\n got %x\nwant %x", tpl.Fields, rec, a[:n], b[:m])
		}
		if n > need-storeSlack {
			t.Fatalf("template %v: message of %d bytes, planned for %d", tpl.Fields, n, need-storeSlack)
		}
	}
	if fused < 3000 {
		t.Fatalf("only %d templates were fused", fused)
	}
}

// TestLikeV5 pins which layouts have the fields of v5 in the same places.
func TestLikeV5(t *testing.T) {
	for _, v := range netflow.Versions {
		for _, l := range v.Layouts {
			if like := v.Number == netflow.V5 || v.Number == netflow.V7; fixedPlans[l.Index].fused.fixed != like {
				t.Errorf("v%d %s: got %v", v.Number, l.Name, !like)
			}
		}
	}
}

// TestFixedTwins does the same for the records of fixed layouts.
func TestFixedTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 30_000 {
		pl := fixedPlans[i%len(fixedPlans)].fused
		rec := make([]byte, pl.recordLen)
		for i := range rec {
			if r.IntN(3) > 0 {
				rec[i] = byte(r.Uint32())
			}
		}
		p := New(Config{Format: FormatBin}, NewStore(template.DefaultLimits()))
		c := p.beginFused(pl, TypeNetFlowV5, r.Uint32(), 0, r.Uint64()>>r.IntN(64), r.Uint32(), uint64(r.IntN(1000)), nil)
		need := len(c.prefix) + pl.maxLen + storeSlack
		a, b := make([]byte, need), make([]byte, need)
		n := pl.write(c, rec, a)
		if m := pl.writeSafe(c, rec, b); n != m || !sameFields(a[:n], b[:m]) {
			t.Fatalf("record %x\n got %x\nwant %x", rec, a[:n], b[:m])
		}
	}
}

// sameFields says whether two messages have the same fields, in whatever order.
func sameFields(a, b []byte) bool {
	fields := func(m []byte) (list []string) {
		for len(m) > 0 {
			num, kind, n := protowire.ConsumeField(m)
			if n < 0 {
				return []string{"broken"}
			}
			list = append(list, fmt.Sprint(num, kind, m[:n]))
			m = m[n:]
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(fields(a), fields(b))
}
