//go:build !weirsafe

package producer

// InGo calls f with all done in Go that would be done in assembly.
func InGo(f func()) {
	defer func(fast bool) { fastBits = fast }(fastBits)
	fastBits = false
	f()
}
