package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// webOptions declares the options of the web server.
func (c *Config) webOptions() []Option {
	return []Option{
		{
			Name: "addr", Group: GroupSee, Default: "127.0.0.1:8080", Shape: "host:port", Inner: "listen",
			Value: addrValue(&c.Addr),
			Help:  "Address of the web server, with /metrics, /__health, /config, the exporters and the templates. :8080 serves other hosts too, to whom it shows which exporters there are. Empty for none.",
		},
		{
			Name: "addr.hosts", Group: GroupSee, Default: "", Shape: "name,...",
			Value: hostsValue(&c.AddrHosts),
			Help:  "Host names that clients may use for the web server. A server on a loopback address answers only to localhost, loopback addresses and these names. A server on another address answers to every name if this is empty, else only to these names and to IP addresses.",
		},
		{
			Name: "addr.token-file", Group: GroupSee, Default: "", Shape: "file",
			Value: TextValue(&c.AddrTokenFile),
			Help:  "File with a token in its first line, 16 characters or more, readable by weir's user and group only. Every POST then needs it (Authorization: Bearer TOKEN), from this host too. Empty allows POST /-/reload without a token, from this host only. A reload reads the file again.",
		},
		{
			Name: "templates.path", Group: GroupSee, Default: "/templates", Shape: "path",
			Value: pathValue(&c.TemplatesPath),
			Help:  "Path of the page that lists the templates of every exporter. Empty for none.",
		},
		{
			Name: "metrics.exporters", Group: GroupSee, Default: "1000", Shape: "n",
			Value: IntValue(&c.MetricsExporters, 0, 1_000_000),
			Help:  "Exporters that get metrics of their own; those beyond are counted together.",
		},
	}
}

// hostsValue is a list of host names and addresses, without ports.
func hostsValue(p *[]string) Value {
	const allowed = "host names or addresses without port, such as weir.example.net,192.0.2.1"
	return Value{
		List: true,
		Set:  func(s string) error { *p = split(s); return nil },
		Get:  func() string { return strings.Join(*p, ",") },
		Check: func() error {
			var faults Problems
			for i, h := range *p {
				if _, err := netip.ParseAddr(h); err == nil {
					continue
				}
				switch {
				case h == "*":
					faults = append(faults, &Problem{Part: show(h), Index: i, Text: "no pattern is understood", Allowed: allowed})
				case !isHostName(h):
					faults = append(faults, &Problem{Part: show(h), Index: i, Text: "not a host name", Allowed: allowed})
				}
			}
			if len(faults) > 0 {
				return faults
			}
			return nil
		},
	}
}

// addrValue is the host:port of the web server, or empty.
func addrValue(p *string) Value {
	const allowed = "host:port with a port from 0 to 65535, such as :8080, 127.0.0.1:8080 or [::1]:8080, or empty for no web server"
	v := TextValue(p)
	v.Text = false
	v.Check = func() error {
		if *p == "" {
			return nil
		}
		_, port, err := net.SplitHostPort(*p)
		if err != nil {
			return &Problem{Text: "not host:port", Allowed: allowed}
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return &Problem{Text: "port " + show(port) + " is not a port number", Allowed: allowed}
		}
		return nil
	}
	return v
}
