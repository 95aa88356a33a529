package metrics

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
)

// maxTemplateSeries is how many templates an exporter may have metrics of in any case:
// what -metrics.exporters allows for times this is the number of all.
const maxTemplateSeries = 16

func goflow2Desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("goflow2_flow_"+name, help, labels, nil)
}

var (
	gfDroppedPackets = goflow2Desc("dropped_packets_total", "Packets dropped before processing: over the rate limit, or by the kernel at a full socket.", "remote_ip", "local_ip", "local_port")
	gfDroppedBytes   = goflow2Desc("dropped_bytes_total", "Bytes dropped before processing. The kernel does not say how many it drops.", "remote_ip", "local_ip", "local_port")
	gfTrafficBytes   = goflow2Desc("traffic_bytes_total", "Bytes received by the application.", "remote_ip", "local_ip", "local_port", "type")
	gfTrafficPackets = goflow2Desc("traffic_packets_total", "Packets received by the application.", "remote_ip", "local_ip", "local_port", "type")
	gfTrafficSize    = goflow2Desc("traffic_size_bytes", "Size of packets.", "remote_ip", "local_ip", "local_port", "type")
	gfErrors         = goflow2Desc("decoder_error_total", "Packets of which something was wrong.", "router", "name")
	gfDecodingTime   = goflow2Desc("decoding_time_seconds", "Time to decode a packet, of one in 64.", "name")
	gfNF             = goflow2Desc("process_nf_total", "NetFlow and IPFIX packets processed.", "router", "version")
	gfNFErrors       = goflow2Desc("process_nf_errors_total", "NetFlow and IPFIX packets with a set whose template was not known.", "router", "error")
	gfNFSets         = goflow2Desc("process_nf_flowset_total", "Sets of NetFlow and IPFIX packets.", "router", "version", "type")
	gfNFRecords      = goflow2Desc("process_nf_flowset_records_total", "Records in sets of NetFlow and IPFIX packets.", "router", "version", "type")
	gfNFDelay        = goflow2Desc("process_nf_delay_seconds", "Time from the end of a flow to its reception, of the last flow of each packet.", "router", "version")
	gfNFTemplates    = goflow2Desc("process_nf_templates_total", "Announcements of templates.", "router", "version", "obs_domain_id", "template_id", "type")
	gfSF             = goflow2Desc("process_sf_total", "sFlow packets processed.", "router", "agent", "version")
	gfSFSamples      = goflow2Desc("process_sf_samples_total", "Samples of sFlow packets.", "router", "agent", "version", "type")
	gfSFRecords      = goflow2Desc("process_sf_samples_records_total", "Records in samples of sFlow packets.", "router", "agent", "version", "type")
)

var gfAll = []*prometheus.Desc{
	gfDroppedPackets, gfDroppedBytes, gfTrafficBytes, gfTrafficPackets, gfTrafficSize, gfErrors, gfDecodingTime,
	gfNF, gfNFErrors, gfNFSets, gfNFRecords, gfNFDelay, gfNFTemplates, gfSF, gfSFSamples, gfSFRecords,
}

// gfVersions are the version labels of protocols, "" for those that are not
// NetFlow.
var gfVersions = [producer.NumProtocols]string{
	producer.ProtocolNetFlowV1: "1", producer.ProtocolNetFlowV5: "5", producer.ProtocolNetFlowV7: "7",
	producer.ProtocolNetFlowV8: "8", producer.ProtocolNetFlowV9: "9", producer.ProtocolIPFIX: "10",
}

var gfSetTypes = [producer.NumSetKinds]string{
	producer.SetTemplates: "TemplateFlowSet", producer.SetOptionsTemplates: "OptionsTemplateFlowSet",
	producer.SetOptionsData: "OptionsDataFlowSet", producer.SetData: "DataFlowSet",
}

var gfSampleTypes = [producer.NumSampleKinds]string{
	producer.SampleFlow: "FlowSample", producer.SampleFlowExpanded: "ExpandedFlowSample",
	producer.SampleCounter: "CounterSample", producer.SampleCounterExpanded: "ExpandedCounterSample",
	producer.SampleOther: "unknown",
}

// goflow2Collector exports the metrics of goflow2, by the names and labels that
// dashboards know. Its counts are those of the workers' Goflow2, summed at each
// scrape.
type goflow2Collector struct{ src Source }

// Describe implements prometheus.Collector.
func (c *goflow2Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range gfAll {
		ch <- d
	}
}

// socketKey tells where datagrams came from and to.
type socketKey struct{ remote, ip, port, scheme string }

type routerKey struct {
	router   string
	protocol producer.Protocol
}

type agentKey struct{ router, agent string }

// socketSum is what came from one place to another.
type socketSum struct {
	packets, bytes, errors uint64
	sizes                  collector.Distribution
}

// goflow2Sums are the sums over all workers.
type goflow2Sums struct {
	sockets  map[socketKey]*socketSum
	dropped  map[socketKey]*[2]uint64 // packets, bytes; no scheme
	nf       map[routerKey]*collector.Goflow2Protocol
	agents   map[agentKey]*collector.Goflow2Agent
	decoding map[string]*collector.Distribution
}

// Collect implements prometheus.Collector.
func (c *goflow2Collector) Collect(ch chan<- prometheus.Metric) {
	s := goflow2Sums{
		sockets: map[socketKey]*socketSum{}, dropped: map[socketKey]*[2]uint64{}, nf: map[routerKey]*collector.Goflow2Protocol{},
		agents: map[agentKey]*collector.Goflow2Agent{}, decoding: map[string]*collector.Distribution{},
	}
	places := c.places()
	for i, w := range c.src.Workers {
		c.worker(&s, w, places[i], places)
	}
	c.frames(&s, places)
	e := emitter(ch)
	s.emit(e)
	c.templates(e)
}

// frames adds what the XDP programs dropped over the rate limit, as sent to the first
// listen address: the programs count by exporter alone.
func (c *goflow2Collector) frames(s *goflow2Sums, places [][]place) {
	captures := c.src.Captures.Load()
	if captures == nil {
		return
	}
	var first place
	if i := slices.IndexFunc(places, func(own []place) bool { return len(own) > 0 }); i >= 0 {
		first = places[i][0]
	}
	captures.Limited(c.src.ExporterLimit(), func(exporter netip.Addr, n uint64) {
		at(s.dropped, socketKey{remote: remoteName(exporter), ip: first.ip, port: first.port})[0] += n
	})
}

// place is a socket in the terms of the labels.
type place struct {
	ip, port, scheme string
	dropped          uint64 // by the kernel
}

// places returns the sockets of every worker.
func (c *goflow2Collector) places() [][]place {
	all := make([][]place, len(c.src.Workers))
	for i, w := range c.src.Workers {
		listens, local, drops := w.Goflow2Sockets()
		for j, addr := range local {
			scheme, _, _ := strings.Cut(listens[j], "://")
			all[i] = append(all[i], place{addr.Addr().Unmap().String(), strconv.Itoa(int(addr.Port())), strings.ToLower(scheme), drops[j]})
		}
	}
	return all
}

// placeOf returns where a datagram of a protocol went that came past the stack:
// the first listen address that is for it.
func placeOf(places [][]place, p producer.Protocol) place {
	want := "netflow"
	if p == producer.ProtocolSFlow {
		want = "sflow"
	}
	first := place{scheme: want}
	for _, list := range places {
		for _, pl := range list {
			if pl.scheme == want {
				return pl
			}
			if pl.scheme == "flow" {
				first = pl
			}
		}
	}
	return first
}

// at returns the value of a key, which it makes if it is not there.
func at[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

func remoteName(addr netip.Addr) string {
	if !addr.IsValid() {
		return OtherExporters
	}
	return addr.String()
}

// worker adds the counts of one worker.
func (c *goflow2Collector) worker(s *goflow2Sums, w *collector.Worker, own []place, all [][]place) {
	decoding, _ := w.Goflow2(func(e *collector.Goflow2Exporter) {
		name := remoteName(e.Addr)
		for i := range e.Sockets {
			for p := range e.Sockets[i] {
				counts := &e.Sockets[i][p]
				if counts.Packets == 0 {
					continue
				}
				pl := placeOf(all, producer.Protocol(p))
				if i > 0 && i <= len(own) {
					pl = own[i-1]
				}
				sum := at(s.sockets, socketKey{name, pl.ip, pl.port, pl.scheme})
				sum.packets += counts.Packets
				sum.bytes += counts.Bytes
				sum.errors += counts.Errors
				sum.sizes.Add(counts.Sizes)
			}
		}
		if e.Dropped > 0 && len(own) > 0 {
			sum := at(s.dropped, socketKey{remote: name, ip: own[0].ip, port: own[0].port})
			sum[0] += e.Dropped
			sum[1] += e.DroppedBytes
		}
		for p := range e.Protocols {
			if gfVersions[p] != "" && (e.Protocols[p].Decoded > 0 || e.Protocols[p].WithoutTemplate > 0) {
				addProtocol(at(s.nf, routerKey{name, producer.Protocol(p)}), &e.Protocols[p])
			}
		}
		for i := range e.Agents {
			a := &e.Agents[i]
			sum := at(s.agents, agentKey{name, remoteName(a.Addr)})
			sum.Datagrams += a.Datagrams
			for k := range a.Samples {
				sum.Samples[k] += a.Samples[k]
				sum.SampleRecords[k] += a.SampleRecords[k]
			}
		}
	})
	for p := range decoding {
		if d := &decoding[p]; d.Count > 0 {
			at(s.decoding, placeOf(all, producer.Protocol(p)).scheme).Add(d)
		}
	}
	for _, pl := range own {
		if pl.dropped > 0 {
			at(s.dropped, socketKey{remote: "unknown", ip: pl.ip, port: pl.port})[0] += pl.dropped
		}
	}
}

func addProtocol(sum, p *collector.Goflow2Protocol) {
	sum.Decoded += p.Decoded
	sum.WithoutTemplate += p.WithoutTemplate
	for k := range p.Sets {
		sum.Sets[k] += p.Sets[k]
		sum.SetRecords[k] += p.SetRecords[k]
	}
	if p.Delay != nil {
		if sum.Delay == nil {
			sum.Delay = &collector.Distribution{}
		}
		sum.Delay.Add(p.Delay)
	}
}

// emit sends the sums.
func (s *goflow2Sums) emit(e emitter) {
	type routerScheme struct{ router, scheme string }
	errors := map[routerScheme]uint64{}
	for k, sum := range s.sockets {
		e.count(gfTrafficPackets, sum.packets, k.remote, k.ip, k.port, k.scheme)
		e.count(gfTrafficBytes, sum.bytes, k.remote, k.ip, k.port, k.scheme)
		e.summary(gfTrafficSize, &sum.sizes, 1, k.remote, k.ip, k.port, k.scheme)
		errors[routerScheme{k.remote, k.scheme}] += sum.errors
	}
	for k, n := range errors {
		e.count(gfErrors, n, k.router, k.scheme)
	}
	for k, n := range s.dropped {
		e.count(gfDroppedPackets, n[0], k.remote, k.ip, k.port)
		if n[1] > 0 {
			e.count(gfDroppedBytes, n[1], k.remote, k.ip, k.port)
		}
	}
	missing := map[string]uint64{}
	for k, p := range s.nf {
		version := gfVersions[k.protocol]
		e.count(gfNF, p.Decoded, k.router, version)
		templated := k.protocol == producer.ProtocolNetFlowV9 || k.protocol == producer.ProtocolIPFIX
		for kind, name := range gfSetTypes {
			if !templated {
				// Of fixed versions goflow2 has the records as sets.
				if kind == producer.SetData {
					e.count(gfNFSets, p.SetRecords[kind], k.router, version, name)
				}
				continue
			}
			if p.Sets[kind] > 0 {
				e.count(gfNFSets, p.Sets[kind], k.router, version, name)
				e.count(gfNFRecords, p.SetRecords[kind], k.router, version, name)
			}
		}
		if templated {
			missing[k.router] += p.WithoutTemplate
			if p.Delay != nil {
				e.summary(gfNFDelay, p.Delay, nsPerSecond, k.router, version)
			}
		}
	}
	for router, n := range missing {
		e.count(gfNFErrors, n, router, "template_not_found")
	}
	for k, a := range s.agents {
		e.count(gfSF, a.Datagrams, k.router, k.agent, "5")
		for kind, name := range gfSampleTypes {
			if a.Samples[kind] > 0 {
				e.count(gfSFSamples, a.Samples[kind], k.router, k.agent, "5", name)
				e.count(gfSFRecords, a.SampleRecords[kind], k.router, k.agent, "5", name)
			}
		}
	}
	for name, d := range s.decoding {
		e.summary(gfDecodingTime, d, nsPerSecond, name)
	}
}

const nsPerSecond = 1e9

// summary sends a distribution, with unit of its numbers to one of the metric.
func (e emitter) summary(desc *prometheus.Desc, d *collector.Distribution, unit float64, labels ...string) {
	quantiles := map[float64]float64{}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		quantiles[q] = d.Quantile(q) / unit
	}
	e <- prometheus.MustNewConstSummary(desc, d.Count, float64(d.Sum)/unit, quantiles, labels...)
}

// templates sends how often each template was announced. Those of exporters
// without a name, and those beyond their exporter's share, are one.
func (c *goflow2Collector) templates(e emitter) {
	type key struct{ router, version, domain, id, kind string }
	sums := map[key]uint64{}
	// add adds the templates of a domain, the first named of them under their names. It
	// returns how many that were.
	add := func(d *producer.TemplateDomain, named int) (n int) {
		k := d.Key()
		for _, t := range d.Templates() {
			at := key{OtherExporters, strconv.Itoa(int(t.Version)), OtherExporters, OtherExporters, "template"}
			if t.Options {
				at.kind = "options_template"
			}
			if n < named {
				n++
				at.router, at.domain, at.id = netip.AddrFrom16(k.Exporter).Unmap().String(), strconv.FormatUint(uint64(k.Domain), 10), strconv.Itoa(int(t.ID))
			}
			sums[at] += t.Announced()
		}
		return n
	}
	// Those with a name in their order, so that at each scrape the same are within
	// their share. There may be a hundred thousand others.
	domains := c.src.Templates.DomainsIf(func(d *producer.TemplateDomain) bool {
		named := c.src.Names.Has(netip.AddrFrom16(d.Key().Exporter).Unmap())
		if !named {
			add(d, 0)
		}
		return named
	})
	var exporters [][]*producer.TemplateDomain
	var counts []int
	for i, d := range domains {
		if i == 0 || d.Key().Exporter != domains[i-1].Key().Exporter {
			exporters, counts = append(exporters, nil), append(counts, 0)
		}
		last := len(exporters) - 1
		exporters[last] = append(exporters[last], d)
		counts[last] += len(d.Templates())
	}
	for i, share := range templateShares(counts, c.src.ExporterLimit()*maxTemplateSeries) {
		for _, d := range exporters[i] {
			share -= add(d, share)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(sums), func(a, b key) int { return cmp.Compare(a.router+a.id, b.router+b.id) }) {
		e.count(gfNFTemplates, sums[k], k.router, k.version, k.domain, k.id, k.kind)
	}
}

// templateShares returns how many of their templates exporters with so many may have
// metrics of, limit together: each maxTemplateSeries, and beyond that an eighth of what
// all of them leave, and of what those before it left. So one that announces thousands
// takes no other's.
func templateShares(counts []int, limit int) []int {
	shares := make([]int, len(counts))
	for i, n := range counts {
		shares[i] = min(n, maxTemplateSeries, limit)
		limit -= shares[i]
	}
	for i, n := range counts {
		more := min(n-shares[i], limit/8)
		shares[i] += more
		limit -= more
	}
	return shares
}
