package producer

import (
	"encoding/binary"
	"runtime"
	"sync"
	"weak"
)

// An interner makes the plans of a store's templates, one for all templates
// with the same content: ten thousand routers of a kind share theirs, and the
// list of fields with it. It holds plans weakly: one that no template has any
// more goes away, and its entry with it, so that there are never more entries
// than templates. Safe for concurrent use.
type interner struct {
	mu   sync.Mutex
	data interned[plan]
	opts interned[optionsPlan]
}

// interned are the plans of a kind by the content of their templates: the whole
// of it, so that different ones never share.
type interned[P any] map[string]weak.Pointer[P]

func newInterner() *interner {
	return &interner{data: interned[plan]{}, opts: interned[optionsPlan]{}}
}

// compile returns the plan of a template. The store calls it once for each,
// before the template is published.
func (n *interner) compile(t *Template) compiled {
	key := content(t)
	if t.Options {
		p, known := share(n, n.opts, key, t, compileOptions)
		if t.Shared = known; known {
			t.Fields = p.all
		}
		return compiled{options: p}
	}
	p, known := share(n, n.data, key, t, compilePlan)
	if t.Shared = known; known {
		t.Fields = p.fields
	}
	return compiled{data: p}
}

// share returns the plan that is there, or makes one.
func share[P any](n *interner, all interned[P], key string, t *Template, compile func(*Template) *P) (p *P, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := all[key].Value(); p != nil {
		return p, true
	}
	p = compile(t)
	all[key] = weak.Make(p)
	runtime.AddCleanup(p, func(key string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		// Another may have been made since.
		if all[key].Value() == nil {
			delete(all, key)
		}
	}, key)
	return p, false
}

// size returns the number of different plans.
func (n *interner) size() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.data) + len(n.opts)
}

// content returns all of a template that its plan depends on: its id is no part
// of that.
func content(t *Template) string {
	b := make([]byte, 0, 2+9*len(t.Fields))
	b = binary.BigEndian.AppendUint16(b, t.Version)
	for i := range t.Fields {
		f := &t.Fields[i]
		b = binary.BigEndian.AppendUint32(b, f.PEN)
		b = binary.BigEndian.AppendUint16(b, f.ID)
		b = binary.BigEndian.AppendUint16(b, f.Length)
		scope := byte(0)
		if f.Scope {
			scope = 1
		}
		b = append(b, scope)
	}
	return string(b)
}
