package template_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// TestSamplerShares: some addresses announce as many samplers as they may in as many
// domains as they like. A new exporter's samplers find room nevertheless.
func TestSamplerShares(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Samplers = 10_000
	s := template.NewStore[any](limits, nil)
	announced := func(address, domains, samplers int) (n int) {
		for domain := range domains {
			k := source(address)
			k.Domain = uint32(domain)
			d := s.Domain(k, hour)
			for id := range samplers {
				if d.Sampling().SetSampler(uint64(id), 100) {
					n++
				}
			}
		}
		return n
	}
	if n := announced(1, 20, 1000); n < limits.Samplers/10 || n > limits.Samplers/8 {
		t.Errorf("one address has %d of %d samplers", n, limits.Samplers)
	}
	for i := range 20 {
		announced(2+i, 20, 1000)
	}
	if n := announced(100, 4, 3); n != 12 {
		t.Errorf("%d of the 12 samplers of a new exporter find room", n)
	}
	if got := s.Totals().Samplers; got > limits.Samplers {
		t.Errorf("%d samplers", got)
	}
	// What is evicted is free for its address again.
	one := template.NewStore[any](template.Limits{Domains: 1, TemplatesPerDomain: 10, FieldsPerTemplate: 10, Samplers: 9}, nil)
	for domain := range uint32(50) {
		k := source(1)
		k.Domain = domain
		for id := range uint64(5) {
			if !one.Domain(k, hour).Sampling().SetSampler(id, 1) {
				t.Fatalf("domain %d: sampler %d is refused", domain, id)
			}
		}
	}
}

// TestRefusedSampler: where a sampler found no room no other rate stands in for it.
func TestRefusedSampler(t *testing.T) {
	s := template.NewStore[any](template.Limits{Domains: 10, TemplatesPerDomain: 10, FieldsPerTemplate: 10, Samplers: 3}, nil)
	k := source(1)
	first := s.Domain(k, hour).Sampling()
	first.SetSampler(1, 100)
	if first.Rate() != 100 {
		t.Fatalf("the rate of the only sampler is %d", first.Rate())
	}
	k.Domain = 1
	second := s.Domain(k, hour).Sampling()
	if second.Rate() != 100 {
		t.Fatalf("the rate of the exporter's only domain with one is %d", second.Rate())
	}
	first.SetSampler(2, 100)
	first.SetSampler(3, 100)
	if second.SetSampler(1, 7) || second.SetSampler(2, 8) {
		t.Fatal("there is room for more samplers")
	}
	if second.Rate() != 0 || second.SamplerRate(1) != 0 || second.Whole() != 0 {
		t.Errorf("a domain whose samplers were refused has the rates %d, %d, %d", second.Rate(), second.SamplerRate(1), second.Whole())
	}
	first.SetSampler(4, 8) // refused too: records without a sampler may be of it
	if first.Rate() != 0 || first.SamplerRate(1) != 100 {
		t.Errorf("with a sampler that was refused: %d, %d", first.Rate(), first.SamplerRate(1))
	}
	first.SetSampler(1, 50)
	first.SetSampler(2, 50)
	if first.SetSampler(3, 50); first.Rate() != 0 {
		t.Errorf("with a sampler that was refused: %d", first.Rate())
	}
}

// TestAgreedRate compares the rate that all samplers have with what they have.
func TestAgreedRate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, store := range []bool{true, false} {
		var s template.Sampling
		of := &s
		if store {
			of = template.NewStore[any](template.DefaultLimits(), nil).Domain(source(1), hour).Sampling()
		}
		rates := map[uint64]uint64{}
		agreed := 0
		for i := range 20_000 {
			id, rate := rnd.Uint64N(uint64(2+i%7)), 1+rnd.Uint64N(2)
			of.SetSampler(id, rate)
			rates[id] = rate
			want := rate
			for _, r := range rates {
				if r != rate {
					want = 0
				}
			}
			if want != 0 {
				agreed++
			}
			if got := of.Rate(); got != want {
				t.Fatalf("step %d: %d, want %d of %v", i, got, want, rates)
			}
		}
		if agreed < 100 {
			t.Fatalf("the samplers agreed %d times", agreed)
		}
	}
}
