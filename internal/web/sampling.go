package web

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// domainsOf summarises the observation domains of one exporter.
type domainsOf struct {
	templates int
	rates     *smallest[domainRate]
	all       int // rates, with those that were left out
	ignored   map[producer.IgnoredElement]int
	// ignoredLeftOut are elements for which there was no room in ignored.
	ignoredLeftOut int
	names          []namesJSON
}

// domainRate is a sampling rate from options data.
type domainRate struct {
	version uint16
	port    uint16
	domain  uint32
	whole   bool // of the domain, not of a sampler
	scope   template.Scope
	sampler uint64 // or what it is in the scope
	rate    uint64
}

func compareRates(a, b *domainRate) int {
	whole := func(r *domainRate) int {
		if r.whole {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.port, b.port),
		cmp.Compare(a.version, b.version),
		cmp.Compare(a.domain, b.domain),
		cmp.Compare(whole(a), whole(b)),
		cmp.Compare(a.scope, b.scope),
		cmp.Compare(a.sampler, b.sampler),
	)
}

// exporterOf returns the exporter of a domain.
func exporterOf(key *template.Key) netip.Addr { return netip.AddrFrom16(key.Exporter).Unmap() }

// compareByExporter orders domains by their exporters, in the order of netip.Addr.
func compareByExporter(a, b *template.Key) int {
	return cmp.Or(exporterOf(a).Compare(exporterOf(b)), a.Compare(b))
}

// domains summarises the domains of an exporter, with up to listed rates; nil if it
// has none. It consumes the keys up to the exporter's last.
func (h *exportersHandler) domains(addr netip.Addr, keys *entries[template.Key], listed int) (sum *domainsOf) {
	keys.seek(template.Key{Exporter: addr.As16(), Port: 0}) // the first of the address
	for key := keys.peek(); key != nil && exporterOf(key) == addr; key = keys.peek() {
		d := h.store.Find(keys.next())
		if d == nil {
			continue // it made room for another one meanwhile
		}
		if sum == nil {
			sum = &domainsOf{rates: newSmallest(listed, compareRates), ignored: map[producer.IgnoredElement]int{}}
		}
		sum.add(d)
		sum.addNames(h.src.Names, d.Key(), listed)
	}
	return sum
}

func (sum *domainsOf) add(d *producer.TemplateDomain) {
	key := d.Key()
	sum.templates += d.Len()
	for _, t := range d.Templates() {
		sum.ignore(t)
	}
	add := func(r domainRate) {
		sum.all++
		sum.rates.add(&r)
	}
	s := d.Sampling()
	s.EachSampler(func(entry, rate uint64) {
		if scope, id := template.ScopeOf(entry); scope != template.ScopeSelector {
			add(domainRate{version: key.Version, port: key.Port, domain: key.Domain, scope: scope, sampler: id, rate: rate})
		}
	})
	if rate := s.Own(); rate != 0 {
		add(domainRate{version: key.Version, port: key.Port, domain: key.Domain, whole: true, rate: rate})
	}
}

// addNames adds what options data of a domain said: of its port, and of the address.
func (sum *domainsOf) addNames(table *names.Table, key template.Key, listed int) {
	if table == nil {
		return
	}
	of := names.Key{Exporter: key.Exporter, Domain: key.Domain, Version: key.Version}
	for _, of.Port = range [2]uint16{key.Port, 0} {
		d := table.Find(&of)
		if d == nil || len(sum.names) >= maxListed {
			continue
		}
		n := newNamesJSON(d, listed)
		same := func(o namesJSON) bool {
			return o.Domain == n.Domain && o.Protocol == n.Protocol && o.Port == n.Port
		}
		if !slices.ContainsFunc(sum.names, same) {
			sum.names = append(sum.names, n)
		}
	}
}

// sampling lists the sampling rates that hold for an exporter, and where they
// come from. It returns how many it left out.
func sampling(d *collector.ExporterDetail, domains *domainsOf, listed int) (list []samplingJSON, leftOut int) {
	list = []samplingJSON{}
	if o := d.Override; o != nil {
		if o.Rate != 0 {
			list = append(list, samplingJSON{Source: producer.SamplingOverride.String(), Rate: o.Rate})
		}
		for _, index := range slices.Sorted(maps.Keys(o.Interfaces)) {
			list = append(list, samplingJSON{Source: producer.SamplingOverride.String(), Rate: o.Interfaces[index], Interface: &index})
		}
	}
	if domains != nil {
		rates, _ := domains.rates.sorted()
		leftOut = domains.all - len(rates)
		for i := range rates {
			list = append(list, rates[i].json())
		}
	}
	// Those in headers and samples: each rate once.
	seen := map[samplingJSON]bool{}
	for i := range d.Streams {
		s := samplingJSON{Source: producer.SamplingRecord.String(), Rate: uint64(d.Streams[i].Rate), Protocol: d.Streams[i].Key.Kind.String()}
		if s.Rate != 0 && !seen[s] && len(seen) < maxListed {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list, leftOut
}

func (r *domainRate) json() samplingJSON {
	id, protocol := uint64(r.domain), producer.ProtocolNetFlowV9.String()
	if r.version == template.IPFIX {
		protocol = producer.ProtocolIPFIX.String()
	}
	out := samplingJSON{Source: producer.SamplingDomain.String(), Rate: r.rate, Protocol: protocol, Domain: &id}
	if !r.whole {
		id := r.sampler
		out.Source = r.scope.String()
		if r.scope == template.ScopeInterface {
			index := uint32(id)
			out.Interface = &index
		} else {
			out.Sampler = &id
		}
	}
	return out
}
