package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
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
func (c *Config) captureOptions() []Option {
	x, e := &c.XDP, &c.Exporters
	return []Option{
		{
			Name: "xdp.interface", Group: GroupReceive, Default: "", Shape: "name,...",
			Value: namesValue(&x.Interfaces),
			Help:  "Network interfaces to receive on by XDP and AF_XDP, past the kernel's network stack. The sockets of -listen stay open beside it, for fragments and whatever else the program leaves to the kernel. Needs CAP_NET_RAW, CAP_BPF and CAP_NET_ADMIN. Empty receives on sockets only.",
		},
		{
			Name: "xdp.mode", Group: GroupReceive, Default: "auto", Shape: "auto|native|generic",
			Value: ChoiceValue(&x.Mode, Choices{Allowed: []string{"auto", "native", "generic"}}),
			Help:  "How the XDP program is attached: native is in the driver, generic works with every driver and costs more. auto tries native first.",
		},
		{
			Name: "xdp.zerocopy", Group: GroupReceive, Default: "auto", Shape: "auto|on|off",
			Value: ChoiceValue(&x.ZeroCopy, Choices{Allowed: []string{"auto", "on", "off"}}),
			Help:  "Whether the network card writes into weir's memory itself. auto does where the driver can.",
		},
		{
			Name: "xdp.queues", Group: GroupReceive, Default: "0", Shape: "n",
			Value: IntValue(&x.Queues, 0, 1024),
			Help:  "Receive queues of each interface to read, from the first. 0 reads all.",
		},
		{
			Name: "xdp.workers", Group: GroupReceive, Default: "0", Shape: "n",
			Value: IntValue(&x.Workers, 0, 256),
			Help:  "Workers that share the interfaces; each reads every queue, and each exporter is read by one. 0 is one a CPU.",
		},
		{
			Name: "xdp.ring", Group: GroupReceive, Default: "2048", Shape: "n",
			Value: powerValue(&x.RingSize, 64, 1<<16),
			Help:  "Frames that can wait for a worker on each queue, a power of two. Larger rings ride out longer stalls and cost more cache.",
		},
		{
			Name: "xdp.busy-poll", Group: GroupReceive, Default: "0", Shape: "duration",
			Value: DurationValue(&x.BusyPoll, time.Microsecond, 10*time.Millisecond, "off"),
			Help:  "Have the workers' own system calls drive the network card, for as long as this when there is nothing. 0 is off.",
		},
		{
			Name: "xdp.require", Group: GroupReceive, Default: "false", Shape: "true|false",
			Value: SwitchValue(&x.Require),
			Help:  "Fail where XDP cannot be had, instead of going on with sockets.",
		},
		{
			Name: "latency", Group: GroupReceive, Default: "10ms", Shape: "duration",
			Value: DurationValue(&c.Latency, 50*time.Microsecond, 100*time.Millisecond, "none"),
			Help:  "Longest time that a worker lets datagrams gather before it looks for them, when they come often enough for that to save wake-ups; less where rings or buffers would not last for a burst, but a millisecond. 0 wakes up for each.",
		},
		{
			Name: "exporters.allow", Group: GroupReceive, Default: "", Shape: "prefix,...",
			Value: prefixesValue(&e.Allow),
			Help:  "Addresses and prefixes of exporters to receive from. Empty receives from all. Where prefixes of both lists fit, the longest decides.",
		},
		{
			Name: "exporters.deny", Group: GroupReceive, Default: "", Shape: "prefix,...",
			Value: prefixesValue(&e.Deny),
			Help:  "Addresses and prefixes of exporters to drop the datagrams of, before anything else is done with them.",
		},
		{
			Name: "exporters.rate", Group: GroupReceive, Default: "0", Shape: "n",
			Value: IntValue(&e.Rate, 0, 100_000_000),
			Help:  "Datagrams a second to take of each exporter at most. 0 sets no limit.",
		},
	}
}

// SwitchValue is a truth value. As a flag it may stand alone.
func SwitchValue(p *bool) Value {
	return Value{
		Switch: true,
		Set: func(s string) error {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return &Problem{Text: "not a truth value", Allowed: "true, false"}
			}
			*p = b
			return nil
		},
		Get:   func() string { return strconv.FormatBool(*p) },
		Check: func() error { return nil },
	}
}

// powerValue is a power of two from lo to hi.
func powerValue(p *int, lo, hi int) Value {
	v := IntValue(p, lo, hi)
	check := v.Check
	v.Check = func() error {
		if err := check(); err != nil {
			return err
		}
		if *p&(*p-1) != 0 {
			return &Problem{Text: "not a power of two", Allowed: "a power of two, such as 2048"}
		}
		return nil
	}
	return v
}

// split cuts a list at its commas; an empty text is an empty list.
func split(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// namesValue is a list of names of network interfaces.
func namesValue(p *[]string) Value {
	const allowed = "names of network interfaces, such as eth0,eth1"
	return Value{
		List: true,
		Set:  func(s string) error { *p = split(s); return nil },
		Get:  func() string { return strings.Join(*p, ",") },
		Check: func() error {
			var faults Problems
			for i, name := range *p {
				switch {
				case name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n"):
					faults = append(faults, &Problem{Part: show(name), Index: i, Text: "not a name of a network interface", Allowed: allowed})
				case slices.Contains((*p)[:i], name):
					faults = append(faults, &Problem{Part: show(name), Index: i, Text: "named twice", Allowed: allowed})
				}
			}
			if len(faults) > 0 {
				return faults
			}
			return nil
		},
	}
}

// prefixesValue is a list of addresses and prefixes.
func prefixesValue(p *[]netip.Prefix) Value {
	const allowed = "addresses and prefixes, such as 192.0.2.1,198.51.100.0/24,2001:db8::/32"
	return Value{
		List: true,
		Set: func(s string) error {
			var list []netip.Prefix
			var faults Problems
			for i, part := range split(s) {
				prefix, err := netip.ParsePrefix(part)
				if addr, aerr := netip.ParseAddr(part); aerr == nil && addr.Zone() == "" {
					prefix, err = addr.Prefix(addr.BitLen())
				}
				if err != nil {
					faults = append(faults, &Problem{Part: show(part), Index: i, Text: "not an address or prefix", Allowed: allowed})
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
