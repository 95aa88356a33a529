package sequence

const (
	// clockOffNs is how far an exporter's clock may be from ours. Datagrams name whole
	// seconds, and some are on their way for one or two.
	clockOffNs = int64(60e9)
	// clockFreshNs is after how long without a datagram nothing is known about a clock.
	clockFreshNs = int64(600e9)
)

// hasClock reports whether datagrams of the stream's protocol name the exporter's time.
func (s *Stream) hasClock() bool { return s.key.Kind <= IPFIX }

// skewed reports whether the exporter's clock is off, by the stream's last datagram.
func (s *Stream) skewed(nowNs int64) bool {
	return s.hasClock() && max(s.skewNs, -s.skewNs) > clockOffNs && nowNs-s.lastNs < clockFreshNs
}

// setClockOff takes note of whether the exporter's clock is off, by this stream.
func (s *Stream) setClockOff(off bool) {
	if off == s.clockOff {
		return
	}
	s.clockOff = off
	if off {
		s.set.clockOff.Add(1)
	} else {
		s.set.clockOff.Add(-1)
	}
}

// ClockOff reports whether the exporter's clock was more than a minute from ours, by a
// datagram of the last ten minutes, at the last [Table.Sweep].
func (s *Set) ClockOff() bool { return s.clockOff.Load() > 0 }
