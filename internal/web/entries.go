package web

import "sort"

// keyChunk is how many keys of a table one walk collects: a walk costs the same for
// few as for many.
const keyChunk = 16 << 10

// entries iterates over the keys of a table in order. It holds up to 2*keyChunk of
// them, however many the table has, and walks the table once for each keyChunk.
type entries[T any] struct {
	compare func(a, b *T) int
	walk    func(f func(*T)) // calls f for every key of the table
	limit   int              // keys that one walk collects, 1 to keyChunk

	list      []T
	bound     T    // keys before it were passed
	bounded   bool // bound is set
	inclusive bool // bound itself was not passed
	last      bool // the table has no keys after those of list
}

// newEntries iterates over all keys, collecting up to keyChunk a walk.
func newEntries[T any](compare func(a, b *T) int, walk func(f func(*T))) *entries[T] {
	return &entries[T]{compare: compare, walk: walk, limit: keyChunk}
}

// seek passes all keys before v.
func (e *entries[T]) seek(v T) {
	i := sort.Search(len(e.list), func(i int) bool { return e.compare(&e.list[i], &v) >= 0 })
	e.list = e.list[i:]
	if len(e.list) == 0 && (!e.bounded || e.compare(&v, &e.bound) > 0) {
		e.bound, e.bounded, e.inclusive = v, true, true
	}
}

// peek returns the next key without passing it, nil after the last.
func (e *entries[T]) peek() *T {
	if len(e.list) == 0 && !e.last {
		e.fill()
	}
	if len(e.list) == 0 {
		return nil
	}
	return &e.list[0]
}

// next is peek, and passes the key.
func (e *entries[T]) next() *T {
	v := e.peek()
	if v != nil {
		e.list = e.list[1:]
	}
	return v
}

func (e *entries[T]) fill() {
	near := newSmallest(e.limit, e.compare)
	e.walk(func(v *T) {
		if e.bounded {
			if c := e.compare(v, &e.bound); c < 0 || c == 0 && !e.inclusive {
				return
			}
		}
		near.add(v)
	})
	list, more := near.sorted()
	e.list, e.last = list, !more
	if len(list) > 0 {
		e.bound, e.bounded, e.inclusive = list[len(list)-1], true, false
	}
}
