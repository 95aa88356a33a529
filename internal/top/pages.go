package top

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	prom "github.com/prometheus/common/model"
)

// health is what /health answers.
type health struct {
	Status             text    `json:"status"`
	Reasons            []text  `json:"reasons"`
	DatagramsPerSecond float64 `json:"datagrams_per_second"`
	RecordsPerSecond   float64 `json:"records_per_second"`
	Exporters          int     `json:"exporters"`
	Places             []place `json:"places"`
}

// place is where flows can be lost.
type place struct {
	Place      text       `json:"place"`
	Status     text       `json:"status"`
	Reasons    []text     `json:"reasons"`
	Unit       text       `json:"unit"`
	Lost       uint64     `json:"lost"`
	LastMinute uint64     `json:"lost_last_minute"`
	LastLoss   *time.Time `json:"last_loss"`
	Action     text       `json:"action"`
	Runbook    text       `json:"runbook"`
}

// exporters is a page of /exporters.
type exporters struct {
	Totals struct {
		Exporters int `json:"exporters"`
		Max       int `json:"exporters_max"`
		Silent    int `json:"silent"`
	} `json:"totals"`
	List []exporter `json:"list"`
	// Next is where the next page begins; "" on the last one.
	Next text `json:"next"`
}

// exporter is an entry of /exporters. Rates are over the last minute.
type exporter struct {
	Addr         text          `json:"exporter"`
	FirstSeen    time.Time     `json:"first_seen"`
	LastSeen     time.Time     `json:"last_seen"`
	Silent       bool          `json:"silent"`
	Protocols    []text        `json:"protocols"`
	Datagrams    uint64        `json:"datagrams"`
	Bytes        uint64        `json:"bytes"`
	Records      uint64        `json:"records"`
	DatagramRate float64       `json:"datagrams_per_second"`
	RecordRate   float64       `json:"records_per_second"`
	Templates    int           `json:"templates"`
	Sampling     []sampling    `json:"sampling"`
	SamplingMore int           `json:"sampling_left_out"`
	Ignored      []ignored     `json:"elements_ignored"`
	IgnoredMore  int           `json:"elements_ignored_left_out"`
	Options      []domainNames `json:"options"`
	ClockSkew    *float64      `json:"clock_skew_seconds"` // seconds ahead of weir's clock
	Lost         lost          `json:"lost"`
	Reordered    uint64        `json:"reordered"`
	Duplicates   uint64        `json:"duplicates"`
	Restarts     uint64        `json:"restarts"`
	Streams      []stream      `json:"streams"`
	StreamsMore  int           `json:"streams_left_out"`
}

type sampling struct {
	Source    text    `json:"source"`
	Rate      uint64  `json:"rate"`
	Domain    *uint64 `json:"domain"`
	Sampler   *uint64 `json:"sampler"`
	Interface *uint64 `json:"interface"`
}

type ignored struct {
	Element   uint64 `json:"element"`
	Name      text   `json:"name"`
	Templates uint64 `json:"templates"`
}

// domainNames are the names that an exporter announced: of interfaces, by kind and number.
type domainNames struct {
	Domain *uint64                `json:"domain"`
	Names  map[text]map[text]text `json:"names"`
}

// lost is what an exporter lost, by unit where its sequence numbers say so.
type lost struct {
	Network map[text]uint64 `json:"network"`
	Here    struct {
		Socket     map[text]uint64 `json:"socket"`
		Ring       map[text]uint64 `json:"ring"`
		Restart    map[text]uint64 `json:"restart"`
		Limit      uint64          `json:"limit_datagrams"`
		Decode     uint64          `json:"decode_datagrams"`
		Incomplete uint64          `json:"decode_incomplete_datagrams"`
	} `json:"here"`
}

type stream struct {
	Protocol   text    `json:"protocol"`
	Domain     *uint64 `json:"domain"`
	Source     text    `json:"source"`
	Port       uint16  `json:"source_port"`
	CountsBy   text    `json:"counts_by"`
	Unit       text    `json:"unit"`
	Lost       uint64  `json:"lost"`
	Reordered  uint64  `json:"reordered"`
	Duplicates uint64  `json:"duplicates"`
	Restarts   uint64  `json:"restarts"`
	Strays     uint64  `json:"strays"`
}

// sum adds up counts of whatever unit.
func sum(counts map[text]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// here is what was lost on weir's host.
func (l *lost) here() uint64 {
	return sum(l.Here.Socket) + sum(l.Here.Ring) + sum(l.Here.Restart) + l.Here.Limit + l.Here.Decode
}

// units writes counts with their units.
func units(counts map[text]uint64) string {
	var list []string
	for unit, n := range counts {
		if n > 0 {
			list = append(list, group(n)+" "+string(unit))
		}
	}
	if list == nil {
		return "0"
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// readJSON reads a page of JSON.
func readJSON[T any](r io.Reader) (*T, error) {
	v := new(T)
	if err := json.NewDecoder(r).Decode(v); err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return v, nil
}

// readHealth reads /health, and notices where the page is another program's.
func readHealth(r io.Reader) (*health, error) {
	h, err := readJSON[health](r)
	if err == nil && h.Status == "" {
		return nil, errNotWeir
	}
	return h, err
}

// readExporters reads a page of /exporters without the entries whose address is none.
func readExporters(r io.Reader) (*exporters, error) {
	e, err := readJSON[exporters](r)
	if err != nil {
		return nil, err
	}
	e.List = slices.DeleteFunc(e.List, func(x exporter) bool {
		_, err := netip.ParseAddr(string(x.Addr))
		return err != nil
	})
	return e, nil
}

// metrics are the series of /metrics that are shown.
type metrics map[string]*dto.MetricFamily

// wanted are the metrics that are shown. Series of single exporters are not read: they are
// most of the page.
var wanted = []string{
	"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds",
	"weir_build_info", "weir_datagrams_held", "weir_datagrams_received_bytes_total", "weir_datagrams_received_total",
	"weir_datagrams_total", "weir_exporters", "weir_exporters_max", "weir_kafka_held_bytes", "weir_memory_max_bytes",
	"weir_records_dropped_total", "weir_records_in_flight", "weir_records_produced_total", "weir_records_sink_total",
	"weir_records_spooled", "weir_sequence_streams", "weir_sets_held", "weir_sets_held_bytes", "weir_sink_bytes_total",
	"weir_socket_dropped_total", "weir_spool_bytes", "weir_templates", "weir_templates_bytes", "weir_xdp_dropped_total",
	"weir_xdp_frames_waiting", "weir_xdp_ring_high_water", "weir_xdp_ring_size",
}

// readMetrics reads a page of metrics in the text format of Prometheus.
func readMetrics(r io.Reader) (metrics, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	var kept bytes.Buffer
	for lines.Scan() {
		line := lines.Bytes()
		end := bytes.IndexAny(line, "{ ")
		if end < 0 {
			continue
		}
		if _, ok := slices.BinarySearch(wanted, string(line[:end])); ok {
			kept.Write(line)
			kept.WriteByte('\n')
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	parser := expfmt.NewTextParser(prom.UTF8Validation)
	m, err := parser.TextToMetricFamilies(&kept)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	if _, ok := m["weir_datagrams_received_total"]; !ok {
		return nil, errNotWeir
	}
	return m, nil
}

// label returns a label of a series.
func label(s *dto.Metric, name string) text {
	for _, l := range s.GetLabel() {
		if l.GetName() == name {
			return clean(l.GetValue())
		}
	}
	return ""
}

// has reports whether weir exports a metric.
func (m metrics) has(name string) bool { return m[name] != nil }

// sum adds up the series of a metric that have all of the labels, which are names and values
// in turn.
func (m metrics) sum(name string, labels ...string) (total float64) {
next:
	for _, s := range m[name].GetMetric() {
		for i := 0; i+1 < len(labels); i += 2 {
			if string(label(s, labels[i])) != labels[i+1] {
				continue next
			}
		}
		if v := s.GetUntyped().GetValue(); !math.IsNaN(v) && !math.IsInf(v, 0) {
			total += v
		}
	}
	return total
}

// count is a value with its label.
type count struct {
	name text
	n    float64
}

// by returns the sums of a metric by a label, in the order of the labels.
func (m metrics) by(name, by string) (list []count) {
	for _, s := range m[name].GetMetric() {
		l, v := label(s, by), s.GetUntyped().GetValue()
		if i := slices.IndexFunc(list, func(c count) bool { return c.name == l }); i >= 0 {
			list[i].n += v
			continue
		}
		list = append(list, count{l, v})
	}
	slices.SortFunc(list, func(a, b count) int { return strings.Compare(string(a.name), string(b.name)) })
	return list
}

// version returns the version of weir.
func (m metrics) version() text {
	for _, s := range m["weir_build_info"].GetMetric() {
		return label(s, "version")
	}
	return ""
}

// ring is the state of a ring between the kernel and a worker.
type ring struct {
	name       text
	high, size float64 // entries
}

// rings returns all rings, the fullest first.
func (m metrics) rings() (list []ring) {
	for _, s := range m["weir_xdp_ring_size"].GetMetric() {
		device, name := label(s, "interface"), label(s, "ring")
		list = append(list, ring{
			name: device + " " + name, size: s.GetUntyped().GetValue(),
			high: m.sum("weir_xdp_ring_high_water", "interface", string(device), "ring", string(name)),
		})
	}
	slices.SortStableFunc(list, func(a, b ring) int {
		switch fa, fb := a.full(), b.full(); {
		case fa > fb:
			return -1
		case fa < fb:
			return 1
		}
		return strings.Compare(string(a.name), string(b.name))
	})
	return list
}

// full is how full the ring was at most, 1 for full.
func (r ring) full() float64 {
	if share := r.high / r.size; share > 0 && share <= 1 {
		return share
	}
	return 0
}
