package sink

import "time"

func (h *Hub) SetCalm(d time.Duration)  { h.fault.calm = d }
func (h *Hub) SetGrace(d time.Duration) { h.grace = d }
func (h *Hub) SetTick(d time.Duration)  { h.tickEvery = d }

// Sweep moves one batch of every lane as Run does.
func (h *Hub) Sweep() bool { return h.sweep() }
