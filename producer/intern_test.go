package producer

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
)

// announce gives the store of p a v9 template of fields (element, length) from
// an exporter.
func announce(t *testing.T, p *Producer, exporter uint32, id uint16, fields ...uint16) *TemplateDomain {
	t.Helper()
	p.source = [16]byte{10: 0xff, 11: 0xff}
	binary.BigEndian.PutUint32(p.source[12:], exporter)
	var body []byte
	body = binary.BigEndian.AppendUint16(body, id)
	body = binary.BigEndian.AppendUint16(body, uint16(len(fields)/2))
	for _, f := range fields {
		body = binary.BigEndian.AppendUint16(body, f)
	}
	m := message{key: template.Key{Exporter: p.source, Version: template.V9}}
	d := p.templateSet(&m, nil, template.V9, body, false)
	if d == nil || d.Template(id) == nil {
		t.Fatalf("template %d of %d was not stored: %v", id, exporter, p.first)
	}
	return d
}

func TestPlansAreShared(t *testing.T) {
	n := newInterner()
	p := New(Config{Format: FormatBin}, template.NewStore(template.DefaultLimits(), n.compile))
	p.batch = NewBatch(0, 1)
	const exporters = 10_000
	plans := map[any]int{}
	for e := uint32(1); e <= exporters; e++ {
		plans[announce(t, p, e, 256, 8, 4, 12, 4, 1, 4).Template(256).Compiled]++
		// The same under another id, and one that differs in a length.
		plans[announce(t, p, e, 300, 8, 4, 12, 4, 1, 4).Template(300).Compiled]++
		plans[announce(t, p, e, 301, 8, 4, 12, 4, 1, 8).Template(301).Compiled]++
	}
	if len(plans) != 2 || n.size() != 2 {
		t.Fatalf("%d plans in use, %d known, for templates of 2 contents", len(plans), n.size())
	}
	for _, count := range plans {
		if count != exporters && count != 2*exporters {
			t.Errorf("a plan is used %d times", count)
		}
	}
}

// TestPlansAreLetGo pins that a store that sees ever new templates does not
// gather their plans.
func TestPlansAreLetGo(t *testing.T) {
	n := newInterner()
	p := New(Config{Format: FormatBin}, template.NewStore(template.DefaultLimits(), n.compile))
	p.batch = NewBatch(0, 1)
	for i := range uint16(2000) {
		announce(t, p, 1, 256, 8, 4, 12, 4, 1, 4, 0x7000+i, 4)
	}
	if n.size() < 2 {
		t.Fatal("no plans at all")
	}
	deadline := time.Now().Add(30 * time.Second)
	for n.size() > 1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d plans are kept for one template", n.size())
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(p)
}
