package places

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Status is how a place, or all of weir, is.
type Status string

// Statuses, from good to bad.
const (
	// OK: nothing was lost in the last minute.
	OK Status = "ok"
	// Degraded: something was lost in the last minute, or an exporter is in trouble.
	Degraded Status = "degraded"
	// Failing: for ten seconds nothing was received or nothing was written, while all of
	// it was lost; or all exporters are silent.
	Failing Status = "failing"
)

// worse returns the worse of two.
func worse(a, b Status) Status {
	rank := map[Status]int{OK: 0, Degraded: 1, Failing: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Health is what /health answers.
type Health struct {
	Status Status `json:"status"`
	// Reasons has those of all places that are not ok.
	Reasons []string `json:"reasons,omitempty"`
	// Rates over the last ten seconds.
	DatagramsPerSecond float64 `json:"datagrams_per_second"`
	RecordsPerSecond   float64 `json:"records_per_second"`
	// Exporters have sent something that could be decoded.
	Exporters int `json:"exporters"`
	// Places are all rows of the table, in their order.
	Places []PlaceHealth `json:"places"`
}

// PlaceHealth is how a place is.
type PlaceHealth struct {
	Place   string   `json:"place"`
	Status  Status   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	// Unit is what Lost counts, since the start, and LastMinute; for exporters in trouble
	// both are how many are at present.
	Unit       string `json:"unit"`
	Lost       uint64 `json:"lost"`
	LastMinute uint64 `json:"lost_last_minute"`
	// Since is when the loss began, and LastLoss when something was lost last.
	Since    *time.Time `json:"since,omitempty"`
	LastLoss *time.Time `json:"last_loss,omitempty"`
	// Action is what to do, and Runbook where to read more; empty if the place is ok.
	Action  string `json:"action,omitempty"`
	Runbook string `json:"runbook,omitempty"`
}

// Runbook returns where the place's alert is explained, in the repository.
func (p *Place) Runbook() string { return "docs/runbook.md#" + strings.ToLower(p.Alert) }

// Health returns how all places are.
func (w *Watcher) Health(now time.Time) *Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &Health{Status: OK, Places: []PlaceHealth{}}
	if w.last == nil {
		return h
	}
	h.DatagramsPerSecond = math.Round(w.flow[flowDatagrams].perSecond()*10) / 10
	h.RecordsPerSecond = math.Round(w.flow[flowRecords].perSecond()*10) / 10
	h.Exporters = w.last.Exporters.Announced
	for i := range Table {
		p := w.health(&Table[i], &w.states[i], now)
		h.Status = worse(h.Status, p.Status)
		h.Reasons = append(h.Reasons, p.Reasons...)
		h.Places = append(h.Places, p)
	}
	return h
}

func (w *Watcher) health(p *Place, s *state, now time.Time) PlaceHealth {
	h := PlaceHealth{Place: p.Name, Status: OK, Unit: p.Unit, Lost: total(s.now)}
	h.LastMinute, _ = s.recent.since(minute)
	if p.Now {
		h.LastMinute = h.Lost
	}
	if !s.lastLoss.IsZero() {
		last := s.lastLoss.UTC()
		h.LastLoss = &last
	}
	if h.LastMinute == 0 {
		return h
	}
	h.Status, h.Action, h.Runbook = Degraded, p.Action, p.Runbook()
	began := s.began.UTC()
	h.Since = &began
	reason := fmt.Sprintf("%s: %s: %d %s in the last minute", p.Name, p.What, h.LastMinute, p.Unit)
	if p.Now {
		reason = fmt.Sprintf("%s: %s: %d %s (%s)", p.Name, p.What, h.Lost, p.Unit, strings.Join(p.names(w.last), ", "))
	}
	switch {
	case p.side != neither && now.Sub(s.lastLoss) < still && now.Sub(w.standing[p.side]) >= still:
		h.Status = Failing
		reason += map[side]string{receiving: "; nothing is received", writing: "; nothing is written"}[p.side]
	case p.all != nil && p.all(w.last):
		h.Status = Failing
		reason += "; no exporter sends"
	}
	h.Reasons = []string{reason}
	return h
}

// Line returns rates and losses in words, for the status line of systemd.
func (w *Watcher) Line() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return "Nothing received yet"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Receiving %.0f datagrams/s, %.0f records/s from %d exporters; ",
		w.flow[flowDatagrams].perSecond(), w.flow[flowRecords].perSecond(), w.last.Exporters.Announced-w.last.Exporters.Silent)
	var lost, trouble []string
	for i := range Table {
		p, s := &Table[i], &w.states[i]
		n, _ := s.recent.since(minute)
		switch {
		case p.Now && total(s.now) > 0:
			trouble = append(trouble, fmt.Sprintf("%s: %d %s", p.Name, total(s.now), p.Unit))
		case p.Lossless && n > 0:
			trouble = append(trouble, fmt.Sprintf("%s: %d %s", p.Name, n, p.Unit))
		case !p.Now && n > 0:
			lost = append(lost, fmt.Sprintf("%d %s (%s)", n, p.Unit, p.Name))
		}
	}
	if lost == nil {
		b.WriteString("nothing lost in the last minute")
	} else {
		b.WriteString("lost in the last minute: " + strings.Join(lost, ", "))
	}
	if trouble != nil {
		b.WriteString("; " + strings.Join(trouble, ", "))
	}
	return b.String()
}
