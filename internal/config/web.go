package config

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/internal/option"
)

// webOptions declares the options of the web server.
func (c *Config) webOptions() []option.Option {
	return []option.Option{
		{
			Name: "addr", Group: option.GroupSee, Default: "127.0.0.1:8080", Shape: "host:port", Inner: "listen",
			Value: addrValue(&c.Addr),
			Help:  "Address of the web server, with /metrics, /__health, /health, /config, the exporters and the templates. :8080 serves other hosts too, and shows them the exporters; it is the default with -compat goflow2. Empty for none.",
		},
		{
			Name: "addr.hosts", Group: option.GroupSee, Default: "", Shape: "name,...",
			Value: hostsValue(&c.AddrHosts),
			Help:  "Host names that clients may use for the web server. A server on a loopback address answers only to localhost, loopback addresses and these names. A server on another address answers to every name if this is empty, else only to these names and to IP addresses.",
		},
		{
			Name: "addr.token-file", Group: option.GroupSee, Default: "", Shape: "file",
			Value: option.TextValue(&c.AddrTokenFile),
			Help:  "File with a token in its first line, 16 characters or more, readable by weir's user and group only. Every POST then needs it (Authorization: Bearer TOKEN), from this host too. Empty allows POST /-/reload without a token, from this host only. A reload reads the file again.",
		},
		{
			Name: "web.config.file", Group: option.GroupSee, Default: "", Shape: "file",
			Value: option.TextValue(&c.WebConfigFile),
			Help:  "Prometheus' web configuration file: TLS, users with passwords, headers, for all pages. weir reads it again for each connection. Empty for plain HTTP.",
		},
		{
			Name: "templates.path", Group: option.GroupSee, Default: "/templates", Shape: "path",
			Value: pathValue(&c.TemplatesPath),
			Help:  "Path of the page that lists the templates of every exporter. Empty for none.",
		},
		{
			Name: "metrics.exporters", Live: true, Group: option.GroupSee, Default: "1000", Shape: "n",
			Value: option.IntValue(&c.MetricsExporters, 0, 1_000_000),
			Help:  "Maximum number of exporters with metrics of their own. The others are counted together.",
		},
	}
}

// hostsValue is a list of host names and addresses, without ports.
func hostsValue(p *[]string) option.Value {
	const allowed = "host names or addresses without port, such as weir.example.net,192.0.2.1"
	return option.ListValue(p, allowed, func(list []string, i int) string {
		_, err := netip.ParseAddr(list[i])
		switch {
		case err == nil:
		case list[i] == "*":
			return "no pattern is understood"
		case !isHostName(list[i]):
			return "not a host name"
		}
		return ""
	})
}

// addrValue is the host:port of the web server, or empty.
func addrValue(p *string) option.Value {
	const allowed = "host:port with a port from 0 to 65535, such as :8080, 127.0.0.1:8080 or [::1]:8080, or empty for no web server"
	v := option.TextValue(p)
	v.Text = false
	v.Check = func() error {
		if *p == "" {
			return nil
		}
		_, port, err := net.SplitHostPort(*p)
		if err != nil {
			return &option.Problem{Text: "not host:port", Allowed: allowed}
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return &option.Problem{Text: "port " + option.Show(port) + " is not a port number", Allowed: allowed}
		}
		return nil
	}
	return v
}
