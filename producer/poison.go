//go:build weirpoison

package producer

// poison overwrites what a recycled batch held, so that a reader that kept a
// slice of it fails in tests instead of seeing stale or mixed messages.
func poison(b *Batch) {
	fill(b.Buf[:cap(b.Buf)], 0xdb)
	fill(b.Ends[:cap(b.Ends)], 0xdbdbdbdb)
}

// fill sets all of list to v. It copies, which is fast in builds that count what
// is executed too.
func fill[T any](list []T, v T) {
	if len(list) == 0 {
		return
	}
	list[0] = v
	for done := 1; done < len(list); done *= 2 {
		copy(list[done:], list[:done])
	}
}
