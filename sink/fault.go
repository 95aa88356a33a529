package sink

import (
	"log/slog"
	"time"
)

// calm is how long nothing may be lost before a fault counts as over. Without
// it a nearly full disk, on which now and then a small batch fits, would have
// two lines logged for each.
const calm = time.Second

// fault is the state of losing records. It is the hub goroutine's alone.
type fault struct {
	counters *Counters // take note of errors
	said     bool      // the begin was logged
	active   bool
	began    time.Time
	lastLoss time.Time
	lost     uint64 // records since it began
	calm     time.Duration
}

// observe takes note of a batch's outcome. It logs the begin and the end of a
// fault and nothing between. Of one that loses records it logs nothing where somebody
// else does ([Counters.LeaveFaults]).
func (f *fault) observe(log *slog.Logger, out Outcome, err error) {
	if err == nil && out.Dropped == 0 {
		if f.active && time.Since(f.lastLoss) >= f.calm {
			f.active = false
			if f.said {
				log.Info("output recovered", "lost_records", f.lost,
					"after", time.Since(f.began).Round(time.Millisecond))
			}
		}
		return
	}
	now := time.Now()
	f.lastLoss = now
	reason := out.Reason
	if reason == "" {
		reason = reasonOf(err)
	}
	f.counters.note(reason, err)
	if !f.active {
		f.active, f.began, f.lost = true, now, 0
		if f.said = out.Dropped == 0 || !f.counters.quiet.Load(); f.said {
			log.Error("output fails, records are being lost", "reason", reason, "error", err)
		}
	}
	f.lost += uint64(out.Dropped)
}

// end reports a fault that lasted until the stop.
func (f *fault) end(log *slog.Logger) {
	if f.active && f.said {
		log.Error("output failed until the stop", "lost_records", f.lost,
			"after", time.Since(f.began).Round(time.Millisecond))
	}
	f.active = false
}
