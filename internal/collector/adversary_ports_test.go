package collector

import (
	"net/netip"

	"github.com/weirflow/weir/decoders/template"
)

// portOf returns the i-th of sixteen million sources with the n-th of its ports.
func portOf(i, n int) netip.AddrPort {
	return netip.AddrPortFrom(forged(i).Addr(), uint16(1+n%65535))
}

// fillPorts announces a template from n ports of each of some sources, and uses it.
func fillPorts(sources, n int) func(a *adversary) {
	return func(a *adversary) {
		a.each(sources*n, func(i int) packet {
			return packet{from: portOf(i/n, i%n), data: message(1, 0, templates(256, 1, uint16(1+i%400)), dataSet(256, 1, 2, 3, 4))}
		})
	}
}

// portRows are the operations of somebody who sends from another port each time, where
// the port belongs to the exporter.
var portRows = []adversaryRow{
	{
		table: "streams", operation: "new port of an exporter with many", strikes: 3000,
		cfg: adversaryConfig{ports: template.PortsAuto},
		fill: func(a *adversary) {
			a.each(65*4090, func(i int) packet { return packet{from: portOf(i/4090, i%4090), data: message(1, 0)} })
		},
		strike: func(i int) []packet { return one(portOf(i/5, 5000+i), message(1, 0)) },
	},
	{
		table: "streams", operation: "more ports than an exporter may have", strikes: 3000,
		cfg: adversaryConfig{ports: template.PortsAuto},
		fill: func(a *adversary) {
			a.each(5000, func(i int) packet { return packet{from: ported(i), data: message(1, 0)} })
		},
		strike: func(i int) []packet { return one(ported(5000+i), message(1, 0)) },
	},
	{
		table: "domains", operation: "new port of an address with more than its share", strikes: 2000,
		cfg: adversaryConfig{ports: template.PortsAuto}, fill: fillPorts(1, 20_000),
		strike: func(i int) []packet { return one(portOf(0, 20_000+i), message(1, 0, templates(256, 1, 8))) },
	},
	{
		table: "domains", operation: "new port of a new address, all have many", strikes: 2000,
		cfg: adversaryConfig{ports: template.PortsAuto}, fill: fillPorts(20, 6000),
		strike: func(i int) []packet { return one(portOf(1000+i, i), message(1, 0, templates(256, 1, 8))) },
	},
	{
		table: "domains", operation: "other ports of an address in turn", strikes: 2000,
		cfg: adversaryConfig{ports: template.PortsAuto}, fill: fillPorts(1, 10_000),
		strike: func(i int) []packet {
			return one(portOf(0, i*31%10_000), message(1, uint32(i), dataSet(256, 1, 2, 3, 4)))
		},
	},
	{
		table: "pending", operation: "data of new ports of an address with many", strikes: 3000,
		cfg: adversaryConfig{ports: template.PortsAuto}, fill: fillPorts(1, 10_000),
		strike: func(i int) []packet { return one(portOf(0, 10_000+i), message(1, 0, dataSet(256, 1, 2, 3, 4))) },
	},
}
