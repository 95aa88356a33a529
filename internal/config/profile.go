package config

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/internal/option"
)

// Profile says where profiles of the running process are served.
type Profile struct {
	Addr string // host:port, the host a loopback address; "" is nowhere
}

// options declares the options of profiling.
func (p *Profile) options() []option.Option {
	return []option.Option{
		{
			Name: "pprof", Group: option.GroupSee, Default: "", Shape: "host:port",
			Value: loopbackValue(&p.Addr),
			Help:  "Loopback address to serve profiles of the process on (net/http/pprof), such as 127.0.0.1:6060. Empty for none.",
		},
	}
}

// loopbackValue is a host:port that only the host itself reaches, or empty.
func loopbackValue(p *string) option.Value {
	const allowed = "127.0.0.1:port, [::1]:port or localhost:port, or empty for none"
	v := option.TextValue(p)
	v.Text = false
	v.Check = func() error {
		if *p == "" {
			return nil
		}
		host, port, err := net.SplitHostPort(*p)
		if err != nil {
			return &option.Problem{Text: "not host:port", Allowed: allowed}
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return &option.Problem{Text: "port " + option.Show(port) + " is not a port number", Allowed: allowed}
		}
		if host == "localhost" {
			return nil
		}
		if addr, err := netip.ParseAddr(host); err != nil || !addr.IsLoopback() {
			return &option.Problem{Text: "host " + option.Show(host) + " is no loopback address; profiles show what is in the process's memory", Allowed: allowed}
		}
		return nil
	}
	return v
}
