package producer

import "github.com/weirflow/weir/decoders/template"

// A message costs as much as a hundred bytes of a datagram or more, however short the
// record is that it is made of. Without a limit a template of one byte would let a
// datagram of 64 KiB become 65,000 messages. So records shorter than leastRecord are
// produced as if they took that many bytes: a datagram makes at most
// (length + smallSlack) / leastRecord of them. All others are bounded by their bytes.
//
// Records of flows that real exporters send are longer: an IPv4 address and a counter
// take 8 bytes. Shorter ones, such as a counter of each protocol, come in small numbers,
// for which smallSlack has room. A record of a biflow becomes two messages, so it counts
// as two of half its length.
const (
	leastRecord = 8   // in bytes
	smallSlack  = 128 // in bytes
)

// smallRecords returns how many records shorter than leastRecord are produced of a
// datagram of so many bytes.
func smallRecords(bytes int) int { return (bytes + smallSlack) / leastRecord }

// messages returns how many messages a record of the plan becomes at most.
func (pl *plan) messages() int {
	if pl != nil && pl.reverse != nil {
		return 2
	}
	return 1
}

// limitSmall returns the part of a data set's body whose records may be produced, and
// how many records follow it. t has records shorter than leastRecord for each of the
// messages that one becomes.
func (p *Producer) limitSmall(t *Template, body []byte, messages int) (within []byte, over int) {
	within = body
	if t.Variable {
		within, over = p.limitWalked(t, body, messages)
	} else if n, most := len(body)/t.Length, p.small/messages; n <= most {
		p.small -= n * messages
	} else {
		within, over = body[:most*t.Length], n-most
		p.small = 0
	}
	if over > 0 {
		p.fault(ReasonSmallRecords)
	}
	return within, over
}

// limitWalked is limitSmall for records of variable length.
func (p *Producer) limitWalked(t *Template, body []byte, messages int) (within []byte, over int) {
	var recs template.Records[compiled]
	recs.Init(body, t)
	for within = body; recs.Next(); {
		switch {
		case over > 0:
			over++
		case len(recs.Record) >= leastRecord*messages:
		case p.small >= messages:
			p.small -= messages
		default:
			over = 1
			within = body[:len(body)-recs.Left()-len(recs.Record)]
		}
	}
	return within, over
}
