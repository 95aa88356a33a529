package producer

import (
	"reflect"
	"slices"
	"testing"
)

// TestProducerState: a field of Producer outlives a datagram only if it is named
// here. What belongs to the datagram in work is in work, which start makes again,
// or in memory, which poison overwrites.
func TestProducerState(t *testing.T) {
	kept := []string{
		"cfg",      // fixed
		"store",    // templates and sampling, of all workers
		"prog",     // the program in force, until Refresh
		"Counters", // only ever added to
		"held",     // data that waits, with the header of its own datagram
		"recent",   // what the store would answer
	}
	of := reflect.TypeFor[Producer]()
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Type == reflect.TypeFor[work]() || f.Type == reflect.TypeFor[memory]() {
			continue
		}
		if at := slices.Index(kept, f.Name); at >= 0 {
			kept = slices.Delete(kept, at, at+1)
			continue
		}
		t.Errorf("Producer.%s outlives a datagram: put it into work, or say here why it may", f.Name)
	}
	if len(kept) > 0 {
		t.Errorf("%q are no fields of Producer", kept)
	}
}
