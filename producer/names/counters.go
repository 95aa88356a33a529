package names

// Counter is one of the numbers that exporters count themselves, for all that they did
// since they started (RFC 7012, IANA's registry).
type Counter uint8

// Counters.
const (
	ExportedOctets   Counter = iota // 40
	ExportedMessages                // 41
	ExportedFlows                   // 42
	ObservedFlows                   // 163
	IgnoredPackets                  // 164
	IgnoredOctets                   // 165
	NotSentFlows                    // 166
	NotSentPackets                  // 167
	NotSentOctets                   // 168
	// NumCounters is the number of counters.
	NumCounters = int(iota)
)

var counterNames = [NumCounters]string{
	"exported_octets", "exported_messages", "exported_flows", "observed_flows",
	"ignored_packets", "ignored_octets", "not_sent_flows", "not_sent_packets", "not_sent_octets",
}

// counterElements are the elements of the counters.
var counterElements = [NumCounters]uint16{40, 41, 42, 163, 164, 165, 166, 167, 168}

// String returns the counter's name, as the exporter's page has it.
func (c Counter) String() string { return counterNames[c] }

// CounterOf returns the counter of an element of IANA's.
func CounterOf(element uint16) (Counter, bool) {
	for c, id := range counterElements {
		if id == element {
			return Counter(c), true
		}
	}
	return 0, false
}
