package cases

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// samples is an sFlow datagram.
type samples struct {
	agent  netip.Addr
	no     uint32
	uptime uint32
	all    []sample
}

type sample struct {
	in, out, rate, expanded uint32
	inFormat, outFormat     uint32 // of the expanded form
	source                  uint32
	discard, reason         uint32   // of a discarded packet: 1, and why
	records                 [][]byte // with their headers
}

func beginSFlow(agent string, options map[string]string) (message, error) {
	a, err := netip.ParseAddr(agent)
	if err != nil {
		return nil, err
	}
	m := &samples{agent: a, no: 1, uptime: 60_000}
	return m, numbers(options, map[string]*uint32{"sequence": &m.no, "uptime": &m.uptime})
}

func (m *samples) add(_ *parser, words []string) error {
	if words[0] == "sample" || words[0] == "discard" {
		options, err := pairs(words[1:])
		if err != nil {
			return err
		}
		s := sample{rate: 1000, source: 1}
		m.all = append(m.all, s)
		last := &m.all[len(m.all)-1]
		if words[0] == "discard" {
			last.discard = 1
		}
		return numbers(options, map[string]*uint32{"in": &last.in, "out": &last.out, "rate": &last.rate, "expanded": &last.expanded,
			"in_format": &last.inFormat, "out_format": &last.outFormat, "source": &last.source, "reason": &last.reason})
	}
	if len(m.all) == 0 || len(words) < 2 {
		return fmt.Errorf("%s without a sample", words[0])
	}
	last := &m.all[len(m.all)-1]
	switch words[0] {
	case "header":
		if len(words) < 4 {
			return fmt.Errorf("header without protocol, frame length and bytes")
		}
		frame, err := unhex(words[3:])
		if err != nil {
			return err
		}
		var protocol, length uint32
		if err := numbers(map[string]string{"protocol": words[1], "frame": words[2]}, map[string]*uint32{"protocol": &protocol, "frame": &length}); err != nil {
			return err
		}
		last.record(0, 1, append(words32(protocol, length, 4, uint32(len(frame))), frame...))
		return nil
	case "record":
		enterprise, format, ok := strings.Cut(words[1], ":")
		e, err1 := strconv.ParseUint(enterprise, 0, 20)
		f, err2 := strconv.ParseUint(format, 0, 12)
		body, err3 := unhex(words[2:])
		if !ok || err1 != nil || err2 != nil || err3 != nil {
			return fmt.Errorf("record %q is no enterprise:format with hexadecimal bytes", words[1])
		}
		last.record(uint32(e), uint32(f), body)
		return nil
	}
	return fmt.Errorf("%s in an sFlow datagram", words[0])
}

func words32(v ...uint32) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func (s *sample) record(enterprise, format uint32, body []byte) {
	b := append(words32(enterprise<<12|format, uint32(len(body))), body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	s.records = append(s.records, b)
}

func (m *samples) bytes() []byte {
	family := uint32(1)
	if m.agent.Is6() {
		family = 2
	}
	b := append(words32(5, family), m.agent.AsSlice()...)
	b = append(b, words32(0, m.no, m.uptime, uint32(len(m.all)))...)
	for i := range m.all {
		s := &m.all[i]
		format := uint32(1)
		body := words32(uint32(i+1), s.source, s.rate, 1000, 0, s.in, s.out, uint32(len(s.records)))
		if s.expanded != 0 {
			format = 3
			body = words32(uint32(i+1), 0, s.source, s.rate, 1000, 0, s.inFormat, s.in, s.outFormat, s.out, uint32(len(s.records)))
		}
		if s.discard != 0 {
			format = 5
			body = words32(uint32(i+1), 0, s.source, 0, s.in, s.out, s.reason, uint32(len(s.records)))
		}
		for _, r := range s.records {
			body = append(body, r...)
		}
		b = append(append(b, words32(format, uint32(len(body)))...), body...)
	}
	return b
}
