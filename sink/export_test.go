package sink

import "time"

func (h *Hub) SetCalm(d time.Duration)  { h.fault.calm = d }
func (h *Hub) SetGrace(d time.Duration) { h.grace = d }
func (h *Hub) SetTick(d time.Duration)  { h.tickEvery = d }

// Sweep moves one batch of every lane as Run does.
func (h *Hub) Sweep() bool { return h.sweep() }

func (h *AsyncHub) SetCalm(d time.Duration)  { h.fault.calm, h.spoolFault.calm = d, d }
func (h *AsyncHub) SetGrace(d time.Duration) { h.grace = d }

// SetBackoff fixes the pause after a failure.
func (h *AsyncHub) SetBackoff(d time.Duration) { h.minBackoff, h.maxBackoff = d, d }

// Step does what can be done, as Run does.
func (h *AsyncHub) Step(now time.Time) bool { return h.step(now) }

// Rest returns how long Run would sleep had the bell rung.
func (h *Hub) Rest(now time.Time) time.Duration { return h.rest(now) }

// RestFor is restFor.
var RestFor = restFor
