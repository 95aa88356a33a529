package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/sflow"
)

// rawSFlow writes an sFlow datagram with its flow, counter and drop samples.
func (p *Producer) rawSFlow(w *rawWriter, data []byte) bool {
	h, body, err := sflow.ParseHeader(data)
	if err != nil {
		reason, _ := err.(sflow.Reason) // ParseHeader returns no other kind
		p.fault(sflowReason(reason))
		return false
	}
	w.begin("sflow")
	w.number("version", sflow.Version)
	w.number("ip-version", uint64(binary.BigEndian.Uint32(data[4:])))
	w.addr("agent-ip", h.Agent)
	w.number("sub-agent-id", uint64(h.SubAgentID))
	w.number("sequence-number", uint64(h.Sequence))
	w.number("uptime", uint64(h.UptimeMs))
	w.number("samples-count", uint64(h.SampleCount))
	w.open("samples", '[')
	var samples sflow.Samples
	samples.Init(body, h.SampleCount)
	for samples.Next() {
		reason := samples.Err()
		p.fault(sflowReason(reason))
		if reason == sflow.ErrSampleShort {
			continue
		}
		switch samples.Sample.Kind {
		case sflow.Counter:
			p.Counters.CounterSamples++
		case sflow.Drop:
			p.Counters.DropSamples++
		case sflow.Unknown:
			p.Counters.UnknownSamples++
		}
		w.rawSample(&samples)
		p.fault(sflowReason(samples.Records.Err()))
	}
	p.fault(sflowReason(samples.Err()))
	w.close(']')
	w.close('}')
	return true
}

// rawSample writes one sample.
func (w *rawWriter) rawSample(samples *sflow.Samples) {
	s := &samples.Sample
	w.open("", '{')
	w.open("header", '{')
	w.number("format", uint64(s.Enterprise)<<12|uint64(s.Format))
	w.number("length", uint64(len(s.Data)))
	w.number("sample-sequence-number", uint64(s.Sequence))
	w.number("source-id-type", uint64(s.SourceClass))
	w.number("source-id-value", uint64(s.SourceIndex))
	w.close('}')
	switch s.Kind {
	case sflow.Flow:
		w.number("sampling-rate", uint64(s.SamplingRate))
		w.number("sample-pool", uint64(s.SamplePool))
		w.number("drops", uint64(s.Drops))
		if s.Expanded {
			w.number("input-if-format", uint64(s.InputFormat))
			w.number("input-if-value", uint64(s.Input))
			w.number("output-if-format", uint64(s.OutputFormat))
			w.number("output-if-value", uint64(s.Output))
		} else {
			w.number("input", uint64(s.Input))
			w.number("output", uint64(s.Output))
		}
		w.number("flow-records-count", uint64(s.RecordCount))
	case sflow.Counter:
		w.number("counter-records-count", uint64(s.RecordCount))
	case sflow.Drop:
		w.number("drops", uint64(s.Drops))
		w.number("input", uint64(s.Input))
		w.number("output", uint64(s.Output))
		w.number("reason", uint64(s.DropReason))
		w.number("flow-records-count", uint64(s.RecordCount))
	default:
		w.base64("data", s.Data)
		w.close('}')
		return
	}
	w.open("records", '[')
	for samples.Records.Next() {
		r := &samples.Records.Record
		w.open("", '{')
		w.open("header", '{')
		w.number("data-format", uint64(r.Enterprise)<<12|uint64(r.Format))
		w.number("length", uint64(len(r.Data)))
		w.close('}')
		w.open("data", '{')
		at := len(w.b)
		if r.Enterprise != 0 || !w.rawBody(s.Kind, r.Format, r.Data) {
			w.b, w.comma = w.b[:at], false
			w.base64("data", r.Data)
		}
		w.close('}')
		w.close('}')
	}
	w.close(']')
	w.close('}')
}

// rawBody writes what a record holds. It reports false for a format that it
// does not know, or that the record is too short for.
func (w *rawWriter) rawBody(kind sflow.Kind, format uint32, d []byte) bool {
	if kind == sflow.Counter {
		switch format {
		case sflow.CounterInterface:
			return w.rawWords(d, rawInterface)
		case sflow.CounterEthernet:
			return w.rawWords(d, rawEthernet)
		}
		return false
	}
	switch format {
	case sflow.FlowRawHeader:
		if !w.rawWords(d, []rawWord{{"protocol", 4}, {"frame-length", 4}, {"stripped", 4}, {"original-length", 4}}) {
			return false
		}
		w.base64("header-data", d[16:])
		return true
	case sflow.FlowEthernet:
		r, ok := sflow.ParseEthernet(d)
		w.number("length", uint64(r.Length))
		w.mac("src-mac", r.SrcMAC)
		w.mac("dst-mac", r.DstMAC)
		w.number("eth-type", uint64(r.EtherType))
		return ok
	case sflow.FlowIPv4:
		r, ok := sflow.ParseIPv4(d)
		return ok && w.rawIP(&r, "tos")
	case sflow.FlowIPv6:
		r, ok := sflow.ParseIPv6(d)
		return ok && w.rawIP(&r, "priority")
	case sflow.FlowExtendedSwitch:
		return w.rawWords(d, []rawWord{{"src-vlan", 4}, {"src-priority", 4}, {"dst-vlan", 4}, {"dst-priority", 4}})
	case sflow.FlowExtendedRouter:
		r, ok := sflow.ParseExtendedRouter(d)
		if ok {
			w.number("next-hop-ip-version", uint64(binary.BigEndian.Uint32(d)))
			w.addr("next-hop", r.NextHop)
			w.number("src-mask-len", uint64(r.SrcMaskLen))
			w.number("dst-mask-len", uint64(r.DstMaskLen))
		}
		return ok
	case sflow.FlowExtendedGateway:
		return w.rawGateway(d)
	case sflow.FlowEgressQueue:
		return w.rawWords(d, []rawWord{{"queue", 4}})
	case sflow.FlowACL:
		if len(d) < 8 {
			return false
		}
		w.number("number", uint64(binary.BigEndian.Uint32(d)))
		rest, ok := w.rawString("name", d[4:])
		return ok && w.rawWords(rest, []rawWord{{"direction", 4}})
	case sflow.FlowFunction:
		_, ok := w.rawString("symbol", d)
		return ok
	}
	return false
}

func (w *rawWriter) mac(name string, v uint64) {
	w.next()
	w.name(name)
	w.b = append(appendMAC(append(w.b, '"'), v), '"')
}

func (w *rawWriter) rawIP(r *sflow.IP, tos string) bool {
	w.number("length", uint64(r.Length))
	w.number("protocol", uint64(r.Protocol))
	w.addr("src-ip", r.Src)
	w.addr("dst-ip", r.Dst)
	w.number("src-port", uint64(r.SrcPort))
	w.number("dst-port", uint64(r.DstPort))
	w.number("tcp-flags", uint64(r.TCPFlags))
	w.number(tos, uint64(r.TOS))
	return true
}

// rawString writes an XDR string: a length, the bytes, and padding to four.
func (w *rawWriter) rawString(name string, d []byte) (rest []byte, ok bool) {
	if len(d) < 4 {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(d))
	if d = d[4:]; n > uint64(len(d)) {
		return nil, false
	}
	w.string(name, d[:n])
	return d[min((n+3)&^3, uint64(len(d))):], true
}

// rawGateway writes a gateway record. Its path is that of all segments.
func (w *rawWriter) rawGateway(d []byte) bool {
	r, ok := sflow.ParseExtendedGateway(d)
	if !ok {
		return false
	}
	path := r.ASPath(nil)
	w.number("next-hop-ip-version", uint64(binary.BigEndian.Uint32(d)))
	w.addr("next-hop", r.NextHop)
	w.number("as", uint64(r.AS))
	w.number("src-as", uint64(r.SrcAS))
	w.number("src-peer-as", uint64(r.SrcPeerAS))
	w.number("as-destinations", uint64(binary.BigEndian.Uint32(d[4+len(r.NextHop)+12:])))
	kind, length := uint32(0), 0
	if len(r.Segments) >= 8 {
		kind, length = binary.BigEndian.Uint32(r.Segments), len(path)
	}
	w.number("as-path-type", uint64(kind))
	w.number("as-path-length", uint64(length))
	w.numbers("as-path", path)
	w.number("communities-length", uint64(len(r.Communities)/4))
	w.numbers("communities", r.AppendCommunities(nil))
	w.number("local-pref", uint64(r.LocalPref))
	return true
}

func (w *rawWriter) numbers(name string, list []uint32) {
	w.open(name, '[')
	for _, v := range list {
		w.next()
		w.b = appendDecimal(w.b, uint64(v))
	}
	w.close(']')
}

// rawWord is a number of 4 or 8 bytes.
type rawWord struct {
	name string
	size int
}

// rawWords writes numbers that stand one after the other.
func (w *rawWriter) rawWords(d []byte, words []rawWord) bool {
	for _, f := range words {
		if len(d) < f.size {
			return false
		}
		if f.size == 8 {
			w.number(f.name, binary.BigEndian.Uint64(d))
		} else {
			w.number(f.name, uint64(binary.BigEndian.Uint32(d)))
		}
		d = d[f.size:]
	}
	return true
}

// The counters of an interface, and of an Ethernet interface, in goflow2's
// names, its slips included.
var (
	rawInterface = []rawWord{
		{"if-index", 4}, {"if-type", 4}, {"if-speed", 8}, {"if-direction", 4}, {"if-status", 4}, {"if-in-octets", 8},
		{"if-in-ucast-pkts", 4}, {"if-in-multicast-pkts", 4}, {"if-in-broadcast-pkts", 4}, {"if-in-discards", 4}, {"if-in-errors", 4},
		{"if-in-unknown-protos", 4}, {"if-out-octets", 8}, {"if-out-ucast-pkts", 4}, {"if-out-multicast-pkts", 4},
		{"if-out-broadcast-pkts", 4}, {"if-out-discards", 4}, {"if-out-errors", 4}, {"if-promiscuous-mode", 4},
	}
	rawEthernet = []rawWord{
		{"dot3-stats-aligment-errors", 4}, {"dot3-stats-fcse-errors", 4}, {"dot3-stats-single-collision-frames", 4},
		{"dot3-stats-multiple-collision-frames", 4}, {"dot3-stats-seq-test-errors", 4}, {"dot3-stats-deferred-transmissions", 4},
		{"dot3-stats-late-collisions", 4}, {"dot3-stats-excessive-collisions", 4}, {"dot3-stats-internal-mac-transmit-errors", 4},
		{"dot3-stats-carrier-sense-errors", 4}, {"dot3-stats-frame-too-longs", 4}, {"dot3-stats-internal-mac-receive-errors", 4},
		{"dot3-stats-symbol-errors", 4},
	}
)
