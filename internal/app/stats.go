package app

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/producer"
)

// Stats is what weir decode -stats writes, as one JSON object. Datagrams
// received = decoded + the sum over failed.
type Stats struct {
	DatagramsReceived uint64 `json:"datagrams_received"`
	// DatagramsDecoded includes those of which some piece was wrong.
	DatagramsDecoded uint64 `json:"datagrams_decoded"`
	// DatagramsFailed are those of which nothing could be used, by reason.
	DatagramsFailed map[string]uint64 `json:"datagrams_failed"`
	// DatagramsIncomplete are those of the decoded ones of which some piece
	// was wrong, by the first thing that was.
	DatagramsIncomplete map[string]uint64 `json:"datagrams_incomplete"`
	// DatagramsByProtocol splits what was received.
	DatagramsByProtocol map[string]uint64 `json:"datagrams_by_protocol"`

	RecordsProduced   uint64            `json:"records_produced"`
	RecordsByProtocol map[string]uint64 `json:"records_by_protocol"`
	OptionsRecords    uint64            `json:"options_records"`

	SetsWithoutTemplate uint64 `json:"sets_without_template"`
	// Faults counts every piece that was wrong, by reason.
	Faults map[string]uint64 `json:"faults"`

	Templates struct {
		Added     uint64 `json:"added"`
		Replaced  uint64 `json:"replaced"`
		Unchanged uint64 `json:"unchanged"`
		// WithdrawalsIgnored: over UDP they do not count (RFC 7011 section 8.4).
		WithdrawalsIgnored uint64 `json:"withdrawals_ignored"`
	} `json:"templates"`

	SamplesNotFlows struct {
		Counter uint64 `json:"counter"`
		Drop    uint64 `json:"drop"`
		Unknown uint64 `json:"unknown"`
	} `json:"samples_not_flows"`

	Capture struct {
		Frames              uint64 `json:"frames"`
		UDPDatagrams        uint64 `json:"udp_datagrams"`
		OtherPorts          uint64 `json:"other_ports"`
		NotUDP              uint64 `json:"not_udp"`
		CutShort            uint64 `json:"cut_short"`
		Malformed           uint64 `json:"malformed"`
		OverLimit           uint64 `json:"over_limit"`
		InterfacesIgnored   uint64 `json:"interfaces_ignored"`
		FragmentsIncomplete uint64 `json:"fragments_incomplete"`
	} `json:"capture"`

	Seconds float64 `json:"seconds"`
}

// stats returns the totals of all rounds. With -repeat, the datagrams of a
// capture count once a round, its frames once.
func (d *decode) stats() *Stats {
	c := d.counters
	s := newStats(&c)
	s.Capture.Frames = d.captures.Frames
	s.Capture.UDPDatagrams = d.captures.Datagrams
	s.Capture.OtherPorts = d.skipped
	s.Capture.NotUDP = d.captures.NonIP + d.captures.TCP + d.captures.OtherIP + d.captures.UnknownLink
	s.Capture.CutShort = d.captures.Cut + d.captures.Truncated
	s.Capture.Malformed = d.captures.Malformed
	s.Capture.OverLimit = d.captures.OverLimit
	s.Capture.InterfacesIgnored = d.captures.InterfacesIgnored
	s.Capture.FragmentsIncomplete = d.captures.FragmentsIncomplete
	s.Seconds = time.Since(d.started).Seconds()
	return s
}

func newStats(c *producer.Counters) *Stats {
	s := &Stats{
		DatagramsReceived:   producer.Sum(c.Datagrams[:]),
		DatagramsDecoded:    producer.Sum(c.Decoded[:]),
		DatagramsFailed:     byReason(&c.Failed),
		DatagramsIncomplete: byReason(&c.Decoded),
		DatagramsByProtocol: byProtocol(&c.Datagrams),
		RecordsProduced:     producer.Sum(c.Records[:]),
		RecordsByProtocol:   byProtocol(&c.Records),
		OptionsRecords:      c.OptionsRecords,
		SetsWithoutTemplate: c.SetsWithoutTemplate,
		Faults:              byReason(&c.Faults),
	}
	s.Templates.Added = c.TemplatesAdded
	s.Templates.Replaced = c.TemplatesReplaced
	s.Templates.Unchanged = c.TemplatesUnchanged
	s.Templates.WithdrawalsIgnored = c.WithdrawalsIgnored
	s.SamplesNotFlows.Counter = c.CounterSamples
	s.SamplesNotFlows.Drop = c.DropSamples
	s.SamplesNotFlows.Unknown = c.UnknownSamples
	return s
}

// byReason names the counts that are not zero, but for that of no reason.
func byReason(counts *[producer.NumReasons]uint64) map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range counts {
		if r := producer.Reason(i); n > 0 && r != producer.ReasonNone {
			m[r.String()] += n
		}
	}
	return m
}

func byProtocol(counts *[producer.NumProtocols]uint64) map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range counts {
		if n > 0 {
			m[producer.Protocol(i).String()] = n
		}
	}
	return m
}

// writeStats writes s to the file of that name, or to w for "-".
func writeStats(name string, w io.Writer, s *Stats) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode statistics: %w", err)
	}
	text = append(text, '\n')
	if name == "-" {
		_, err = w.Write(text)
	} else {
		err = create.WriteFile(name, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write statistics: %w", err)
	}
	return nil
}
