package producer

// noProgram returns the program of an empty mapping.
func noProgram() *Program {
	p, _ := NewProgram(nil, Settings{}) // nothing in it can be wrong
	return p
}

// Stale reports that another program than the one that messages are made by is
// in force. The caller seals its batch, so that none holds messages of both,
// and calls Refresh.
func (p *Producer) Stale() bool { return p.prog != p.cfg.Programs.current.Load() }

// Refresh takes up the program in force.
func (p *Producer) Refresh() {
	p.prog = p.cfg.Programs.current.Load()
	p.recent.clear()
}
