package cases

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Case is an export and what is right.
type Case struct {
	Name      string
	Datagrams []Datagram
	Flows     []map[string]string // fields by their names in flow.proto
	Faults    []string            // names of the reasons that are counted
}

// Datagram is what an exporter sends at once.
type Datagram struct {
	Source  netip.AddrPort
	Payload []byte
	At      time.Duration // after the first one
}

// Read reads cases. An error names the line.
func Read(r io.Reader) (all []Case, err error) {
	var p parser
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for line := 1; sc.Scan(); line++ {
		words, err := split(sc.Text())
		if err == nil && len(words) > 0 {
			err = p.line(words)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	p.end()
	return p.cases, sc.Err()
}

// split splits at spaces, but for those in quotes, which stay around the word.
func split(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] == '#' {
			break
		}
		n, quoted := 0, false
		for ; n < len(line) && (quoted || line[n] != ' ' && line[n] != '\t'); n++ {
			quoted = quoted != (line[n] == '"')
		}
		if quoted {
			return nil, fmt.Errorf("no end of the quotes in %q", line)
		}
		words = append(words, line[:n])
		line = line[n:]
	}
	return words, nil
}

// parser holds the case and the datagram that lines add to.
type parser struct {
	cases     []Case
	source    netip.AddrPort
	at        time.Duration
	message   message                    // what is being built, nil for none
	templates map[string][]templateField // by protocol, domain and id
}

// message is a datagram that lines add to.
type message interface {
	add(p *parser, words []string) error
	bytes() []byte
}

func (p *parser) line(words []string) error {
	if words[0] == "case" {
		p.end()
		p.cases = append(p.cases, Case{Name: strings.Join(words[1:], " ")})
		p.source = netip.MustParseAddrPort("192.0.2.1:2055")
		p.templates, p.at = map[string][]templateField{}, 0
		return nil
	}
	if len(p.cases) == 0 {
		return fmt.Errorf("%s in front of the first case", words[0])
	}
	c := &p.cases[len(p.cases)-1]
	switch words[0] {
	case "exporter":
		p.end()
		source, err := netip.ParseAddrPort(strings.Join(words[1:], " "))
		p.source = source
		return err
	case "wait":
		p.end()
		d, err := time.ParseDuration(strings.Join(words[1:], " "))
		p.at += d
		return err
	case "fault":
		p.end()
		c.Faults = append(c.Faults, words[1:]...)
		return nil
	case "v9", "ipfix", "sflow":
		p.end()
		m, err := begin(words)
		p.message = m
		return err
	case "hex":
		p.end()
		b, err := unhex(words[1:])
		c.Datagrams = append(c.Datagrams, Datagram{p.source, b, p.at})
		return err
	case "flow":
		p.end()
		f, err := pairs(words[1:])
		c.Flows = append(c.Flows, f)
		return err
	}
	if p.message == nil {
		return fmt.Errorf("%s without a datagram in front of it", words[0])
	}
	return p.message.add(p, words)
}

// end ends the datagram that is being built.
func (p *parser) end() {
	if p.message == nil {
		return
	}
	c := &p.cases[len(p.cases)-1]
	d := Datagram{p.source, p.message.bytes(), p.at}
	if m, ok := p.message.(*sets); ok && m.behind != 0 && len(c.Datagrams) > 0 {
		last := &c.Datagrams[len(c.Datagrams)-1]
		last.Payload = append(last.Payload, d.Payload...)
	} else {
		c.Datagrams = append(c.Datagrams, d)
	}
	p.message = nil
}

// pairs reads NAME=VALUE; quotes around the value are left out.
func pairs(words []string) (map[string]string, error) {
	all := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no name=value", w)
		}
		all[name] = strings.Trim(value, `"`)
	}
	return all, nil
}
