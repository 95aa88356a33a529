//go:build weirpoison

package producer

// poison overwrites what a recycled batch held, so that a reader that kept a
// slice of it fails in tests instead of seeing stale or mixed messages.
func poison(b *Batch) {
	buf := b.Buf[:cap(b.Buf)]
	for i := range buf {
		buf[i] = 0xdb
	}
	ends := b.Ends[:cap(b.Ends)]
	for i := range ends {
		ends[i] = 0xdbdbdbdb
	}
}
