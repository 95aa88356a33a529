package cases

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Case is an export and what is right.
type Case struct {
	Name      string
	Datagrams []Datagram
	Flows     []map[string]string // fields by their names in flow.proto
}

// Datagram is what an exporter sends at once.
type Datagram struct {
	Source  netip.AddrPort
	Payload []byte
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
		n := strings.IndexAny(line, " \t\"")
		if n >= 0 && line[n] == '"' {
			end := strings.IndexByte(line[n+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("no end of the quotes in %q", line)
			}
			n += end + 2
		}
		if n < 0 {
			n = len(line)
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
		p.templates = map[string][]templateField{}
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
	case "v9", "ipfix", "sflow":
		p.end()
		m, err := begin(words)
		p.message = m
		return err
	case "hex":
		p.end()
		b, err := unhex(words[1:])
		c.Datagrams = append(c.Datagrams, Datagram{p.source, b})
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
	c.Datagrams = append(c.Datagrams, Datagram{p.source, p.message.bytes()})
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
