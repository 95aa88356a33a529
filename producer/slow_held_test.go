package producer_test

import (
	"bytes"
	"slices"

	"github.com/weirflow/weir/producer/flowpb"
)

// slowHeld is the data that waits for its template, in the order in which it
// came. A nil one holds nothing.
type slowHeld struct {
	sets  []slowHeldSet
	ready []slowTemplateKey // as they became known
}

type slowHeldSet struct {
	message  slowMessage
	key      slowTemplateKey
	template *slowTemplate // nil: not known yet
	body     []byte
}

// hold keeps a data set whose template is not known, or that has to wait behind
// others.
func (h *slowHeld) hold(m *slowMessage, id uint16, t *slowTemplate, b []byte) bool {
	if h == nil || len(b) == 0 {
		return false
	}
	k := slowTemplateKey{m.slowDomain, id}
	waits := slices.ContainsFunc(h.sets, func(s slowHeldSet) bool { return s.key == k })
	if t != nil && !waits {
		return false
	}
	h.sets = append(h.sets, slowHeldSet{*m, k, t, bytes.Clone(b)})
	return true
}

// learn binds what waits for the template to it.
func (h *slowHeld) learn(k slowTemplateKey, t *slowTemplate) {
	if h == nil {
		return
	}
	for i := range h.sets {
		if h.sets[i].key == k && h.sets[i].template == nil {
			h.sets[i].template = t
		}
	}
	h.ready = append(h.ready, k)
}

// release returns the flows of the data sets whose template has become known.
func (s *slow) release() []*flowpb.FlowMessage {
	var flows []*flowpb.FlowMessage
	for _, k := range s.held.ready {
		var left []slowHeldSet
		for _, set := range s.held.sets {
			if set.key != k || set.template == nil {
				left = append(left, set)
				continue
			}
			set.message.records = 0
			flows = append(flows, s.knownSet(&set.message, set.template, set.body)...)
		}
		s.held.sets = left
	}
	s.held.ready = nil
	return flows
}
