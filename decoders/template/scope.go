package template

// Scope is what a sampling rate of options data holds for, beside the whole domain.
type Scope uint8

// Scopes.
const (
	// ScopeSampler is a sampler (IE 48) or selector (302).
	ScopeSampler Scope = iota
	// ScopeSequence is a selection sequence (301), of which ScopeSelector has the
	// selector: its number and 1.
	ScopeSequence
	ScopeSelector
	// ScopeInterface is an interface by its index, by which flows come in or go out.
	ScopeInterface
	// ScopeLineCard is a line card (141).
	ScopeLineCard
	// ScopeTemplate is the records of a template (145).
	ScopeTemplate
)

// String returns the scope's name.
func (s Scope) String() string {
	return [...]string{"sampler", "sequence", "selector", "interface", "line_card", "template"}[min(s, ScopeTemplate)]
}

// scopeBits are those of an entry's number that are not its scope.
const scopeBits = 56

// entry returns the number of an entry of a sampler table.
func (s Scope) entry(id uint64) uint64 {
	if s == ScopeSampler {
		return id
	}
	return uint64(s)<<scopeBits | id&(1<<scopeBits-1)
}

// ScopeOf returns the scope of an entry that EachSampler lists, and what it is in that
// scope.
func ScopeOf(entry uint64) (Scope, uint64) {
	if s := Scope(entry >> scopeBits); s > ScopeSampler && s <= ScopeTemplate {
		return s, entry & (1<<scopeBits - 1)
	}
	return ScopeSampler, entry
}

// agreed tells whether all samplers of a domain have the same rate. It costs O(1) a
// change: it keeps the sum of a number that each rate has, which nobody on the network
// knows, and n samplers of one rate make the sum n times that of the rate.
type agreed struct {
	sum uint64
	n   uint64 // samplers
}

// change notes that a sampler's rate was before, 0 for none, and is rate now, and
// returns the rate that all have, 0 if they do not agree. number returns that of a
// rate.
func (a *agreed) change(before, rate uint64, number func(rate uint64) uint64) (common uint64) {
	if before == 0 {
		a.n++
	} else {
		a.sum -= number(before)
	}
	a.sum += number(rate)
	if a.sum != a.n*number(rate) {
		return 0
	}
	return rate
}
