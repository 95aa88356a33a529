package places

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFailing: a place fails only while nothing is received or written, for as long as what
// comes is lost there.
func TestFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statuses := map[int]Status{}
		r := run(t, 3*time.Minute, func(r *rig, second int) {
			statuses[second-1] = r.Health(time.Now()).Status
			r.now.Received += 10
			r.now.Produced += 300
			switch {
			case second <= 20: // all is well
				r.now.Written += 300
			case second <= 40: // all is lost
				r.now.Dropped = []Count{{"disk_full", total(r.now.Dropped) + 300}}
			case second <= 60: // half of it
				r.now.Written += 150
				r.now.Dropped = []Count{{"disk_full", total(r.now.Dropped) + 150}}
			default:
				r.now.Written += 300
			}
		})
		for second, want := range map[int]Status{
			20: OK, 21: Degraded, 29: Degraded, 30: Failing, 40: Failing, 41: Degraded, 60: Degraded, 119: Degraded, 120: OK,
		} {
			if statuses[second] != want {
				t.Errorf("second %d: %s, want %s", second, statuses[second], want)
			}
		}
		h := r.Health(time.Now())
		if h.DatagramsPerSecond != 10 || h.RecordsPerSecond != 300 || len(h.Places) != len(Table) {
			t.Errorf("%+v", h)
		}
		disk := h.Places[len(h.Places)-3]
		if disk.Place != "disk" || disk.Lost != 20*300+20*150 || disk.LastMinute != 0 || disk.LastLoss == nil || disk.Action != "" {
			t.Errorf("%+v", disk)
		}
		if line := r.status[len(r.status)-1]; line != "Receiving 10 datagrams/s, 300 records/s from 0 exporters; nothing lost in the last minute" {
			t.Errorf("status line: %s", line)
		}
	})
}

// TestNothingReceived: a weir whose exporters are all silent fails, one that never had any
// does not.
func TestNothingReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, time.Minute, func(*rig, int) {})
		if h := r.Health(time.Now()); h.Status != OK || h.Reasons != nil {
			t.Errorf("no exporter yet: %+v", h)
		}
		r.now.Exporters.Announced = 2
		for silent, want := range map[int]Status{0: OK, 1: Degraded, 2: Failing} {
			r.now.Exporters.Silent = silent
			now := r.now
			r.take(&now, time.Now())
			h := r.Health(time.Now())
			if h.Status != want || want == Failing && !strings.Contains(h.Reasons[0], "no exporter sends") {
				t.Errorf("%d of 2 silent: %+v", silent, h)
			}
		}
	})
}
