//go:build !amd64 || weirsafe

package producer

// InGo calls f: all is done in Go anyhow.
func InGo(f func()) { f() }
