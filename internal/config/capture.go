package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weirflow/weir/internal/option"
)

// XDP says how to receive past the kernel's network stack.
type XDP struct {
	Interfaces []string      // network interfaces; none receives on sockets only
	Mode       string        // "auto", "native" or "generic"
	ZeroCopy   string        // "auto", "on" or "off"
	Queues     int           // receive queues of each interface; 0 is all
	Workers    int           // workers; 0 is one a CPU
	RingSize   int           // frames that can wait for a worker on each queue
	BusyPoll   time.Duration // 0 is off
	Require    bool          // fail where it cannot be had
}

// Exporters says who may send, and how much.
type Exporters struct {
	Allow []netip.Prefix // none allows all
	Deny  []netip.Prefix // the longest prefix of both lists decides
	Rate  int            // datagrams a second of each; 0 is no limit
}

// captureOptions declares the options of receiving past the stack, and of who
// may send.
func (c *Config) captureOptions() []option.Option {
	x, e := &c.XDP, &c.Exporters
	return []option.Option{
		{
			Name: "xdp.interface", Live: true, Group: option.GroupReceive, Default: "", Shape: "name,...",
			Value: namesValue(&x.Interfaces),
			Help:  "Network interfaces to receive on by XDP and AF_XDP, bypassing the kernel network stack. The sockets of -listen stay open too, for fragments and whatever else the program leaves to the kernel. Needs CAP_NET_RAW, CAP_BPF and CAP_NET_ADMIN. Empty receives on sockets only.",
		},
		{
			Name: "xdp.mode", Live: true, Group: option.GroupReceive, Default: "auto", Shape: "auto|native|generic",
			Value: option.ChoiceValue(&x.Mode, option.Choices{Allowed: []string{"auto", "native", "generic"}}),
			Help:  "How the XDP program is attached: native runs it in the driver, generic works with every driver and costs more. auto tries native first.",
		},
		{
			Name: "xdp.zerocopy", Live: true, Group: option.GroupReceive, Default: "auto", Shape: "auto|on|off",
			Value: option.ChoiceValue(&x.ZeroCopy, option.Choices{Allowed: []string{"auto", "on", "off"}}),
			Help:  "Whether the network card writes into weir's memory itself. auto does so where the driver can.",
		},
		{
			Name: "xdp.queues", Live: true, Group: option.GroupReceive, Default: "0", Shape: "n",
			Value: option.IntValue(&x.Queues, 0, 1024),
			Help:  "Receive queues of each interface to read, from the first. 0 reads all.",
		},
		{
			Name: "xdp.workers", Group: option.GroupReceive, Default: "0", Shape: "n",
			Value: option.IntValue(&x.Workers, 0, 256),
			Help:  "Workers that share the interfaces. Each reads every queue; each exporter belongs to one worker. 0 is one worker per CPU.",
		},
		{
			Name: "xdp.ring", Live: true, Group: option.GroupReceive, Default: "2048", Shape: "n",
			Value: powerValue(&x.RingSize, 64, 1<<16),
			Help:  "Frames that can wait for a worker on each queue, a power of two. Larger rings survive longer stalls and use more cache.",
		},
		{
			Name: "xdp.busy-poll", Live: true, Group: option.GroupReceive, Default: "0", Shape: "duration",
			Value: option.DurationValue(&x.BusyPoll, time.Microsecond, 10*time.Millisecond, "off"),
			Help:  "Busy polling: maximum time that a worker's system call polls the network card when no frame waits. 0 is off.",
		},
		{
			Name: "xdp.require", Group: option.GroupReceive, Default: "false", Shape: "true|false",
			Value: option.SwitchValue(&x.Require),
			Help:  "Fail if XDP cannot be attached, instead of continuing with sockets alone.",
		},
		{
			Name: "latency", Group: option.GroupReceive, Default: "10ms", Shape: "duration",
			Value: option.DurationValue(&c.Latency, 50*time.Microsecond, 100*time.Millisecond, "none"),
			Help:  "Maximum time a worker waits for more datagrams before it reads, to save wake-ups. weir waits less (never under 1 ms) if a burst could overflow a ring or socket buffer. 0 wakes the worker for every datagram.",
		},
		{
			Name: "exporters.allow", Live: true, Group: option.GroupReceive, Default: "", Shape: "prefix,...",
			Value: prefixesValue(&e.Allow),
			Help:  "Addresses and prefixes of exporters to receive from. Empty receives from all. If prefixes of both lists match, the longest decides.",
		},
		{
			Name: "exporters.deny", Live: true, Group: option.GroupReceive, Default: "", Shape: "prefix,...",
			Value: prefixesValue(&e.Deny),
			Help:  "Addresses and prefixes of exporters whose datagrams are dropped before weir reads them.",
		},
		{
			Name: "exporters.rate", Live: true, Group: option.GroupReceive, Default: "0", Shape: "n",
			Value: option.IntValue(&e.Rate, 0, 100_000_000),
			Help:  "Maximum rate of each exporter, in datagrams per second. A datagram counts once more for each 256 records and for each 256 KiB that are written for it. 0 sets no limit.",
		},
	}
}

// powerValue is a power of two from lo to hi.
func powerValue(p *int, lo, hi int) option.Value {
	v := option.IntValue(p, lo, hi)
	check := v.Check
	v.Check = func() error {
		if err := check(); err != nil {
			return err
		}
		if *p&(*p-1) != 0 {
			return &option.Problem{Text: "not a power of two", Allowed: "a power of two, such as 2048"}
		}
		return nil
	}
	return v
}

// namesValue is a list of names of network interfaces.
func namesValue(p *[]string) option.Value {
	return option.ListValue(p, "names of network interfaces, such as eth0,eth1", func(list []string, i int) string {
		switch name := list[i]; {
		case name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n"):
			return "not a name of a network interface"
		case slices.Contains(list[:i], name):
			return "named twice"
		}
		return ""
	})
}

// prefixesValue is a list of addresses and prefixes.
func prefixesValue(p *[]netip.Prefix) option.Value {
	const allowed = "addresses and prefixes, such as 192.0.2.1,198.51.100.0/24,2001:db8::/32"
	return option.Value{
		List: true,
		Set: func(s string) error {
			var list []netip.Prefix
			var faults option.Problems
			for i, part := range option.Split(s) {
				prefix, err := netip.ParsePrefix(part)
				if addr, aerr := netip.ParseAddr(part); aerr == nil && addr.Zone() == "" {
					prefix, err = addr.Prefix(addr.BitLen())
				}
				if err != nil {
					faults = append(faults, &option.Problem{Part: option.Show(part), Index: i, Text: "not an address or prefix", Allowed: allowed})
					continue
				}
				list = append(list, prefix.Masked())
			}
			if len(faults) > 0 {
				return faults
			}
			*p = list
			return nil
		},
		Get: func() string {
			parts := make([]string, len(*p))
			for i, prefix := range *p {
				parts[i] = prefix.String()
			}
			return strings.Join(parts, ",")
		},
		Check: func() error { return nil },
	}
}
