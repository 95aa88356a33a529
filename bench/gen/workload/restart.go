package workload

// Restart has an exporter begin again, as after a reboot: its uptime is a second,
// and its sequence numbers begin at zero. Templates are sent again. It reports
// how many of its streams did.
func (g *Generator) Restart(exporter int) int {
	n := 0
	for i := range g.streams {
		s := &g.streams[i]
		if s.Exporter != exporter {
			continue
		}
		n++
		s.sequence, s.sent, s.counters, s.countedFrames = 0, 0, 0, 0
		s.bootNs = g.nowNs - 1e9
		clear(s.samples)
	}
	return n
}
