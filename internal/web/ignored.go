package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// What an exporter's page says about its templates and options data.

// ignoredJSON is an element of an exporter's templates that fills no field.
type ignoredJSON struct {
	Element    uint16 `json:"element"`
	Enterprise uint32 `json:"enterprise,omitempty"`
	Name       string `json:"name,omitempty"`
	Kind       string `json:"kind"`
	Templates  int    `json:"templates"` // that have it
}

// maxIgnored is how many different elements are listed.
const maxIgnored = 256

// ignore notes the elements of a template that fill no field. Templates are looked at
// when the page is asked for: workers keep counts alone.
func (sum *domainsOf) ignore(t *producer.Template) {
	for _, e := range producer.IgnoredElements(t) {
		n := sum.ignored[e]
		if n == 0 && len(sum.ignored) >= maxIgnored {
			sum.ignoredLeftOut++
			continue
		}
		sum.ignored[e] = n + 1
	}
}

// ignoredList returns the elements, in the order of enterprise and number.
func (sum *domainsOf) ignoredList() []ignoredJSON {
	list := []ignoredJSON{}
	for e, n := range sum.ignored {
		list = append(list, ignoredJSON{Element: e.ID, Enterprise: e.PEN, Name: e.Name, Kind: producer.IgnoredNames[e.Kind], Templates: n})
	}
	slices.SortFunc(list, func(a, b ignoredJSON) int {
		return cmp.Or(cmp.Compare(a.Enterprise, b.Enterprise), cmp.Compare(a.Element, b.Element), strings.Compare(a.Kind, b.Kind))
	})
	return list
}

// namesJSON is what options data of a domain said.
type namesJSON struct {
	Protocol string                       `json:"protocol"`
	Domain   uint32                       `json:"domain"`
	Port     uint16                       `json:"port,omitempty"`
	Counts   map[string]int               `json:"counts"`
	Names    map[string]map[uint64]string `json:"names,omitempty"`
	LeftOut  int                          `json:"names_left_out,omitempty"`
	Counters map[string]uint64            `json:"exporter_counters,omitempty"`
}

// newNamesJSON lists up to listed names of a domain, and those that the exporter counted itself.
func newNamesJSON(d *names.Domain, listed int) namesJSON {
	key := d.Key()
	out := namesJSON{
		Protocol: producer.ProtocolNetFlowV9.String(), Domain: key.Domain, Port: key.Port,
		Counts: map[string]int{}, Names: map[string]map[uint64]string{}, Counters: map[string]uint64{},
	}
	if key.Version == template.IPFIX {
		out.Protocol = producer.ProtocolIPFIX.String()
	}
	for k := range names.Kind(names.NumKinds) {
		all := d.Names(k)
		if len(all) == 0 {
			continue
		}
		out.Counts[k.String()] = len(all)
		shown := all[:min(len(all), listed)]
		listed -= len(shown)
		out.LeftOut += len(all) - len(shown)
		list := map[uint64]string{}
		for _, e := range shown {
			list[e.ID] = strings.ToValidUTF8(e.Name, "\ufffd")
		}
		if len(list) > 0 {
			out.Names[k.String()] = list
		}
	}
	for c := range names.Counter(names.NumCounters) {
		if n, said := d.Counter(c); said {
			out.Counters[c.String()] = n
		}
	}
	return out
}
