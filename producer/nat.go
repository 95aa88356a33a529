package producer

// Events of address translation, by IANA's NAT event types.
const (
	natSessionCreate = 4
	natSessionDelete = 5
	natBlockAllocate = 16
	natBlockRelease  = 17
)

// nokiaPEN is the enterprise number of Nokia.
const nokiaPEN = 637

// natFacts is what a template without natEvent shows of address translation.
type natFacts uint8

const (
	// natBlock: records are of blocks of ports. Devices of Cisco, Juniper and A10
	// send the first port alone to release a block.
	natBlock natFacts = 1 << iota
	// natLastPort: the last port of the block is that of first, step and number.
	natLastPort
	// natCreated and natDeleted: Nokia's templates have the start of a session, or
	// its end.
	natCreated
	natDeleted
)

// natFactsOf finds them.
func natFactsOf(t *Template, ranks *[fieldCustom]fieldRank) (n natFacts) {
	has := func(id fieldID) bool { return ranks[id].n > 0 }
	if has(fieldPortRangeStart) && !has(fieldPortRangeEnd) && has(fieldPortRangePorts) {
		n |= natLastPort
	}
	if has(fieldNATEvent) {
		return n
	}
	if has(fieldPortRangeStart) {
		return n | natBlock
	}
	nokia, start, end := false, false, false
	for _, f := range t.Fields {
		nokia = nokia || f.PEN == nokiaPEN
		start = start || f.PEN == 0 && f.ID == 152
		end = end || f.PEN == 0 && f.ID == 153
	}
	switch {
	case !nokia || start == end || has(fieldBytes):
	case start:
		n |= natCreated
	default:
		n |= natDeleted
	}
	return n
}

// apply adds to a flow what its template shows.
func (n natFacts) apply(f *Flow) {
	first, ports := uint64(f.extraNumber(fieldPortRangeStart)), uint64(f.extraNumber(fieldPortRangePorts))
	if n&natLastPort != 0 && first != 0 && ports != 0 {
		if last := first + (ports-1)*max(uint64(f.extraNumber(fieldPortRangeStep)), 1); last < 1<<16 {
			f.setNumber(fieldPortRangeEnd, last)
		}
	}
	event := uint64(0)
	switch {
	case n&natCreated != 0:
		event = natSessionCreate
	case n&natDeleted != 0:
		event = natSessionDelete
	case n&natBlock == 0 || first == 0:
	case f.extraNumber(fieldPortRangeEnd) != 0:
		event = natBlockAllocate
	default:
		event = natBlockRelease
	}
	if event != 0 {
		f.setNumber(fieldNATEvent, event)
	}
}

// extraNumber returns an extra number of 32 bits, 0 if the flow does not have it.
func (f *Flow) extraNumber(id fieldID) uint32 {
	if !f.has(id) {
		return 0
	}
	return *f.u32(id)
}
