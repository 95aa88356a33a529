package producer

import "github.com/weirflow/weir/decoders/template"

// Information elements that options data announces sampling and boot with.
const (
	ieSamplingInterval       = 34
	ieFlowSamplerID          = 48
	ieFlowSamplerRandom      = 50
	ieSystemInitTime         = 160
	ieSelectorID             = 302
	ieSamplingPacketInterval = 305
	ieSamplingPacketSpace    = 306
)

// optionsPlan is what an options template became: immutable, shared by all
// workers.
type optionsPlan struct {
	// fields are those that have bytes; nil if the records say nothing that
	// is of use here.
	fields []template.Field
	all    []template.Field // of the template
}

func compileOptions(t *template.Template) *optionsPlan {
	p := &optionsPlan{all: t.Fields}
	useful := false
	for _, f := range t.Fields {
		switch optionElement(&f) {
		case ieSamplingInterval, ieFlowSamplerRandom, ieSamplingPacketInterval, ieSystemInitTime:
			useful = true
		}
		if f.Length > 0 {
			p.fields = append(p.fields, f)
		}
	}
	if !useful {
		p.fields = nil
	}
	return p
}

// optionElement returns the number of the IANA information element of a field,
// 0 for others. The scope fields of v9 have numbers of their own, all below
// those that are looked for here.
func optionElement(f *template.Field) uint16 {
	if f.PEN != 0 || f.Length == 0 {
		return 0
	}
	return f.ID
}

// options learns what a record of options data announces of sampling rates, and
// of when the exporter booted (160, Unix milliseconds). A rate comes from samplingPacketInterval and -Space (305, 306), else
// from flowSamplerRandomInterval (50), else from samplingInterval (34); it
// holds for the sampler that the record names (48, 302), and for the domain.
func (p *Producer) options(pl *optionsPlan, domain *template.Domain, rec []byte) {
	var interval, space, random, plain, sampler uint64
	hasSampler := false
	pos := 0
	for i := range pl.fields {
		fld := &pl.fields[i]
		off, n := template.FieldSpan(fld, rec, pos)
		pos = off + n
		value, ok := number(rec[off:pos])
		if !ok {
			continue
		}
		switch optionElement(fld) {
		case ieSamplingPacketInterval:
			interval = value
		case ieSamplingPacketSpace:
			space = value
		case ieFlowSamplerRandom:
			random = value
		case ieSamplingInterval:
			plain = value
		case ieSystemInitTime:
			if value != 0 {
				domain.Sampling().SetBoot(value)
			}
		case ieFlowSamplerID, ieSelectorID:
			sampler, hasSampler = value, true
		}
	}
	if p.prog.compat {
		space = 0
	}
	rate := packetRate(interval, space)
	if rate == 0 {
		rate = random
	}
	if rate == 0 {
		rate = plain
	}
	if rate == 0 {
		return
	}
	s := domain.Sampling()
	p.rateChange(domain, sampler, hasSampler, rate)
	s.Set(rate)
	if hasSampler && !s.SetSampler(sampler, rate) {
		p.fault(ReasonSamplerLimit)
	}
}

// packetRate returns how many packets stand for one where interval of them are
// taken and space are then left out (RFC 5477 section 8.2). Exporters that
// give no space use the interval for the rate itself.
func packetRate(interval, space uint64) uint64 {
	if interval == 0 || space == 0 {
		return interval
	}
	if sum := interval + space; sum > interval {
		return (sum + interval/2) / interval
	}
	return interval
}
