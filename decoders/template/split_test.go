package template

import "testing"

// TestSplitHidesNothing: a reader that looks into the domain of a port, then into that
// of the address, finds a template whenever a split moves it. The steps of both are
// interleaved in every way.
func TestSplitHidesNothing(t *testing.T) {
	const id, port = 256, 7
	for before := range 4 { // steps of the writer before the reader's first look
		for between := range 4 - before { // and before its second
			s := NewStore(DefaultLimits(), nil)
			s.UsePorts(PortsAuto)
			key := Key{Version: IPFIX}
			parent := s.Domain(&key, 1)
			putOne(t, parent, id, port)
			old := parent.own(id)
			key.Port = port
			parent.split.Store(true)
			own := s.make(&key, parent, 1) // readers find it from here on
			steps := []func(){func() { parent.forget(old) }, func() { own.publish(old, nil) }, func() { parent.clear(id) }}
			run := func(n int) {
				for ; n > 0; n-- {
					steps[0]()
					steps = steps[1:]
				}
			}
			run(before)
			found := own.own(id)
			run(between)
			if found == nil {
				found = own.inherited(id)
			}
			if found != old {
				t.Errorf("%d steps before the first look and %d before the second: %v", before, between, found)
			}
		}
	}
}

// putOne announces a template of one field.
func putOne(t *testing.T, d *Domain, id, port uint16) *Template {
	t.Helper()
	var defs Definitions
	defs.Init([]byte{byte(id >> 8), byte(id), 0, 1, 0, 8, 0, 4}, IPFIX, false)
	if more, ok := defs.Next(); !more || !ok {
		t.Fatal(defs.Fault)
	}
	if change, fault := d.Put(&defs.Def, port, 1); change != Added {
		t.Fatal(change, fault)
	}
	return d.own(id)
}
