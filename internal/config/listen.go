package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// The schemes of a listen address: what is expected in the datagrams.
const (
	SchemeSFlow   = "sflow"   // sFlow v5
	SchemeNetFlow = "netflow" // NetFlow v1, v5, v7, v8, v9 and IPFIX, by the version word
	SchemeNFL     = "nfl"     // NetFlow v5 and its like, by the name of goflow2's older releases
	SchemeFlow    = "flow"    // all of them, told apart datagram by datagram
)

// MaxSockets is the largest count of a listen address.
const MaxSockets = 256

// A Listen is one address to receive datagrams on.
type Listen struct {
	// Scheme is one of the Scheme constants.
	Scheme string
	// Addr is the address to bind. For an empty Host it is the unspecified
	// IPv6 address, which stands for all addresses of both families. For a
	// host name it holds the port only, until the name is resolved. Port 0
	// leaves the choice to the kernel.
	Addr netip.AddrPort
	// Host is the host as written, without brackets: empty, an address, or
	// a name.
	Host string
	// Count is the number of sockets, 1 to MaxSockets, that share the
	// address by SO_REUSEPORT.
	Count int
	// RawURI is the address as written.
	RawURI string
	// Notes name the parameters that were accepted and mean nothing here.
	Notes []string
}

const (
	allowedSchemes = "sflow://, netflow://, nfl://, flow://"
	allowedHost    = "nothing (all addresses), an IPv4 address, an IPv6 address in brackets, or a host name"
	allowedParams  = "count; workers, blocking and queue_size are accepted without effect"
	allowedURI     = "scheme://host:port/?count=N, such as netflow://:2055 or sflow://192.0.2.1:6343/?count=4"
)

// ParseListen reads a comma separated list of listen addresses,
// scheme://host:port/?count=N. Host names are not resolved. The error is of
// type Problems and holds every fault of every address; its Part is the
// address, its Index the element of the list.
func ParseListen(list string) ([]Listen, error) {
	var out []Listen
	var all option.Problems
	for i, uri := range strings.Split(list, ",") {
		l, problems := parseListenURI(strings.TrimSpace(uri))
		for _, p := range problems {
			p.Index = i
		}
		all = append(all, problems...)
		out = append(out, l)
	}
	if len(all) > 0 {
		return nil, all
	}
	return out, nil
}

// parseListenURI reads one address and reports all of its faults. The pieces
// are cut by hand, so that each fault can name its piece.
func parseListenURI(uri string) (Listen, option.Problems) {
	l := Listen{RawURI: uri, Count: 1}
	var faults option.Problems
	bad := func(text, allowed string) {
		faults = append(faults, &option.Problem{Part: option.Show(uri), Text: text, Allowed: allowed})
	}
	if uri == "" {
		bad("empty listen address", allowedURI)
		return l, faults
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		bad("no scheme", allowedURI)
		return l, faults
	}
	l.Scheme = strings.ToLower(scheme)
	if !slices.Contains([]string{SchemeSFlow, SchemeNetFlow, SchemeNFL, SchemeFlow}, l.Scheme) {
		bad("unknown scheme "+option.Show(scheme), allowedSchemes)
	}
	if i := strings.IndexAny(rest, "#@"); i >= 0 {
		bad("unexpected character "+option.Show(rest[i:i+1]), allowedURI)
		return l, faults
	}
	rest, query, _ := strings.Cut(rest, "?")
	hostPort, path, _ := strings.Cut(rest, "/")
	if path != "" {
		bad("path "+option.Show("/"+path)+" means nothing", allowedURI)
	}
	for _, p := range l.setHostPort(hostPort) {
		bad(p.Text, p.Allowed)
	}
	for _, p := range l.setParams(query) {
		bad(p.Text, p.Allowed)
	}
	return l, faults
}

// setHostPort fills Host and Addr from host:port.
func (l *Listen) setHostPort(s string) (faults option.Problems) {
	bad := func(text, allowed string) { faults = append(faults, &option.Problem{Text: text, Allowed: allowed}) }
	colon := strings.LastIndexByte(s, ':')
	if colon < strings.LastIndexByte(s, ']') {
		colon = -1
	}
	host, port := s, uint64(0)
	if colon < 0 {
		bad("no port", "a port from 0 to 65535 after the host, such as :2055")
	} else {
		var err error
		host = s[:colon]
		if port, err = strconv.ParseUint(s[colon+1:], 10, 16); err != nil {
			bad("port "+option.Show(s[colon+1:])+" is not a port number", "0 to 65535, where 0 lets the kernel choose")
		}
	}
	addr := netip.Addr{}
	switch {
	case host == "":
		addr = netip.IPv6Unspecified()
	case host[0] == '[':
		// A zone is written %25eth0 in a URI; a bare % is understood too.
		inner := strings.Replace(strings.TrimSuffix(host[1:], "]"), "%25", "%", 1)
		var err error
		if addr, err = netip.ParseAddr(inner); err != nil || addr.Is4() || !strings.HasSuffix(host, "]") {
			bad("host "+option.Show(host)+" is not an IPv6 address in brackets", allowedHost)
		}
		host, addr = inner, addr.Unmap()
	case strings.Contains(host, ":"):
		bad("host "+option.Show(host)+" has colons but no brackets", allowedHost)
	case host == "*":
		bad(`host "*" is not an address; leave the host empty for all addresses`, allowedHost)
	default:
		var err error
		if addr, err = netip.ParseAddr(host); err != nil && !isHostName(host) {
			bad("host "+option.Show(host)+" is neither an address nor a host name", allowedHost)
		}
	}
	if addr.IsMulticast() {
		bad("host "+option.Show(host)+" is a multicast address", allowedHost)
	}
	l.Host = host
	l.Addr = netip.AddrPortFrom(addr, uint16(port))
	return faults
}

// isHostName tells whether s can be a host name: labels of letters, digits,
// hyphens and underscores, the last of them not a number (or it would be a
// broken IPv4 address).
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, r := range label {
			if !isAlnum(r) && r != '-' && r != '_' {
				return false
			}
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// setParams fills Count and Notes from the query.
func (l *Listen) setParams(query string) (faults option.Problems) {
	bad := func(text, allowed string) { faults = append(faults, &option.Problem{Text: text, Allowed: allowed}) }
	values, err := url.ParseQuery(query)
	if err != nil {
		bad("parameters cannot be read", allowedParams)
		return faults
	}
	for _, name := range sortedKeys(values) {
		value := values[name][0]
		if len(values[name]) > 1 {
			bad("parameter "+option.Show(name)+" is given twice", "each parameter once")
			continue
		}
		switch name {
		case "count":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > MaxSockets {
				bad("count "+option.Show(value)+" is not a number of sockets", fmt.Sprintf("1 to %d", MaxSockets))
				continue
			}
			l.Count = n
		case "workers", "queue_size":
			if _, err := strconv.ParseUint(value, 10, 63); err != nil {
				bad(name+" "+option.Show(value)+" is not a whole number", "0 and up, without effect")
				continue
			}
			l.Notes = append(l.Notes, name)
		case "blocking":
			if _, err := strconv.ParseBool(value); err != nil {
				bad("blocking "+option.Show(value)+" is not a truth value", "true or false, without effect")
				continue
			}
			l.Notes = append(l.Notes, name)
		default:
			bad(unknown("parameter "+option.Show(name), "", name, []string{"count", "workers", "blocking", "queue_size"}), allowedParams)
		}
	}
	return faults
}

// listenNote says why a parameter of goflow2's listen addresses means nothing
// here.
func listenNote(param string) string {
	why := "datagrams are decoded by the thread that receives them and do not queue in between"
	if param == "workers" {
		why = "each socket has its own worker, so that count sets both"
	}
	return fmt.Sprintf("%s in -listen has no effect: %s", param, why)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

// checkListens refuses addresses that are there twice or were not made by
// ParseListen.
func checkListens(ls []Listen) error {
	var faults option.Problems
	if len(ls) == 0 {
		return &option.Problem{Text: "no listen address", Allowed: allowedURI}
	}
	first := make(map[string]int, len(ls))
	for i, l := range ls {
		if l.Count < 1 || l.Count > MaxSockets {
			faults = append(faults, &option.Problem{Part: option.Show(l.RawURI), Index: i, Text: fmt.Sprintf("count %d is not a number of sockets", l.Count), Allowed: fmt.Sprintf("1 to %d", MaxSockets)})
		}
		if l.Addr.Port() == 0 {
			continue
		}
		key := l.Addr.String()
		if !l.Addr.Addr().IsValid() {
			key = fmt.Sprintf("%s:%d", strings.ToLower(l.Host), l.Addr.Port())
		}
		if j, ok := first[key]; ok {
			faults = append(faults, &option.Problem{Part: option.Show(l.RawURI), Index: i, Text: "same address as " + option.Show(ls[j].RawURI), Allowed: "each address once; ?count=N opens several sockets, and flow:// takes every protocol on one port"})
			continue
		}
		first[key] = i
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// listenValue is a list of listen addresses.
func listenValue(p *[]Listen) option.Value {
	return option.Value{
		List: true,
		Set: func(s string) error {
			ls, err := ParseListen(s)
			if err != nil {
				return err
			}
			*p = ls
			return nil
		},
		Get: func() string {
			uris := make([]string, len(*p))
			for i, l := range *p {
				uris[i] = l.RawURI
			}
			return strings.Join(uris, ",")
		},
		Check: func() error { return checkListens(*p) },
	}
}
