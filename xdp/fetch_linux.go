//go:build (amd64 || arm64) && !weirsafe

package xdp

// fetch has the CPU fetch the n bytes at p, n > 0, into the cache next to it, and does
// not wait for them. Implemented in assembly.
//
//go:noescape
func fetch(p *byte, n int)
