package collector

import (
	"net/netip"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// adversaryRow is one operation at one table.
type adversaryRow struct {
	table, operation string
	cfg              adversaryConfig
	// fill fills the table to its cap.
	fill func(a *adversary)
	// strike returns the datagrams of the i-th operation.
	strike func(i int) []packet
	// plain returns as many plain bytes as a datagram of strike has; nil for data
	// of one exporter.
	plain func(i, size int) packet
	// limit is how many times the CPU time of the plain bytes it may take; 0 for
	// adversaryFactor.
	limit float64
	// strikes is how many operations there are in a turn.
	strikes int
}

func one(from netip.AddrPort, data []byte) []packet { return []packet{{from: from, data: data}} }

// each sends n datagrams.
func (a *adversary) each(n int, f func(i int) packet) {
	for i := range n {
		p := f(i)
		a.send(&p)
	}
}

// fillDomains makes n domains, of as many sources, with a template each; use has them
// used.
func fillDomains(n int, use bool) func(a *adversary) {
	return func(a *adversary) {
		a.each(n, func(i int) packet {
			sets := [][]byte{templates(256, 1, uint16(1+i%400))}
			if use {
				sets = append(sets, dataSet(256, 1, 2, 3, 4))
			}
			return packet{from: forged(i), data: message(1, 0, sets...)}
		})
	}
}

// fillTemplates gives one domain all templates that it may have, all but spare of
// them of options.
func fillTemplates(spare int) func(a *adversary) {
	return func(a *adversary) {
		for id := 300; id < 300+4096-spare; id += 64 {
			a.send(&packet{from: forged(1), data: message(1, 0, optionsTemplates(uint16(id), min(64, 300+4096-spare-id), 34))})
		}
	}
}

// fillSamplers announces n samplers in each of m domains.
func fillSamplers(domains, n int) func(a *adversary) {
	return func(a *adversary) {
		a.each(domains, func(d int) packet {
			body := []byte{}
			for s := range n {
				body = append(body, rate(uint32(s), 100)...)
			}
			return packet{from: forged(d), data: message(1, 0, samplerOptions, dataSet(300, body...))}
		})
	}
}

// interfaces is a template of both interfaces.
var interfaces = dataSet(2, be(nil, 302, 2, 10, 4, 14, 4)...)

// fillNames has more addresses announce names than there is room for.
func fillNames(a *adversary) {
	a.each(10_000, func(i int) packet {
		body := append(nameOf(1, i), nameOf(2, i)...)
		return packet{from: forged(i), data: message(1, 0, nameOptions, dataSet(301, body...))}
	})
}

// fillAllSamplers has some addresses announce as many samplers as they may, and others
// the rest.
func fillAllSamplers(a *adversary) {
	fillSamplers(97, 1024)(a)
	fillSamplers(7000, 16)(a)
}

// fillExporters makes n exporters that send nothing of use.
func fillExporters(n int) func(a *adversary) {
	return func(a *adversary) {
		a.each(n, func(i int) packet { return packet{from: forged(i), data: []byte("garbage, nothing but garbage")} })
	}
}

// fillStreams follows n domains of each of some sources.
func fillStreams(sources, n int) func(a *adversary) {
	return func(a *adversary) {
		a.each(sources*n, func(i int) packet {
			return packet{from: forged(i / n), data: message(uint32(i), 0)}
		})
	}
}

// establish has n sources send data for minutes.
func establish(n int) func(a *adversary) {
	return func(a *adversary) {
		fillDomains(n, true)(a)
		a.nowNs += 180e9
		a.each(n, func(i int) packet { return packet{from: forged(i), data: message(1, 1, dataSet(256, 1, 2, 3, 4))} })
	}
}

// fillPending has n data sets wait, each of another source.
func fillPending(n int) func(a *adversary) {
	return func(a *adversary) {
		a.each(n, func(i int) packet { return packet{from: forged(i), data: message(7, 0, dataSet(999, 1, 2, 3, 4))} })
	}
}

// newDomain is the i-th source that nobody knows.
func newDomain(i int) packet {
	return packet{from: forged(1_000_000 + i), data: message(1, 0, templates(256, 1, uint16(1+i%400)))}
}

var adversaryRows = []adversaryRow{
	// Case 1, with withdrawals as over TCP, and as they are.
	{
		table: "templates", operation: "withdraw all of a kind, 4,095 of the other", limit: 3, strikes: 100,
		cfg: adversaryConfig{withdraw: true}, fill: fillTemplates(1), plain: plainTemplates,
		strike: func(i int) []packet { return one(forged(1), message(1, 0, pairs(100)...)) },
	},
	{
		table: "templates", operation: "withdraw all over UDP", limit: 3, strikes: 100,
		fill: fillTemplates(1), plain: plainTemplates,
		strike: func(i int) []packet { return one(forged(1), message(1, 0, pairs(100)...)) },
	},
	{
		table: "templates", operation: "new id and unusable definition in turn", strikes: 100,
		fill: fillTemplates(1), plain: plainTemplates,
		strike: func(i int) []packet {
			var b []byte
			for range 60 {
				b = be(b, 256, 1, 8, 4, 256, 1, 8, 0)
			}
			return one(forged(1), message(1, 0, dataSet(2, b...)))
		},
	},
	{
		table: "templates", operation: "one more than there may be", strikes: 100,
		fill: fillTemplates(0), plain: plainTemplates,
		strike: func(i int) []packet { return one(forged(1), message(1, 0, templates(10_000, 100, 8))) },
	},
	{
		table: "templates", operation: "redefine", strikes: 100,
		fill: fillTemplates(1), plain: plainTemplates,
		strike: func(i int) []packet {
			return one(forged(1), message(1, 0, templates(256, 1, uint16(1+i%30000)), optionsTemplates(400, 60, uint16(1+i%30000))))
		},
	},
	{
		table: "templates", operation: "announce again", strikes: 100,
		fill: fillTemplates(1), plain: plainTemplates,
		strike: func(i int) []packet { return one(forged(1), message(1, 0, optionsTemplates(400, 80, 34))) },
	},
	{
		table: "templates", operation: "wide ones while the bytes are full", strikes: 200,
		fill: func(a *adversary) {
			a.each(6000, func(i int) packet { return packet{from: forged(i), data: message(1, 0, wide(256, 300, uint16(i)))} })
		},
		plain:  plainTemplates,
		strike: func(i int) []packet { return one(forged(100_000+i), message(1, 0, wide(256, 300, uint16(7*i)))) },
	},
	{
		table: "templates", operation: "data of a different one each time", strikes: 500,
		fill: func(a *adversary) {
			for id := 300; id < 300+4096; id += 128 {
				a.send(&packet{from: forged(1), data: message(1, 0, templates(uint16(id), 128, 8))})
			}
		},
		strike: func(i int) []packet {
			var sets [][]byte
			for j := range 100 {
				sets = append(sets, dataSet(uint16(300+(i*100+j*37)%4096), 1, 2, 3, 4))
			}
			return one(forged(1), message(1, 0, sets...))
		},
	},
	{
		table: "domains", operation: "new one, none was used", strikes: 3000,
		fill: fillDomains(100_000, false), strike: func(i int) []packet { p := newDomain(i); return []packet{p} },
	},
	{
		table: "domains", operation: "new one, all were used", strikes: 3000,
		fill: fillDomains(100_000, true), strike: func(i int) []packet { p := newDomain(i); return []packet{p} },
	},
	{
		table: "domains", operation: "new one, all but one in use", strikes: 3000,
		cfg:  adversaryConfig{templates: small(20_000)},
		fill: establish(19_999), strike: func(i int) []packet {
			p := newDomain(i)
			p.data = message(1, 0, templates(256, 1, 8), dataSet(256, 1, 2, 3, 4))
			return []packet{p}
		},
	},
	{
		table: "domains", operation: "new one, all in use", strikes: 3000,
		cfg:  adversaryConfig{templates: small(20_000)},
		fill: establish(20_000), strike: func(i int) []packet { p := newDomain(i); return []packet{p} },
	},
	{
		table: "domains", operation: "new one after the use of many", strikes: 200,
		fill: fillDomains(100_000, true),
		strike: func(i int) []packet {
			var list []packet
			for j := range 50 {
				list = append(list, packet{from: forged((i*50 + j) * 17 % 100_000), data: message(1, 1, dataSet(256, 1, 2, 3, 4))})
			}
			return append(list, newDomain(i))
		},
	},
	{
		table: "domains", operation: "new port of an address with 1,024 samplers", strikes: 2000,
		cfg: adversaryConfig{ports: template.PortsAuto},
		fill: func(a *adversary) {
			body := []byte{}
			for s := range 1024 {
				body = append(body, rate(uint32(s), 100)...)
			}
			a.send(&packet{from: ported(0), data: message(1, 0, samplerOptions, dataSet(300, body...), templates(256, 1, 8))})
			a.send(&packet{from: ported(1), data: message(1, 0, templates(256, 1, 9))})
		},
		strike: func(i int) []packet { return one(ported(2+i), message(1, 0, templates(256, 1, 8))) },
	},
	{
		table: "domains", operation: "new one, many ports that cannot go", strikes: 2000,
		cfg: adversaryConfig{ports: template.PortsAuto, templates: small(20_000)},
		fill: func(a *adversary) { // each address has three ports, which are used
			a.each(40_000, func(i int) packet {
				from := netip.AddrPortFrom(forged(i/3).Addr(), uint16(1+i%3))
				return packet{from: from, data: message(1, 0, templates(256, 1, uint16(8+i%3)), dataSet(256, 1, 2, 3, 4))}
			})
		},
		strike: func(i int) []packet { p := newDomain(i); return []packet{p} },
	},
	{
		table: "samplers", operation: "1,024 of a new domain, for which another goes", strikes: 100,
		cfg:  adversaryConfig{templates: small(97)},
		fill: fillSamplers(97, 1024),
		strike: func(i int) []packet {
			body := []byte{}
			for s := range 160 {
				body = append(body, rate(uint32(i%6*160+s), 100)...)
			}
			return one(forged(1000+i/6), message(1, 0, samplerOptions, dataSet(300, body...)))
		},
	},
	{
		table: "samplers", operation: "other rates", strikes: 100,
		fill: fillAllSamplers,
		strike: func(i int) []packet {
			body := []byte{}
			for s := range 160 {
				body = append(body, rate(uint32(s*6), uint32(200+i))...)
			}
			return one(forged(1), message(1, 0, dataSet(300, body...)))
		},
	},
	{
		table: "samplers", operation: "the rate that all agree on, one sampler at a time", strikes: 100,
		fill: fillAllSamplers,
		strike: func(i int) []packet { // of which all others are no longer
			body := []byte{}
			for s := range 160 {
				body = append(body, rate(7, uint32(1000+160*i+s))...)
			}
			return one(forged(1), message(1, 0, dataSet(300, body...)))
		},
	},
	{
		table: "samplers", operation: "one more than there may be", strikes: 100,
		fill: fillAllSamplers,
		strike: func(i int) []packet {
			body := []byte{}
			for s := range 160 {
				body = append(body, rate(uint32(100_000+s), 100)...)
			}
			return one(forged(1), message(1, 0, dataSet(300, body...)))
		},
	},
	{
		table: "exporters", operation: "new one", strikes: 3000,
		fill:   fillExporters(DefaultMaxExporters),
		strike: func(i int) []packet { return one(forged(1_000_000+i), []byte("garbage, nothing but garbage")) },
	},
	{
		table: "exporters", operation: "new one with a stream", strikes: 3000,
		fill:   fillExporters(DefaultMaxExporters),
		strike: func(i int) []packet { return one(forged(1_000_000+i), message(1, 0)) },
	},
	{
		table: "exporters", operation: "one that was evicted", strikes: 3000,
		fill: fillExporters(2 * DefaultMaxExporters),
		strike: func(i int) []packet {
			return one(forged(i*31%(2*DefaultMaxExporters)), []byte("garbage, nothing but garbage"))
		},
	},
	{
		table: "senders", operation: "new one, none has room", strikes: 3000,
		cfg: adversaryConfig{exporters: 1000},
		fill: func(a *adversary) {
			live := func() {
				a.each(1000, func(i int) packet { return packet{from: forged(i), data: v5(1)} })
			}
			live()
			a.age(live)
			a.each(3000, func(i int) packet { return packet{from: forged(10_000 + i), data: []byte("garbage")} })
		},
		strike: func(i int) []packet { return one(forged(1_000_000+i), []byte("garbage, nothing but garbage")) },
	},
	{
		table: "streams", operation: "new one of a new exporter", strikes: 3000,
		fill:   fillStreams(64, 4096),
		strike: func(i int) []packet { return one(forged(1_000_000+i), message(uint32(i), 0)) },
	},
	{
		table: "streams", operation: "new one of an exporter with many", strikes: 3000,
		fill:   fillStreams(65, 4090),
		strike: func(i int) []packet { return one(forged(i/5), message(uint32(1<<30+i), 0)) },
	},
	{ // case 4
		table: "streams", operation: "more sources of samples than an exporter may have", limit: 3, strikes: 500,
		fill: func(a *adversary) {
			a.each(500, func(i int) packet {
				return packet{from: forged(1), data: flowSamples(uint32(i), 10, 1, uint32(10*i), 1)}
			})
		},
		plain: plainSamples,
		strike: func(i int) []packet {
			return one(forged(1), flowSamples(uint32(1000+i), 30, 1, uint32(10_000+30*i), 1))
		},
	},
	{
		table: "gaps", operation: "numbers at random", strikes: 3000,
		fill: func(a *adversary) {
			fillStreams(16, 4090)(a)
			a.each(65_000, func(i int) packet {
				return packet{from: forged(i / 4090), data: message(uint32(i), 1000+uint32(i)*7919)}
			})
		},
		strike: func(i int) []packet {
			n := i * 31 % 65_000
			return one(forged(n/4090), message(uint32(n), uint32(i)*2654435761))
		},
	},
	{
		table: "gaps", operation: "64 gaps, each number late into another", strikes: 100,
		fill: func(a *adversary) {},
		strike: func(i int) []packet { // v9 counts datagrams: odd ones first, then even ones
			var list []packet
			for j := range 64 {
				list = append(list, packet{from: forged(1), data: netflow9Number(uint32(i*128 + 2*j))})
			}
			for j := range 64 {
				list = append(list, packet{from: forged(1), data: netflow9Number(uint32(i*128 + 127 - 2*j))})
			}
			return list
		},
	},
	{
		table: "pending", operation: "one more than there may be", strikes: 3000,
		cfg:    adversaryConfig{pending: patient},
		fill:   fillPending(100_000),
		strike: func(i int) []packet { return one(forged(1_000_000+i), message(7, 0, dataSet(999, 1, 2, 3, 4))) },
	},
	{
		table: "pending", operation: "templates of others, more than are remembered", strikes: 20,
		cfg: adversaryConfig{workers: 2, pending: patient}, fill: fillPending(90_000), plain: plainTemplates,
		strike: func(i int) []packet {
			var list []packet
			for j := range 11 {
				list = append(list, packet{from: forged(1_000_000 + 11*i + j), data: message(1, 0, templates(256, 100, 8)), worker: 1})
			}
			// The worker that holds the data looks at what it can decode.
			return append(list, garbageTurn...)
		},
	},
	{
		table: "pending", operation: "templates of others, by port", strikes: 100,
		cfg: adversaryConfig{workers: 2, pending: patient, ports: template.PortsAuto}, fill: fillPending(90_000),
		strike: func(i int) []packet {
			return append([]packet{{from: forged(1_000_000 + i), data: message(1, 0, templates(256, 1, 8)), worker: 1}}, garbageTurn...)
		},
	},
	{
		table: "pending", operation: "their template comes and goes", strikes: 100,
		// One template may have an eighth.
		cfg: adversaryConfig{workers: 2, pending: producer.HeldLimits{Bytes: patient.Bytes, Sets: 800_000, AgeNs: patient.AgeNs}},
		fill: func(a *adversary) {
			a.each(90_000, func(i int) packet { return packet{from: forged(1), data: message(7, 0, dataSet(999, 1, 2, 3, 4))} })
		},
		strike: func(i int) []packet {
			b := be(nil, 999, 1, 8, 4, 999, 1, 8, 0)
			return append([]packet{{from: forged(1), data: message(7, 0, dataSet(2, b...)), worker: 1}}, garbageTurn...)
		},
	},
	{
		table: "recent", operation: "data of more sets than it has room for", strikes: 3000,
		fill: func(a *adversary) {
			fillDomains(100_000, true)(a)
			for range 3 {
				a.each(100_000, func(i int) packet { return packet{from: forged(i), data: message(1, 1, dataSet(256, 1, 2, 3, 4))} })
			}
		},
		strike: func(i int) []packet {
			return one(forged(i*7919%100_000), message(1, 2, dataSet(256, 1, 2, 3, 4)))
		},
	},
	{
		table: "recent", operation: "templates that change meanwhile", strikes: 3000,
		fill: func(a *adversary) {
			fillDomains(100_000, true)(a)
			for range 3 {
				a.each(100_000, func(i int) packet { return packet{from: forged(i), data: message(1, 1, dataSet(256, 1, 2, 3, 4))} })
			}
		},
		strike: func(i int) []packet {
			return one(forged(i*7919%100_000), message(1, 2, templates(256, 1, uint16(1+i%30000)), dataSet(256, 1, 2, 3, 4)))
		},
	},
	{
		table: "names", operation: "new exporter", strikes: 3000,
		cfg: adversaryConfig{names: 1000}, fill: fillExporters(DefaultMaxExporters),
		strike: func(i int) []packet { return one(forged(1_000_000+i), []byte("garbage, nothing but garbage")) },
	},
	{
		table: "names", operation: "new sFlow agent", strikes: 3000,
		cfg: adversaryConfig{names: 1000}, fill: fillExporters(1000), plain: plainSamples,
		strike: func(i int) []packet {
			d := flowSamples(uint32(i), 1, 1, 1, 1)
			d[9], d[10], d[11] = byte(i>>16), byte(i>>8), byte(i)
			return one(forged(i%1000), d)
		},
	},
	{
		table: "option names", operation: "names of new domains, the table full", strikes: 500, plain: plainTemplates,
		cfg: adversaryConfig{optionNames: 4 << 20}, fill: fillNames,
		strike: func(i int) []packet {
			return one(forged(1_000_000+i), message(1, 0, nameOptions, dataSet(301, nameOf(1, i)...)))
		},
	},
	{
		table: "option names", operation: "new names of a domain", strikes: 500,
		cfg: adversaryConfig{optionNames: 4 << 20}, fill: fillNames,
		strike: func(i int) []packet {
			var body []byte
			for k := range 50 {
				body = append(body, nameOf(uint32(50*i+k), i)...)
			}
			return one(forged(i%1000), message(1, 0, dataSet(301, body...)))
		},
	},
	{
		table: "option names", operation: "names that change", strikes: 500,
		cfg: adversaryConfig{optionNames: 4 << 20}, fill: fillNames,
		strike: func(i int) []packet {
			var body []byte
			for range 50 {
				body = append(body, nameOf(1, i)...)
				i++
			}
			return one(forged(i%1000), message(1, 0, dataSet(301, body...)))
		},
	},
	{ // on the generic path, in messages of ten times the bytes
		table: "option names", operation: "data of interfaces with names", strikes: 500, limit: 24,
		cfg: adversaryConfig{optionNames: 4 << 20},
		fill: func(a *adversary) {
			fillNames(a)
			a.each(1000, func(i int) packet { return packet{from: forged(i), data: message(1, 0, interfaces)} })
		},
		strike: func(i int) []packet {
			var body []byte
			for range 50 {
				body = append(body, 0, 0, 0, 1, 0, 0, 0, 2)
			}
			return one(forged(i%1000), message(1, 0, dataSet(302, body...)))
		},
	},
	{
		table: "errors", operation: "garbage, while none may be kept any more", strikes: 3000,
		cfg: adversaryConfig{errors: true}, fill: fillExporters(3000),
		strike: func(i int) []packet { return one(forged(i%1000), []byte("garbage, nothing but garbage")) },
	},
	{
		table: "notices", operation: "another sampling rate in each sample", strikes: 500, plain: plainSamples,
		fill: func(a *adversary) {},
		strike: func(i int) []packet {
			d := flowSamples(uint32(i), 30, uint32(i), 1, 1)
			for j := range 30 {
				d[28+40*j+20+3]++
				d[28+40*j+19] = byte(i)
			}
			return one(forged(1), d)
		},
	},
	{
		table: "exporters", operation: "more than the rate limit", strikes: 3000,
		cfg: adversaryConfig{rate: 1000}, fill: fillExporters(1000),
		strike: func(i int) []packet { return one(forged(1), message(uint32(i), 0)) },
	},
}

// small is the default with fewer domains, where time has to pass for each.
func small(domains int) template.Limits {
	l := template.DefaultLimits()
	l.Domains = domains
	return l
}

// pairs returns n times a template of one field, and a withdrawal of all.
func pairs(n int) [][]byte {
	var b []byte
	for range n {
		b = be(b, 256, 1, 8, 4, 2, 0)
	}
	return [][]byte{dataSet(2, b...)}
}

// garbageTurn ends a worker's turn: 64 datagrams of one source.
var garbageTurn = func() []packet {
	var list []packet
	for range 64 {
		list = append(list, packet{from: forged(2), data: []byte("garbage")})
	}
	return list
}()

// plainTemplates is a message of templates of size bytes, which one exporter
// changes with each.
func plainTemplates(i, size int) packet {
	return packet{from: forged(1), data: message(2, 0, templates(256, max((size-20)/8, 1), uint16(1+i%30000)))}
}

// plainSamples is an sFlow datagram of size bytes with samples of one source.
func plainSamples(i, size int) packet {
	n := max((size-28)/40, 1)
	return packet{from: forged(1), data: flowSamples(uint32(i), n, uint32(i*n), 1, 0)}
}

// netflow9Number is an empty NetFlow v9 datagram with a sequence number.
func netflow9Number(n uint32) []byte {
	b := v9Header(0)
	b[12], b[13], b[14], b[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return b
}
