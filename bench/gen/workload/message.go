package workload

import "encoding/binary"

const (
	templateEvery = 20 // datagrams of an exporter

	samplerID = 1

	v9Records     = 24
	ipfixRecords4 = 12
	ipfixRecords6 = 4

	variantRecords = 12 // at most, of a datagram of the mix
)

// netflow9 makes a NetFlow v9 datagram (RFC 3954).
func (g *Generator) netflow9(s *stream) {
	b := append(g.payload, 0, 9, 0, 0)
	b = binary.BigEndian.AppendUint32(b, s.uptimeMs(g.nowNs))
	b = binary.BigEndian.AppendUint32(b, uint32(g.nowNs/1e9))
	b = binary.BigEndian.AppendUint32(b, s.sequence)
	b = binary.BigEndian.AppendUint32(b, s.domain)

	records := 0 // of templates and options too: section 5.1
	announce := s.sent%templateEvery == 0
	if announce {
		b, records = g.v9Templates(b, s)
	}
	switch {
	case g.mix && announce: // nothing else
	case g.mix && s.sent%2 == 0:
		b = g.appendVariant(b, s, v9Variants)
	default:
		n := v9Records
		const recordLen = 59
		for len(b)+4+n*recordLen+3 > g.limit() {
			n--
		}
		b = g.appendSet(b, s, &v9Template, n)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(records+len(g.flows)))
	s.sequence++
	g.payload = b
}

// v9Templates appends all templates and one record of sampling options, and
// returns the number of records.
func (g *Generator) v9Templates(b []byte, s *stream) ([]byte, int) {
	records := 3
	b, start := beginSet(b, 0)
	b = v9Template.appendTemplate(b)
	if g.mix {
		for i := range v9Variants {
			b = v9Variants[i].appendTemplate(b)
		}
		records += len(v9Variants)
	}
	b = endSet(b, start)

	// Scope system (1); sampler id, mode and rate. Section 6.1.
	b, start = beginSet(b, 1)
	b = binary.BigEndian.AppendUint16(b, idV9Options)
	b = binary.BigEndian.AppendUint16(b, 4)
	b = binary.BigEndian.AppendUint16(b, 12)
	b = appendSpecs(b, all(1, 4, 48, 4, 49, 1, 50, 4))
	b = endSet(b, start)

	b, start = beginSet(b, idV9Options)
	b = binary.BigEndian.AppendUint32(b, s.domain)
	b = binary.BigEndian.AppendUint32(b, samplerID)
	b = append(b, 2) // random
	b = binary.BigEndian.AppendUint32(b, s.rate)
	g.options++
	return endSet(b, start), records
}

// ipfix makes an IPFIX message (RFC 7011).
func (g *Generator) ipfix(s *stream) {
	b := append(g.payload, 0, 10, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(g.nowNs/1e9))
	b = binary.BigEndian.AppendUint32(b, s.sequence)
	b = binary.BigEndian.AppendUint32(b, s.domain)

	announce := s.sent%templateEvery == 0
	if announce {
		b = g.ipfixTemplates(b, s)
	}
	switch {
	case g.mix && announce: // nothing else
	case g.mix && s.sent%2 == 0:
		b = g.appendVariant(b, s, ipfixVariants)
	default:
		n4, n6 := ipfixRecords4, ipfixRecords6
		const recordLen4, recordLen6 = 66, 106
		for len(b)+4+n4*recordLen4+3+4+n6*recordLen6+3 > g.limit() {
			if n4 > 3*n6 {
				n4--
			} else {
				n6--
			}
		}
		b = g.appendSet(b, s, &ipfixTemplate4, n4)
		b = g.appendSet(b, s, &ipfixTemplate6, n6)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	s.sequence += uint32(g.options + len(g.flows))
	g.payload = b
}

// ipfixTemplates appends all templates and one record of sampling options.
func (g *Generator) ipfixTemplates(b []byte, s *stream) []byte {
	b, start := beginSet(b, 2)
	b = ipfixTemplate4.appendTemplate(b)
	b = ipfixTemplate6.appendTemplate(b)
	if g.mix {
		for i := range ipfixVariants {
			b = ipfixVariants[i].appendTemplate(b)
		}
	}
	b = endSet(b, start)

	// Scope selectorId; algorithm, packets taken and packets left out (RFC 5477
	// section 8.2).
	b, start = beginSet(b, 3)
	b = binary.BigEndian.AppendUint16(b, idIPFIXOptions)
	b = binary.BigEndian.AppendUint16(b, 4)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = appendSpecs(b, all(302, 4, 304, 2, 305, 4, 306, 4))
	b = endSet(b, start)

	b, start = beginSet(b, idIPFIXOptions)
	b = binary.BigEndian.AppendUint32(b, samplerID)
	b = binary.BigEndian.AppendUint16(b, 1) // systematic, by count
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, s.rate-1)
	g.options++
	return endSet(b, start)
}

// appendVariant appends a data set of the next of the mix's templates.
func (g *Generator) appendVariant(b []byte, s *stream, list []tmpl) []byte {
	t := &list[s.variant%len(list)]
	s.variant++
	n := min(variantRecords, (g.limit()-len(b)-4-3)/t.maxRecord())
	return g.appendSet(b, s, t, n)
}
