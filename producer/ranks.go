package producer

// fieldRank says how the elements of a template fill a field.
type fieldRank struct {
	best uint8 // the lowest rank
	n    int   // how many have it
}

// rank returns what the elements of a template say about each field.
func rank(t *Template, of func(elementKey) []elementOp) (all [fieldCustom]fieldRank) {
	directed := hasDirection(t)
	for _, f := range t.Fields {
		for _, e := range of(elementKey{f.PEN, f.ID}) {
			switch r := &all[e.field]; {
			case !e.usable(&f, directed):
			case e.code == opBoot: // it is no time of the flow
			case r.n == 0 || e.rank < r.best:
				*r = fieldRank{e.rank, 1}
			case e.rank == r.best:
				r.n++
			}
		}
	}
	return all
}
