package collector

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer"
)

// growing are the fields that can grow, of all that a worker works with: the table of
// Tables that they are a part of, or else what bounds them, in words. A name without a
// field is for all of the type. A new map, slice or channel is added here, and, if the
// network fills it, to Tables and the rows of the tests.
var growing = map[string]string{
	"collector.Exporters.all": "exporters", "collector.Exporters.free": "exporters", "collector.Exporters.slots": "exporters",
	"collector.senders": "senders",
	"columns.Batch":     "a batch of columns is cut at its size, as one of messages is; no worker makes any yet", "columns.Column": "the same", "columns.Plan": "templates",
	"collector.errand.done": "a channel without slots",
	"sequence.Table":        "streams", "sequence.index": "streams",
	"template.table": "domains", "template.idTable": "templates", "template.Template": "templates", "template.Store.shared": "templates", "template.Store.accounts": "domains",
	"template.samplerTable":     "samplers",
	"template.Store.neighbours": "domains", "template.Store.shares": "domains",
	"names.Table": "option names", "names.slots": "option names",
	"template.Store.families": "domains", "template.family": "domains",
	"producer.held": "pending", "producer.heldSet": "pending", "producer.Held": "pending", "producer.chunk": "pending",
	"producer.recentSets": "recent",
	"producer.plan":       "templates", "producer.optionsPlan": "templates", "producer.namesPlan": "templates", "producer.namesRule": "templates", "producer.fusedPlan": "templates", "producer.fusedTables": "templates",
	"producer.jsonPlan": "templates", "producer.keyPlan": "templates", "producer.fastColumns": "templates",
	"collector.Goflow2": "names", "collector.Goflow2Exporter": "names", "collector.Goflow2Names": "names",
	"collector.ErrorSamples": "errors", "collector.errorSample": "errors",
	"collector.notices": "notices", "collector.notice": "notices",

	"collector.Troubles": "five exporters",
	"producer.Batch":     "sealed at its size, and as many as there are in the lane",
	"collector.Worker":   "as many as there are in the lane",
	"ringbuf.SPSC":       "made with its size",
	"ringbuf.Fill":       "memory shared with the kernel",
	"ringbuf.RX":         "memory shared with the kernel",
	"ringbuf.Ledger":     "as many as there are frames",
	"geo.Cache":          "made with its size",
	"producer.Producer":  "the longest record",
	"producer.memory":    "the longest record",
	"producer.work":      "the datagram",
	"producer.Facts":     "the datagram's samples", "producer.Tally": "a view of the datagram",
	"producer.Flow": "views of the datagram, and lists that have a limit", "packet.Headers": "views of the datagram", "packet.Inner": "a view of the datagram",
	"producer.Extra":        "views of the record, texts of at most its length",
	"producer.fusedContext": "views of the datagram", "producer.sampleParts": "views of the datagram", "producer.sampleColumns": "views of the datagram",
	"producer.customValue": "the longest record",
}

// configured are the types, and packages, that only the configuration makes bigger.
var configured = []string{
	"collector.ExportersConfig", "collector.Parts", "collector.frameSet", "collector.gathering", "collector.sources",
	"producer.Config", "producer.Override", "producer.Program", "producer.column", "producer.customField", "producer.layerProgram",
	"bpf.", "udp.", "xdp.",
}

// findGrowing notes the maps, slices and channels that are reachable from a type.
func findGrowing(t reflect.Type, seen map[reflect.Type]bool, found map[string]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		findGrowing(t.Elem(), seen, found)
	case reflect.Map:
		findGrowing(t.Key(), seen, found)
		findGrowing(t.Elem(), seen, found)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if ours := strings.Contains(t.PkgPath(), "weirflow/weir"); ours {
				switch f.Type.Kind() {
				case reflect.Map, reflect.Slice, reflect.Chan:
					name, _, _ := strings.Cut(t.String(), "[") // without type arguments
					found[name+"."+f.Name] = true
				}
			}
			if name := f.Type.String(); strings.HasPrefix(name, "atomic.Pointer[") || name == "sync.Pool" {
				if m, ok := reflect.PointerTo(f.Type).MethodByName("Load"); ok {
					findGrowing(m.Type.Out(0), seen, found)
				}
				continue
			}
			findGrowing(f.Type, seen, found)
		}
	}
}

// TestGrowing: nothing that a worker works with can grow unnoticed.
func TestGrowing(t *testing.T) {
	found, seen := map[string]bool{}, map[reflect.Type]bool{}
	for _, root := range []reflect.Type{
		reflect.TypeFor[Worker](), reflect.TypeFor[Exporters](), reflect.TypeFor[producer.TemplateStore](), reflect.TypeFor[producer.Producer](),
	} {
		findGrowing(root, seen, found)
	}
	named := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		of := name[:strings.LastIndexByte(name, '.')]
		reason := growing[name]
		if reason == "" {
			reason = growing[of]
		}
		named[reason] = true
		if reason == "" && !slices.ContainsFunc(configured, func(c string) bool { return of == c || strings.HasSuffix(c, ".") && strings.HasPrefix(of, c) }) {
			t.Errorf("%q is not in growing: say what bounds it", name)
		}
	}
	all := adversaryConfig{names: 1, errors: true, optionNames: 1 << 20}
	for _, table := range Tables(all.limits()) {
		if !named[table.Name] && table.Name != "gaps" { // which are fields of a stream
			t.Errorf("no field is of table %q", table.Name)
		}
	}
}
