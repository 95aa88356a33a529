// Package metrics exports the collector's counters to Prometheus. Nothing of
// it is on the receive path: each scrape reads the workers' snapshots.
package metrics

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// OtherExporters is the exporter label of all exporters beyond the limit.
const OtherExporters = "other"

// Source is what a scrape reads. Its parts may be used by any goroutine.
type Source struct {
	Workers   []*collector.Worker
	Sink      *sink.Counters
	Exporters *collector.Exporters
	Templates *producer.TemplateStore
	// OptionNames are what options data said about numbers; nil for nothing.
	OptionNames *names.Table
	// ExporterLimit returns the number of exporters that have labels of their
	// own.
	ExporterLimit func() int
	// Reloads returns what became of reloads of the configuration.
	Reloads func() Reloads
	// Build says which weir this is.
	Build Build
	// Formats calls f for what was encoded in each format that messages have had; total is
	// what was encoded by path.
	Formats func(total [producer.NumPaths]uint64, f func(format string, encoded [producer.NumPaths]uint64))
	// Kinds are the outputs that there are; Output returns the one that is open.
	Kinds  []output.Kind
	Output func() *output.Output
	// Databases is nil where flows are not enriched.
	Databases *enrich.Databases
	// Names has who gets goflow2's metrics, nil where they are not wanted.
	Names *collector.Goflow2Names
	Kept  Kept
	// Errors is nil where no samples of errors are kept.
	Errors *collector.ErrorSamples
	// Captures points to nil unless interfaces are captured.
	Captures *atomic.Pointer[collector.Captures]
}

// Build says which weir this is.
type Build struct{ Version, Revision, Go, OS, Arch string }

// Collector implements prometheus.Collector.
type Collector struct{ src Source }

// NewCollector returns a collector of what src has.
func NewCollector(src Source) *Collector { return &Collector{src: src} }

// NewRegistry returns a registry with weir's metrics, those of the Go runtime
// and those of the process.
func NewRegistry(src Source) *prometheus.Registry {
	r := prometheus.NewRegistry()
	if src.Names != nil {
		r.MustRegister(&goflow2Collector{src: src})
	}
	r.MustRegister(
		NewCollector(src),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_"+name, help, labels, nil)
}

var (
	buildInfo = desc("build_info", "Which weir this is; always 1.", "version", "revision", "goversion", "goos", "goarch")

	received      = desc("datagrams_received_total", "Datagrams received, by the path that they came over.", "path")
	receivedBytes = desc("datagrams_received_bytes_total", "Payload bytes of the datagrams received.", "path")
	socketDropped = desc("socket_dropped_total", "Datagrams that the kernel dropped because the socket's receive buffer was full.", "listen", "worker")
	datagrams     = desc("datagrams_total", "Where each datagram ended: decoded, failed because nothing of it could be used, or dropped before decoding. The reason of a failure is the first fault in the datagram.", "outcome", "reason")
	byProtocol    = desc("protocol_datagrams_total", "Datagrams received, by protocol.", "protocol")
	faults        = desc("decode_faults_total", "Malformed or unusable parts of datagrams, by reason. One datagram may have many.", "reason")

	produced    = desc("records_produced_total", "Flow records decoded and encoded, by protocol.", "protocol")
	encoded     = desc("records_encoded_total", "Flow records by the path by which they became messages. generic is the slowest.", "format", "path")
	sinkRecords = desc("records_sink_total", "Where each record is: acknowledged by the output, or dropped. spooled is the gauge weir_records_spooled under an old name, and goes with the next version.", "outcome")
	dropped     = desc("records_dropped_total", "Records that were lost on the way to the output, by reason.", "reason")
	inFlight    = desc("records_in_flight", "Records on their way to the output.")
	sinkBytes   = desc("sink_bytes_total", "Bytes that the output took.")
	batches     = desc("batches_total", "Batches handed to the output.")

	options     = desc("options_records_total", "Records of options data, which are no flows.")
	noTemplate  = desc("sets_without_template_total", "Data sets whose template was not known.")
	announced   = desc("templates_announced_total", "Template records received, by what they changed.", "change")
	otherSample = desc("sflow_samples_total", "sFlow samples other than flow samples, by kind.", "kind")

	exporters         = desc("exporters", "Exporters with an entry.")
	exporterDatagrams = desc("exporter_datagrams_total", "Datagrams received, by exporter.", "exporter")
	exporterBytes     = desc("exporter_bytes_total", "Payload bytes received, by exporter.", "exporter")
	exporterRecords   = desc("exporter_records_total", "Flow records produced, by exporter.", "exporter")
	exporterFailed    = desc("exporter_datagrams_failed_total", "Datagrams of which nothing could be used, by exporter.", "exporter")
	exporterPartly    = desc("exporter_datagrams_incomplete_total", "Decoded datagrams with a faulty part, by exporter.", "exporter")
	exporterLimited   = desc("exporter_limited_total", "Datagrams dropped by -exporters.rate on the sockets, by exporter.", "exporter")
	exporterSeen      = desc("exporter_last_seen_timestamp_seconds", "When the exporter's last datagram was received, in Unix seconds.", "exporter")
)

var (
	captureMode   = desc("capture_mode", "How an interface is captured: 1 for the mode in force, udp where it is not.", "interface", "mode")
	captureOpened = desc("capture_opened_total", "How often the capture of an interface was opened.", "interface")
	xdpVerdicts   = desc("xdp_verdicts_total", "Frames by what the XDP program decided.", "verdict")
	xdpDropped    = desc("xdp_dropped_total", "Frames that the XDP program redirected and that were lost before a worker had them, by reason.", "reason")
	xdpWaiting    = desc("xdp_frames_waiting", "Frames that the XDP program redirected and that no worker has counted yet: they are in a ring, on their way to it, or in the batch that a worker processes.")
	xdpLimited    = desc("xdp_exporter_limited_total", "Datagrams dropped by -exporters.rate in the XDP program, by exporter.", "exporter")
	ringHigh      = desc("xdp_ring_high_water", "Highest number of entries that waited in a ring.", "interface", "ring")
	ringSize      = desc("xdp_ring_size", "Entries that a ring holds.", "interface", "ring")
)

var all = []*prometheus.Desc{
	captureMode, captureOpened, xdpVerdicts, xdpDropped, xdpWaiting, xdpLimited, ringHigh, ringSize, exporterLimited,
	buildInfo, received, receivedBytes, socketDropped, datagrams, byProtocol, faults,
	produced, encoded, sinkRecords, dropped, inFlight, sinkBytes, batches,
	options, noTemplate, announced, otherSample,
	exporters, exporterDatagrams, exporterBytes, exporterRecords, exporterFailed, exporterPartly, exporterSeen,
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(all, templateDescs, exporterDescs, enrichDescs, reloadDescs, slices.Collect(maps.Values(renamed))) {
		ch <- d
	}
	for _, k := range c.src.Kinds {
		for _, m := range k.Metrics {
			ch <- outputDesc(m)
		}
	}
}

// emitter sends constant metrics.
type emitter chan<- prometheus.Metric

func (e emitter) count(d *prometheus.Desc, n uint64, labels ...string) {
	e <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	if old := renamed[d]; old != nil {
		e <- prometheus.MustNewConstMetric(old, prometheus.GaugeValue, v, labels...)
	}
	e <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	e := emitter(ch)
	l := collector.NewLedger(c.src.Workers, c.src.Sink)
	w := &l.Workers

	b := &c.src.Build
	e.gauge(buildInfo, 1, b.Version, b.Revision, b.Go, b.OS, b.Arch)
	for i := range w.Received {
		e.count(received, w.Received[i], collector.Path(i).String())
		e.count(receivedBytes, w.ReceivedBytes[i], collector.Path(i).String())
	}
	e.count(datagrams, w.Denied, "dropped", "denied")
	e.count(datagrams, w.Limited, "dropped", "rate")
	e.count(datagrams, w.Shutdown, "dropped", "shutdown")
	for i, worker := range c.src.Workers {
		listens, drops := worker.SocketDrops()
		for j, listen := range listens {
			e.count(socketDropped, drops[j], listen, strconv.Itoa(i))
		}
	}
	c.reloads(e)
	c.decoding(e, &w.Decode)

	e.count(sinkRecords, l.Acknowledged, "acknowledged")
	e.count(sinkRecords, l.DroppedRecords(), "dropped")
	e.count(sinkRecords, l.Spooled, "spooled")
	if collect := c.src.Output().Collect; collect != nil {
		collect(outputEmitter{e}, l.Spooled, l.Recovered)
	}
	for _, d := range l.Dropped {
		e.count(dropped, d.Records, d.Reason)
	}
	e.gauge(inFlight, float64(l.InFlight))
	e.count(sinkBytes, l.SinkBytes)
	e.count(batches, w.Sealed)

	c.templates(e, &w.Decode.Held)
	names := c.exporters(e)
	c.exporterTable(e, &w.Decode)
	c.databases(e)
	if captures := c.src.Captures.Load(); captures != nil {
		c.captures(e, captures, w, names)
	}
}

// captures exports what the captures of interfaces did. names are the exporters that have
// metrics of their own.
func (c *Collector) captures(e emitter, captures *collector.Captures, w *collector.Snapshot, names []string) {
	verdicts, drops := map[string]uint64{}, map[string]uint64{}
	stats := captures.Stats()
	for _, s := range stats {
		for _, mode := range collector.Modes {
			in := 0.0
			if mode == s.Mode {
				in = 1
			}
			e.gauge(captureMode, in, s.Interface, mode)
		}
		e.count(captureOpened, s.Opened, s.Interface)
		for _, v := range s.Verdicts {
			verdicts[v.Label] += v.N
		}
		for _, d := range s.Dropped {
			drops[d.Label] += d.N
		}
		for _, r := range s.Rings {
			e.gauge(ringHigh, float64(r.HighWater), s.Interface, r.Ring)
			e.gauge(ringSize, float64(r.Size), s.Interface, r.Ring)
		}
	}
	drops["malformed"] = w.FramesMalformed
	for label, n := range verdicts {
		e.count(xdpVerdicts, n, label)
	}
	for label, n := range drops {
		e.count(xdpDropped, n, label)
	}
	redirected, dropped := collector.SumCaptures(stats)
	dropped += w.FramesMalformed
	e.gauge(xdpWaiting, float64(collector.FramesWaiting(redirected, w.Received[collector.PathXDP], dropped)))
	if !captures.Rated() {
		return
	}
	limited := map[string]uint64{}
	for _, name := range names {
		limited[name] = 0
	}
	captures.Limited(c.src.ExporterLimit(), func(exporter netip.Addr, n uint64) { limited[exporter.String()] = n })
	for name, n := range limited {
		e.count(xdpLimited, n, name)
	}
}

func (c *Collector) decoding(e emitter, d *producer.Counters) {
	// Every reason is there from the start, since a rate needs the value before the first.
	e.count(datagrams, d.Decoded[producer.ReasonNone], "decoded", producer.ReasonNone.String())
	for r := range producer.EachReason {
		e.count(datagrams, d.Decoded[r], "decoded", r.String())
		e.count(datagrams, d.Failed[r], "failed", r.String())
		e.count(faults, d.Faults[r], r.String())
	}
	for i := range d.Datagrams {
		p := producer.Protocol(i)
		e.count(byProtocol, d.Datagrams[i], p.String())
		if p != producer.ProtocolUnknown {
			e.count(produced, d.Records[i], p.String())
		}
	}
	c.src.Formats(d.Encoded, func(format string, n [producer.NumPaths]uint64) {
		for i := range n {
			e.count(encoded, n[i], format, producer.Path(i).String())
		}
	})
	e.count(options, d.OptionsRecords)
	e.count(noTemplate, d.SetsWithoutTemplate)
	e.count(announced, d.TemplatesAdded, "added")
	e.count(announced, d.TemplatesReplaced, "replaced")
	e.count(announced, d.TemplatesUnchanged, "unchanged")
	e.count(announced, d.WithdrawalsIgnored, "withdrawal_ignored")
	e.count(otherSample, d.CounterSamples, "counter")
	e.count(otherSample, d.DropSamples, "drop")
	e.count(otherSample, d.UnknownSamples, "unknown")
}

// exporters exports what exporters did, and returns the names of those that have metrics
// of their own.
func (c *Collector) exporters(e emitter) (names []string) {
	first, other := c.src.Exporters.Stats(c.src.ExporterLimit())
	for i := range first {
		names = append(names, first[i].Addr.String())
		emitExporter(e, names[i], &first[i])
	}
	emitExporter(e, OtherExporters, &other)
	return names
}

func emitExporter(e emitter, name string, s *collector.ExporterStats) {
	e.count(exporterDatagrams, s.Datagrams, name)
	e.count(exporterBytes, s.Bytes, name)
	e.count(exporterRecords, s.Records, name)
	e.count(exporterFailed, s.Failed, name)
	e.count(exporterPartly, s.Incomplete, name)
	e.count(exporterLimited, s.Limited, name)
	e.count(exporterExpired, s.Expired, name)
	for kind, n := range s.Ignored {
		e.count(exporterIgnored, n, name, producer.IgnoredNames[kind])
	}
	emitSequence(e, name, s)
	if s.LastSeenNs != 0 {
		e.gauge(exporterSeen, float64(s.LastSeenNs)/1e9, name)
	}
}
