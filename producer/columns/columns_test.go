package columns_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/schema"
)

// TestForms sets a number, an address and an optional number in every order of ways, with gaps,
// and compares each row with what was set.
func TestForms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := columns.New()
	number, address, optional := place(t, "in_if"), place(t, "src_addr"), place(t, "flow_direction")
	for range 300 {
		b.Reset()
		var numbers, present []uint64
		var addresses []string
		for range r.IntN(40) {
			n := 1 + r.IntN(30)
			stride, body := 8, make([]byte, 8*n)
			for i := range body {
				body[i] = byte(r.Uint32())
			}
			width := []uint8{1, 2, 3, 4}[r.IntN(4)]
			way := r.IntN(4)
			v := uint64(r.Uint32()) >> (8 * r.IntN(4))
			text := body[:[]int{4, 8, 3}[r.IntN(3)]]
			p := columns.NewPlan(stride)
			p.Number(number, 0, width, 0, 1<<64-1, false)
			p.Address(address, 4, 4, false)
			p.Number(optional, 1, 1, 0, 1<<64-1, true)
			switch way {
			case 0:
				b.Fill(p, body, n)
			case 1:
				b.SetNumber(number, n, v)
				b.SetBytes(address, n, text)
			case 2:
				b.SetOptional(optional, n, v)
			}
			b.Commit(n)
			for i := range n {
				num, addr, opt := uint64(0), "", ^uint64(0)
				switch rec := body[i*stride:]; way {
				case 0:
					for _, x := range rec[:width] {
						num = num<<8 | uint64(x)
					}
					addr, opt = string(rec[4:8]), uint64(rec[1])
				case 1:
					num, addr = v, string(text)
				case 2:
					opt = v
				}
				numbers, addresses, present = append(numbers, num), append(addresses, addr), append(present, opt)
			}
		}
		b.Finish()
		if b.Rows() != len(numbers) {
			t.Fatalf("%d rows, want %d", b.Rows(), len(numbers))
		}
		for i := range numbers {
			opt := ^uint64(0)
			if c := b.Column(int(optional)); c.Has(i) {
				opt = c.Number(i)
			}
			got := fmt.Sprint(b.Column(int(number)).Number(i), b.Column(int(address)).AppendBytes(nil, i), opt)
			if want := fmt.Sprint(numbers[i], []byte(addresses[i]), present[i]); got != want {
				t.Fatalf("row %d is %s, want %s", i, got, want)
			}
		}
	}
}

// place returns the place of a field in the schema.
func place(t *testing.T, name string) uint8 {
	for i := range schema.Fields {
		if schema.Fields[i].Name == name {
			return uint8(i)
		}
	}
	t.Fatalf("no field %s", name)
	return 0
}
