package producer

import "github.com/weirflow/weir/decoders/packet"

// work is all that a producer knows about the datagram in work, or about the data set
// that it releases. [Producer.start] makes it again for each of them, so that
// nothing of one can be read by the next. What outlives a datagram is in the
// other fields of Producer, which TestProducerState lists.
type work struct {
	meta   Meta
	source [16]byte // Meta.Source's address, IPv4 mapped
	batch  *Batch
	first  Reason
	useful int // pieces that could be used
	// small is how many more data records of less than leastRecord bytes are produced.
	small int
	// counted is how many records are in Counters.Encoded already.
	counted int

	facts Facts
	tally Tally

	// compat is what options data of the datagram announces, where goflow2's values are
	// wanted.
	compat compatRates

	// joined are the names that are added to the records of the data set.
	joined joined

	// samples has what the flow samples of the datagram share; nil if there are
	// none, or if that is not to be used.
	samples *fusedContext
	// current is the index of the datagram in held.grams, none while nothing of
	// it waits for its template.
	current int32
}

// memory is what a producer keeps to avoid allocations. Its contents mean nothing
// when a datagram begins: they are written before they are read. Test builds (tag
// weirpoison) overwrite them at each start.
type memory struct {
	flow  Flow
	hdr   packet.Headers
	fused fusedContext
	// rates are the parts of the record's sampling rate, if recordContext.rated.
	rates rateParts
	// sections are the sections of the record's label stack that recordContext.sections
	// names.
	sections [maxSections]uint32
	keyless  keyless
	// scratch holds the values of a record that are no views into the datagram.
	scratch []byte
	// values are those of a record of options data.
	values [][]byte
	// Which layers of hdr a port announced, by bit, and the keys of the ports.
	portLayers uint32
	portLayer  [packet.MaxLayers]uint32
}

// start forgets the datagram before and begins to work at one that came with
// meta, whose messages go to batch. source is that of Meta.Source, IPv4 mapped.
func (p *Producer) start(meta *Meta, source [16]byte, batch *Batch) {
	samples := p.facts.Samples[:0] // its memory
	p.work = work{}
	p.facts.Samples = samples
	p.facts.NowNs = meta.ReceivedNs
	p.meta = *meta
	p.source = source
	p.batch = batch
	p.current = none
	p.keyless.n = 0
	p.memory.poison()
	if p.cfg.Geo != nil {
		p.cfg.Geo.Begin()
	}
}
